"""What a model generates: many prompts of one shape, decoded together."""
