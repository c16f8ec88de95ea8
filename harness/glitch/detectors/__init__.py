"""What detectors share: the oracle they query and what a query costs."""
