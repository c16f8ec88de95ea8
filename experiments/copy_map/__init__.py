"""Every token of the vocabulary in random sequences that occur twice: which are copied, and which are not."""
