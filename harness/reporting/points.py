"""Tokens as points of a plane, to be hovered over."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Axis:
    """What an axis shows."""

    label: str
    """Empty for one without a meaning of its own (a map of embeddings)."""
    is_log: bool = False
    """Values of 0 stand at the left or lower edge then."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """A token a point; groups are told apart by colour, the first of them lies lowest."""

    title: str
    caption: str
    x_axis: Axis
    y_axis: Axis
    groups: Sequence[str]
    ids: Int[np.ndarray, " point"]
    tokens: Sequence[str]
    """As shown; empty where the run stored no text for it."""
    x: Float[np.ndarray, " point"]
    y: Float[np.ndarray, " point"]
    """Points that are not finite are left out."""
    group: Int[np.ndarray, " point"]
    """Which of the groups; -1 to leave it out."""
