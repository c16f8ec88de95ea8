"""What every training in the harness shares: attention for a CPU, checkpoints to go on from, places in a batch."""
