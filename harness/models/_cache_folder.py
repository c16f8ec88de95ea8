"""Where files are kept that can be made again, for all runs of one person."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$HARNESS_CACHE`, else `glitch-harness` in `$XDG_CACHE_HOME` or `~/.cache`; it need not be there yet."""
    own = os.environ.get("HARNESS_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").expanduser().absolute() / "glitch-harness"
