"""Models: which one is meant, what its folder says, its tokenizer, and the booted thing itself."""
