"""Drawn graphs are stars of the task asked for, all different, none of them held out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Rejected
from harness.path_star._files import overlap
from harness.path_star.graphs import StarGraphs, StarTask, draw_graphs, parse_graph, shuffle_edges

pytestmark = pytest.mark.unit


@st.composite
def tasks(draw):
    degree, path_length = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    return StarTask(degree, path_length, degree * (path_length - 1) + 1 + draw(st.integers(0, 30)))


def graphs_of(task: StarTask, arms: list[list[list[int]]]) -> StarGraphs:
    array = np.array(arms, dtype=np.int32)
    return StarGraphs(task, array, shuffle_edges(array, np.random.default_rng(0)))


class TestTask:
    def test_sizes_by_hand(self):
        task = StarTask(2, 5, 50)
        assert (task.n_edges, task.n_nodes, task.chance, task.label) == (8, 9, 0.5, "G(2,5)")

    @pytest.mark.parametrize(
        ("degree", "path_length", "n_values", "n_distinct"),
        [
            (2, 2, 3, 6),  # 3 starts, 2 goals, the other leaf is what is left
            (3, 2, 4, 12),  # 4 * 3 * (2 * 1) / 2!
            (2, 3, 5, 120),  # 5!
            (4, 2, 6, 120),  # 6 * 5 * (4 * 3 * 2) / 3!
            (2, 2, 50, 117_600),
        ],
    )
    def test_number_of_different_graphs(self, degree, path_length, n_values, n_distinct):
        assert StarTask(degree, path_length, n_values).n_distinct == n_distinct

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ((1, 5, 50), "degree: got 1, allowed: 2 or more"),
            ((2, 1, 50), "path_length: got 1, allowed: 2 or more"),
            ((0, 5, 50), "degree: got 0, allowed: 2 or more"),
            ((2, -3, 50), "path_length: got -3, allowed: 2 or more"),
            ((2, 5, 8), r"n_values: got 8, allowed: 9 or more, the nodes of one graph G\(2,5\)"),
        ],
    )
    def test_an_impossible_task_is_refused(self, sizes, message):
        with pytest.raises(Rejected, match=f"^{message}$"):
            StarTask(*sizes)

    def test_spelling(self):
        assert parse_graph("2x5") == (2, 5)
        assert parse_graph(" 20x12 ") == (20, 12)

    @pytest.mark.parametrize(
        "text", ["", "2", "x", "2x", "2,5", "1x5", "2x1", "-2x5", "2x5x3", "2X5", "٢x٥", "9" * 5000 + "x2"]
    )
    def test_another_spelling_is_refused(self, text):
        with pytest.raises(Rejected, match="allowed: DxL"):
            parse_graph(text)


class TestDrawing:
    @settings(max_examples=60, deadline=None)
    @given(task=tasks(), n=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
    def test_every_graph_is_a_star_of_the_task(self, task, n, seed):
        n = min(n, task.n_distinct)
        graphs = draw_graphs(task, n, seed)
        assert len(graphs) == n
        assert graphs.arms.shape == (n, task.degree, task.path_length)
        assert graphs.edges.shape == (n, task.n_edges, 2)
        for arms, edges, start, goal, path in zip(
            graphs.arms.tolist(), graphs.edges.tolist(), graphs.start, graphs.goal, graphs.path.tolist(), strict=True
        ):
            nodes = [start, *(node for arm in arms for node in arm[1:])]
            assert len(set(nodes)) == len(nodes) == task.n_nodes
            assert min(nodes) >= 0
            assert max(nodes) < task.n_values
            # The arms again, from the edges alone.
            parent_of = {child: parent for parent, child in edges}
            leaves = parent_of.keys() - set(parent_of.values())
            rebuilt = []
            for leaf in leaves:
                arm = [leaf]
                while arm[-1] != start:
                    arm.append(parent_of[arm[-1]])
                rebuilt.append(arm[::-1])
            assert sorted(rebuilt) == sorted(arms)
            assert path == arms[0]
            assert (path[0], path[-1]) == (start, goal)

    @settings(max_examples=40, deadline=None)
    @given(task=tasks(), seed=st.integers(0, 1000), n_held_out=st.integers(0, 30), n=st.integers(0, 60))
    def test_none_twice_and_none_held_out(self, task, seed, n_held_out, n):
        held_out = draw_graphs(task, min(n_held_out, task.n_distinct), seed)
        train = draw_graphs(task, min(n, task.n_distinct - len(held_out)), seed, exclude=held_out)
        assert len(np.unique(train.keys())) == len(train)
        assert not set(_by_hand(train)) & set(_by_hand(held_out))
        assert overlap(train, held_out) == 0

    @settings(max_examples=20, deadline=None)
    @given(task=tasks(), seed=st.integers(0, 1000))
    def test_a_seed_is_a_draw(self, task, seed):
        n = min(20, task.n_distinct)
        one, same = draw_graphs(task, n, seed), draw_graphs(task, n, seed)
        assert (one.arms == same.arms).all()
        assert (one.edges == same.edges).all()

    def test_another_seed_is_another_draw(self):
        task = StarTask(2, 5, 50)
        assert overlap(draw_graphs(task, 1000, 0), draw_graphs(task, 1000, 1)) == 0

    def test_all_graphs_there_are(self):
        task = StarTask(3, 2, 4)
        graphs = draw_graphs(task, 12, 0)
        wanted = {(s, g, frozenset({0, 1, 2, 3} - {s, g})) for s in range(4) for g in range(4) if s != g}
        assert {(a[0][0], a[0][1], frozenset(arm[1] for arm in a[1:])) for a in graphs.arms.tolist()} == wanted

    def test_the_last_ones_left_are_found_at_once(self):
        task = StarTask(2, 2, 50)
        held_out = draw_graphs(task, task.n_distinct - 5, 0)
        rest = draw_graphs(task, 5, 1, exclude=held_out)
        assert overlap(rest, held_out) == 0
        assert len(np.unique(rest.keys())) == 5

    def test_more_than_there_are_is_refused_at_once(self):
        task = StarTask(2, 2, 3)
        with pytest.raises(
            Rejected, match=r"7 different graphs are asked for, but G\(2,2\) with 3 node numbers has only 6"
        ):
            draw_graphs(task, 7, 0)
        with pytest.raises(Rejected, match=r"3 different graphs are asked for besides the 4 held out, .* has only 2;"):
            draw_graphs(task, 3, 0, exclude=draw_graphs(task, 4, 0))

    def test_a_graph_held_out_twice_counts_once(self):
        task = StarTask(2, 2, 3)
        held_out = draw_graphs(task, 2, 0)
        twice = held_out[np.array([0, 1, 1, 0])]
        assert overlap(draw_graphs(task, 4, 0, exclude=twice), held_out) == 0

    def test_uniform_over_nodes_arms_and_places_in_the_list(self):
        task, n = StarTask(2, 3, 10), 20_000
        graphs = draw_graphs(task, n, 3)
        for nodes in (graphs.start, graphs.goal, graphs.path[:, 1], graphs.arms[:, 1, 1]):
            shares = np.bincount(nodes, minlength=10) / n
            assert np.abs(shares - 0.1).max() < 6 * np.sqrt(0.1 * 0.9 / n)
        # Where in the list the path's first edge stands: a quarter each, or it could be told from its place.
        at = (graphs.edges == graphs.path[:, None, :2]).all(axis=2).argmax(axis=1)
        assert np.abs(np.bincount(at, minlength=4) / n - 0.25).max() < 6 * np.sqrt(0.25 * 0.75 / n)


class TestKeys:
    TASK = StarTask(3, 3, 10)
    ARMS = ([5, 1, 2], [5, 9, 3], [5, 4, 8])

    def test_the_order_of_edges_and_wrong_arms_is_no_difference(self):
        right, one, two = self.ARMS
        graphs = graphs_of(self.TASK, [[right, one, two], [right, two, one]])
        assert graphs.edges[0].tolist() != graphs.edges[1].tolist()
        assert graphs.keys()[0] == graphs.keys()[1]

    def test_another_goal_or_arm_is(self):
        right, one, two = self.ARMS
        other = [5, 8, 4]
        graphs = graphs_of(
            self.TASK, [[right, one, two], [one, right, two], [right, one, other], [right, [5, 4, 3], [5, 9, 8]]]
        )
        assert len(np.unique(graphs.keys())) == 4

    def test_no_graphs_no_keys(self):
        assert len(draw_graphs(self.TASK, 0, 0).keys()) == 0


def _by_hand(graphs: StarGraphs) -> Counter:
    return Counter((tuple(arms[0]), frozenset(map(tuple, arms[1:]))) for arms in graphs.arms.tolist())
