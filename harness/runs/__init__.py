"""One run's life, from a config to a finished folder.

`config` composes the request, `registry` finds the experiment, `preparing` names the run, `lifecycle` computes it in
its `folder`; an experiment sees `context` alone. `results` reads finished runs.
"""
