"""What the command line does, stored and compared: the parts of `benchmarks/behaviour.py`.

`commands` what is typed, `measured` and `refused` the commands, `materials` the files they are given, `running` runs
them, `plain` takes out of a text what changes from run to run, `storing` keeps what was seen, `comparing` names what
differs. Nothing here imports the harness: its packages may move, its answers may not.
"""
