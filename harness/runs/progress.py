"""The progress bar of long work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar with an estimate of the time left, on stderr; silent where stderr is not a terminal."""
    # disable=None: tqdm's own test for a terminal. delay: nothing flashes up for work of a moment.
    with tqdm(total=total, desc=label, disable=None, delay=1.0, leave=False, dynamic_ncols=True) as bar:

        def advance(n: int = 1) -> None:
            bar.update(n)

        yield advance
