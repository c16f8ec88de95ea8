"""What weights and tokenizer say about every token, as numbers a classifier can learn from. No pass is needed."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri
from scipy.stats import rankdata

from harness.glitch.detectors.magikarp import all_indicators
from harness.glitch.detectors.view import ModelView
from harness.glitch.graph.neighbours import nearest_neighbours
from harness.glitch.graph.space import principal_components

_TINY = 1e-12
# Where no unused id is known, the densest rows count as untrained, since untrained rows lie close together.
_DENSEST_SHARE = 0.01
_LARGEST_Z = 4.0
# Rows wider than this are reduced to so many principal components.
_WIDEST = 128
# Shrinks the share of neighbours that fail to the overall share: the weight, in neighbours, of that prior.
_PRIOR_NEIGHBOURS = 1.0


@dataclass(frozen=True, eq=False)
class Features:
    """One row of numbers for each token of the view; columns have mean 0 and, within a group, comparable spread."""

    names: tuple[str, ...]
    values: Float[np.ndarray, "token feature"]
    groups: Mapping[str, Int[np.ndarray, " _"]]
    """Columns of one kind: geometry, components, text, and the directions of the rows of each matrix."""
    neighbours: Int[np.ndarray, "token k"]
    """Places in the view of each token's nearest rows by direction."""
    suspicion: Float[np.ndarray, " token"]
    """Mean rank over the weight indicators, 0 to 1, high for under-trained tokens: a first order to look in."""


@lru_cache(maxsize=2)
def build_features(view: ModelView, n_components: int, n_neighbours: int) -> Features:
    """All features of a view."""
    columns: dict[str, np.ndarray] = {
        f"indicator {n}": values[view.ids] for n, values in enumerate(all_indicators(view).values())
    }
    matrices = {"unembedding": view.unembedding} if view.is_tied else {
        "unembedding": view.unembedding, "embedding": view.embedding
    }  # fmt: skip
    k = max(1, min(n_neighbours, view.n - 1))
    nearest = np.empty((view.n, 0), dtype=np.int64)
    directions: dict[str, np.ndarray] = {}
    for name, matrix in matrices.items():
        rows = matrix[view.ids].astype(np.float32)
        found, near = _geometry(rows, n_components, k)
        nearest = near if nearest.shape[1] == 0 else nearest
        columns |= {f"{name} {key}": values for key, values in found.items()}
        directions |= {f"{name} direction {n}": values for n, values in enumerate(_directions(rows).T)}
    if not view.is_tied:
        columns["self logit"] = np.einsum(
            "nd,nd->n", view.embedding[view.ids], view.unembedding[view.ids], dtype=np.float64
        )
    text = _text_features(view)
    values = np.column_stack(
        [*(_rank_normalised(column) for column in (columns | text).values()), *directions.values()]
    )
    names = (*columns, *text, *directions)
    kinds = np.array([_kind(name, name in text) for name in names])
    groups = {str(kind): np.flatnonzero(kinds == kind) for kind in dict.fromkeys(kinds)}
    return Features(names, values, groups, nearest, suspicion(view))


def suspicion(view: ModelView) -> Float[np.ndarray, " token"]:
    """Mean rank over the weight indicators, 0 to 1, high for under-trained tokens."""
    found: np.ndarray = np.mean([1 - _ranks(values[view.ids]) for values in all_indicators(view).values()], axis=0)
    return found


def indicator_columns(view: ModelView) -> Float[np.ndarray, "token indicator"]:
    """Every weight indicator of every token of the view, rank-normalised."""
    return np.column_stack([_rank_normalised(values[view.ids]) for values in all_indicators(view).values()])


@lru_cache(maxsize=2)
def text_columns(view: ModelView) -> Float[np.ndarray, "token feature"]:
    """What the tokenizer says of every token of the view, rank-normalised."""
    return np.column_stack([_rank_normalised(column) for column in _text_features(view).values()])


@lru_cache(maxsize=2)
def nearest_places(view: ModelView, k: int) -> Int[np.ndarray, "token k"]:
    """Places in the view of each token's nearest rows of the unembedding by direction."""
    rows = view.unembedding[view.ids].astype(np.float32)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    return nearest_neighbours(unit, max(1, min(k, view.n - 1))).ids


def neighbour_shares(
    neighbours: Int[np.ndarray, "token k"], queried: Int[np.ndarray, " queried"], fails: Bool[np.ndarray, " queried"]
) -> Float[np.ndarray, " token"]:
    """Share of each token's queried neighbours that fail, shrunk to the overall share; without the token itself."""
    n = len(neighbours)
    known, failed = np.zeros(n), np.zeros(n)
    known[queried], failed[queried] = 1.0, fails
    counts, hits = known[neighbours].sum(axis=1), failed[neighbours].sum(axis=1)
    shares: np.ndarray = (hits + float(fails.mean()) * _PRIOR_NEIGHBOURS) / (counts + _PRIOR_NEIGHBOURS)
    return shares


def _kind(name: str, is_text: bool) -> str:
    if is_text:
        return "text"
    words = name.split()
    return {"component": "components", "direction": f"{words[0]} rows"}.get(words[-2], "geometry")


def _geometry(
    rows: Float[np.ndarray, "n d"], n_components: int, k: int
) -> tuple[dict[str, Float[np.ndarray, " n"]], Int[np.ndarray, "n k"]]:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    unit = (rows / np.maximum(lengths, _TINY)[:, None]).astype(np.float32)
    found: dict[str, np.ndarray] = {"log norm": np.log(lengths + _TINY)}
    middle = rows.mean(axis=0)
    found["distance to the middle"] = np.linalg.norm(rows - middle, axis=1)
    found["cosine to the middle"] = unit @ (middle / max(float(np.linalg.norm(middle)), _TINY))
    near = nearest_neighbours(unit, k)
    found["distance to the nearest"] = near.distances[:, 0]
    found["mean distance to neighbours"] = near.distances.mean(axis=1)
    dense = np.argsort(near.distances.mean(axis=1), kind="stable")[: max(1, int(_DENSEST_SHARE * len(rows)))]
    centre = unit[dense].mean(axis=0)
    found["cosine to the densest"] = unit @ (centre / max(float(np.linalg.norm(centre)), _TINY))
    # Hubness: how many other rows count this one among their nearest.
    found["popularity"] = np.bincount(near.ids.ravel(), minlength=len(rows)).astype(np.float64)
    parts = principal_components(rows, n_components)
    for number in range(parts.shape[1]):
        found[f"component {number}"] = parts[:, number]
    return found, near.ids


def _directions(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n part"]:
    """Rows seen from their middle, each of the same length; the mean square over the columns is about 1."""
    away = (rows - rows.mean(axis=0)).astype(np.float64)
    unit = away / np.maximum(np.linalg.norm(away, axis=1), _TINY)[:, None]
    if unit.shape[1] > _WIDEST:
        unit = principal_components(unit.astype(np.float32), _WIDEST).astype(np.float64)
    found: np.ndarray = unit * np.sqrt(unit.shape[1])
    return found


def _text_features(view: ModelView) -> dict[str, Float[np.ndarray, " n"]]:
    texts = [view.texts[i] for i in view.ids.tolist()]
    rank = {token: place for place, token in enumerate(view.merges)}
    n_merges = max(1, len(rank))
    forwards = sorted(text for text in view.texts if text)
    backwards = sorted(text[::-1] for text in view.texts if text)
    columns = {
        "merge rank": [rank.get(i, -1) / n_merges for i in view.ids.tolist()],
        "is a byte": [float(i in view.byte_ids) for i in view.ids.tolist()],
        "bytes": [np.log1p(len(text.encode(errors="surrogatepass"))) for text in texts],
        "begins a word": [float(text[:1] == " ") for text in texts],
        "letters": [sum(c.isalpha() for c in text) / max(1, len(text)) for text in texts],
        "upper case": [sum(c.isupper() for c in text) / max(1, len(text)) for text in texts],
        "not ascii": [float(not text.isascii()) for text in texts],
        "tokens it begins": [np.log1p(_n_with_prefix(forwards, text)) for text in texts],
        "tokens it ends": [np.log1p(_n_with_prefix(backwards, text[::-1])) for text in texts],
    }
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


def _n_with_prefix(ordered: Sequence[str], prefix: str) -> int:
    """How many strings of a sorted list begin with `prefix`; 0 for the empty one."""
    if not prefix:
        return 0
    # U+10FFFF sorts after every character that can follow.
    return bisect_left(ordered, prefix + "\U0010ffff") - bisect_left(ordered, prefix)


def _rank_normalised(column: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Rank-based normal scores, so that no indicator's tail outweighs the others. A constant column becomes zeros."""

    if not (column != column[0]).any():
        return np.zeros(len(column))
    return np.clip(ndtri(np.clip(_ranks(column), 1e-4, 1 - 1e-4)), -_LARGEST_Z, _LARGEST_Z)


def _ranks(column: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks between 0 and 1, ties sharing theirs."""

    return (rankdata(column) - 0.5) / len(column)
