"""The hunt itself: graph, communities, a test of each, the kept ones again, until nothing changes; then all the rest.

Source: Li et al., FSE 2024 (arXiv 2404.09894), section "Methodology"; what it leaves open is in `settings.py`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.detectors.glitchhunter.hypothesis import SamplePlan, plan_sample
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings
from harness.glitch.detectors.oracle import BudgetSpent, QueryOracle
from harness.glitch.graph.communities import Communities, find_communities
from harness.glitch.graph.neighbours import Neighbours, nearest_neighbours
from harness.glitch.graph.space import principal_components
from harness.glitch.graph.weights import fuzzy_graph
from harness.measure.row_checks import check_rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClusterTest:
    """The result of testing the sample of one community."""

    size: int
    plan: SamplePlan
    known: int
    """Tokens of the sample whose verdict was known before."""
    queried: int
    """Tokens of the sample that were queried for this test."""
    hits: int
    """Glitch tokens among both."""
    is_kept: bool


@dataclass(frozen=True)
class Iteration:
    """One graph: its tokens, its communities, and which of them are kept."""

    number: int
    """From 1."""
    ids: Int[np.ndarray, " token"]
    member_of: Int[np.ndarray, " token"]
    """Community of every token."""
    kept: Int[np.ndarray, " kept"]
    """Ids of the tokens in kept communities."""
    tests: tuple[ClusterTest, ...]
    """One per community; fewer where the budget was spent."""
    k: int
    """Neighbours, after clamping."""
    resolution: float
    """Of the communities, after scaling."""
    n_edges: int
    quality: float
    modularity: float
    n_queries: int
    """Queries of this iteration."""
    n_hits: int
    """Glitch tokens first found in this iteration."""

    @property
    def n_communities(self) -> int:
        """How many communities the graph has."""
        return int(self.member_of.max()) + 1

    @property
    def n_kept(self) -> int:
        """How many of them are kept."""
        return sum(test.is_kept for test in self.tests)


@dataclass(frozen=True)
class Hunt:
    """A hunt that has ended."""

    iterations: tuple[Iteration, ...]
    found: tuple[int, ...]
    """Glitch tokens, in the order they were found."""
    n_rest: int
    """Tokens left at the end that had not been queried before."""
    rest_hits: int
    """Glitch tokens among those."""
    is_complete: bool
    """False where the budget was spent first."""


@dataclass(frozen=True)
class HuntGraph:
    """The graph of one iteration, for whoever draws it."""

    reduced: Float[np.ndarray, "token component"]
    neighbours: Neighbours
    communities: Communities
    n_edges: int


def hunt(
    embedding: Float[np.ndarray, "token d_model"],
    ids: Sequence[int],
    oracle: QueryOracle,
    settings: GlitchHunterSettings,
    seed: int,
    on_iteration: Callable[[Iteration], None] = lambda _: None,
    first_graph: HuntGraph | None = None,
) -> Hunt:
    """Hunt among `ids`, whose rows of the input embedding are `embedding`. `seed` varies Leiden and every sample.

    `on_iteration` is given every iteration as it ends; `first_graph` saves building the first graph again. Raises
    `ValueError` where k leaves no other token at the start (later it is clamped), `RunFailed` for rows that are not
    finite or all the same. An oracle whose budget is spent ends the hunt early; that is no error.
    """
    if len(ids) <= settings.k:
        raise ValueError(f"k={settings.k} neighbours among {len(ids)} tokens; k must lie between 1 and {len(ids) - 1}")
    all_ids = np.asarray(ids, dtype=np.int64)
    left = np.arange(len(all_ids))
    iterations: list[Iteration] = []
    n_before_rest: int | None = None
    try:
        for number in range(1, settings.max_iterations + 1):
            given = first_graph if number == 1 else None
            graph = given or build_graph(embedding[left], settings, seed, is_first=number == 1)
            iteration = _test_communities(number, all_ids[left], graph, oracle, settings, seed)
            iterations.append(iteration)
            on_iteration(iteration)
            stays = np.isin(all_ids[left], iteration.kept)
            left = left[stays]
            if stays.all() or not stays.any():
                break
        n_before_rest = len(oracle.answers)
        oracle.query(all_ids[left].tolist())
    except BudgetSpent as spent:
        log.info("the hunt ends early: %s", spent)
        is_complete = False
    else:
        is_complete = True
    verdicts = list(oracle.answers.items())
    rest = [] if n_before_rest is None else verdicts[n_before_rest:]
    found = tuple(token for token, fails in verdicts if fails)
    return Hunt(tuple(iterations), found, len(rest), sum(fails for _, fails in rest), is_complete)


def build_graph(
    rows: Float[np.ndarray, "token d_model"], settings: GlitchHunterSettings, seed: int, is_first: bool = True
) -> HuntGraph:
    """Graph and communities of some tokens. A later graph clamps k, and takes tokens that nothing tells apart as one
    community; a first one refuses both."""
    if is_first:
        check_rows(rows, "input embedding")
    n = len(rows)
    k = settings.k if is_first else min(settings.k, n - 1)
    if not is_first and (n < 3 or not (rows != rows[0]).any()):
        ids = np.tile(np.arange(n), (n, 1))[:, :0]
        no_neighbours = Neighbours(ids, np.empty((n, 0), dtype=np.float32), settings.metric)
        return HuntGraph(rows, no_neighbours, Communities(np.zeros(n, dtype=np.int64), 0.0, 0.0), 0)
    reduced = principal_components(rows, settings.n_components) if settings.n_components else rows
    neighbours = nearest_neighbours(reduced, k, settings.metric)
    graph = fuzzy_graph(neighbours)
    found = find_communities(graph, settings.resolution_of(n), seed, settings.library, settings.leiden_iterations)
    return HuntGraph(reduced, neighbours, found, graph.n_edges)


@dataclass
class _OpenTest:
    """A test in progress: the verdicts of its sample so far, and the tokens still to be queried."""

    plan: SamplePlan
    size: int
    open_ids: list[int]
    known: int
    queried: int = 0
    hits: int = 0

    @property
    def n_to_query(self) -> int:
        """How many more tokens must be queried whatever their verdicts; 0 once the test is decided."""
        if not self.plan.stops_early:
            return 0 if self.hits else len(self.open_ids)
        missing = self.plan.hits_needed - self.hits
        spare = len(self.open_ids) - missing
        return 0 if missing <= 0 or spare < 0 else min(missing, spare + 1)

    def closed(self) -> ClusterTest:
        """The test as it ended."""
        kept = self.hits >= self.plan.hits_needed
        return ClusterTest(self.size, self.plan, self.known, self.queried, self.hits, kept)


def _test_communities(
    number: int,
    ids: Int[np.ndarray, " token"],
    graph: HuntGraph,
    oracle: QueryOracle,
    settings: GlitchHunterSettings,
    seed: int,
) -> Iteration:
    """Test every community; their queries are put together round by round, so that a model answers in large batches."""
    members = graph.communities.members()
    rng = np.random.default_rng([seed, number])
    n_queries = oracle.n_queries
    n_hits = sum(oracle.answers.values())
    tests = [_open_test(ids[nodes], oracle, settings, rng) for nodes in members]
    while waiting := [(test, test.n_to_query) for test in tests if test.n_to_query]:
        batch = [test.open_ids[:n] for test, n in waiting]
        verdicts = iter(oracle.query([token for some in batch for token in some]))
        for (test, n), some in zip(waiting, batch, strict=True):
            test.hits += sum(next(verdicts) for _ in some)
            test.queried += n
            del test.open_ids[:n]
    closed = tuple(test.closed() for test in tests)
    kept = [nodes for nodes, test in zip(members, closed, strict=True) if test.is_kept]
    return Iteration(
        number,
        ids,
        graph.communities.member_of,
        np.sort(ids[np.concatenate(kept)]) if kept else np.empty(0, dtype=np.int64),
        closed,
        graph.neighbours.k,
        settings.resolution_of(len(ids)),
        graph.n_edges,
        graph.communities.quality,
        graph.communities.modularity,
        oracle.n_queries - n_queries,
        sum(oracle.answers.values()) - n_hits,
    )


def _open_test(
    members: Int[np.ndarray, " member"], oracle: QueryOracle, settings: GlitchHunterSettings, rng: np.random.Generator
) -> _OpenTest:
    plan = plan_sample(len(members), settings)
    # Drawn from all members, known or not: known ones are free, but were not drawn at random themselves.
    sample = [int(i) for i in rng.permutation(members)[: plan.n]]
    known = [oracle.answers[i] for i in sample if i in oracle.answers]
    unknown = [i for i in sample if i not in oracle.answers]
    return _OpenTest(plan, len(members), unknown, len(known), hits=sum(known))
