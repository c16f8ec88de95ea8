"""Which tokens are under study, and the prompts made of their ids."""
