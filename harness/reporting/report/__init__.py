"""One page per run that opens from disk with the network off."""
