"""The behavioural test of every token: three tasks, a verdict, and what goes wrong how."""
