"""What a vocabulary holds, told from its tokenizer alone."""
