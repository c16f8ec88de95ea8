"""Arithmetic without denormal numbers, for as long as a training lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Take numbers too small for a full mantissa for zero; also a decorator. Off again afterwards.

    Adam's averages of rows that are no longer learnt decay into such numbers, with which a processor computes slowly.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
