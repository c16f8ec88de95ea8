"""What a model says: many prompts of one shape, decoded together."""
