"""One question each: its parameters, how it is answered, and how the answer is shown."""
