"""What a person sees of a run, made from its stored files.

`display` says what an experiment shows, `drawing` makes it, with `figures`, `report` and `tracking`; `console` talks to
the terminal.
"""
