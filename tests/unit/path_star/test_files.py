"""The authors' file format, byte for byte; the first bad line is named and nothing is half-read."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import Rejected
from harness.path_star._files import graph_lines, overlap, read_graphs, without
from harness.path_star.graphs import StarTask, draw_graphs

pytestmark = pytest.mark.unit

LINE = "32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12"
OTHER = "17,12|22,28|49,17|9,24|49,9|13,7|12,22|24,13/49,7=49,9,24,13,7"
SMALL = "1,2|2,3|1,4|4,5/1,3=1,2,3"  # G(2,3)


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


class TestReading:
    def test_the_example_by_hand(self, tmp_path):
        graphs = read_graphs(write(tmp_path / "one.txt", f"{LINE}\n{OTHER}\n"))
        assert graphs.task == StarTask(2, 5, 50)  # 49 is the largest number
        assert graphs.arms[0].tolist() == [[32, 34, 6, 16, 12], [32, 3, 19, 47, 28]]
        assert graphs.arms[1].tolist() == [[49, 9, 24, 13, 7], [49, 17, 12, 22, 28]]
        assert graphs.edges[0].tolist() == [[32, 3], [16, 12], [3, 19], [32, 34], [34, 6], [6, 16], [19, 47], [47, 28]]
        assert graphs.goal.tolist() == [12, 7]

    def test_wrong_arms_in_the_order_of_the_edges(self, tmp_path):
        # Arms over 2, 4, 6 and 8; their first edges are listed 4, 6, 2, 8, but 8's leaf 9 is mentioned before all.
        line = "8,9|1,4|2,3|1,6|6,7|1,2|4,5|1,8/1,3=1,2,3"
        graphs = read_graphs(write(tmp_path / "one.txt", line))
        assert graphs.arms[0].tolist() == [[1, 2, 3], [1, 8, 9], [1, 4, 5], [1, 6, 7]]

    @pytest.mark.parametrize(
        "data", [SMALL, f"{SMALL}\n", f"{SMALL}\r\n", f"{SMALL}\r\n{SMALL}", f"{SMALL}\n{SMALL}\r\n"]
    )
    def test_line_ends(self, tmp_path, data):
        graphs = read_graphs(write(tmp_path / "one.txt", data))
        assert len(graphs) == data.count("=")
        assert graphs.arms[-1].tolist() == [[1, 2, 3], [1, 4, 5]]

    def test_the_task_is_the_one_asked_for(self, tmp_path):
        path = write(tmp_path / "one.txt", SMALL)
        assert read_graphs(path, StarTask(2, 3, 70)).task == StarTask(2, 3, 70)
        assert read_graphs(path, n_values=60).task == StarTask(2, 3, 60)
        with pytest.raises(ValueError, match="n_values"):
            read_graphs(path, StarTask(2, 3, 70), 70)
        with pytest.raises(Rejected, match=r"line 1: got 4 edges, allowed: 8, as G\(2,5\) has$"):
            read_graphs(path, StarTask(2, 5, 50))
        with pytest.raises(Rejected, match=r"line 1: got node number 5, allowed: 0 to 4$"):
            read_graphs(path, StarTask(2, 3, 5))

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("", "got an empty line"),
            (" ", "got 0 of '/' in '␣'"),
            ("hello", "got 0 of '/'"),
            ("1,2|2,3|1,4|4,5", "got 0 of '/'"),
            ("1,2|2,3|1,4|4,5/1,3", "got 0 of '='"),
            ("1,2|2,3/1,4|4,5/1,3=1,2,3", "got 2 of '/'"),
            ("1,2|2,3|1,4|4,5/1,3=1,2=3", "got 2 of '='"),
            ("1,2|2,3|1,4=4,5/1,3", "got '=' before '/'"),
            ("1,2|2,3|1,4|4,5|/1,3=1,2,3", r"edge 5: got '\(empty\)'"),
            ("|1,2|2,3|1,4|4,5/1,3=1,2,3", r"edge 1: got '\(empty\)'"),
            ("1,2|2,3|14|4,5/1,3=1,2,3", "edge 3: got '14', 1 number, allowed: two"),
            ("1,2|2,3|1,4,6|4,5/1,3=1,2,3", "edge 3: got '1,4,6', 3 numbers, allowed: two"),
            ("1,2|2,x|1,4|4,5/1,3=1,2,3", "edge 2: got 'x' in '2,x', allowed: a node number"),
            ("1,2|2, 3|1,4|4,5/1,3=1,2,3", "edge 2: got '␣3'"),
            ("1,2|2,-3|1,4|4,5/1,3=1,2,3", "edge 2: got '-3'"),
            ("1,2|2,03|1,4|4,5/1,3=1,2,3", "edge 2: got '03'"),
            ("1,2|2,٣|1,4|4,5/1,3=1,2,3", "edge 2: got '٣'"),
            ("1,2|2,1000000|1,4|4,5/1,3=1,2,3", "edge 2: got '1000000' .* 0 to 999999"),
            ("1,2|2,3|1,4|4,5/1=1,2,3", "the question: got '1', 1 number, allowed: two"),
            ("1,2|2,3|1,4|4,5/1,3,5=1,2,3", "the question: got '1,3,5', 3 numbers"),
            ("1,2|2,3|1,4|4,5/1,3=", r"the path: got '\(empty\)'"),
            ("1,2|2,3|1,4|4,5/1,3=1", "the path: got '1', one node, allowed: 2 or more"),
            ("1,2|2,3|1,4|4,5/1,3=1,2,3,", r"the path: got '\(empty\)'"),
            ("1,2|2,3|1,4|4,5/1,3=1,2,3 ", "the path: got '3␣'"),
            ("\ufeff1,2|2,3|1,4|4,5/1,3=1,2,3", r"edge 1: got '\\\\ufeff1'"),
            ("1,2|2,3|1,4|4,5|5,6/1,3=1,2,3", r"got 5 edges, allowed: 4, as G\(2,3\) has"),
            ("1,2|2,3|1,4/1,3=1,2,3", "got 3 edges, allowed: 4"),
            ("1,2|2,3|1,4|4,5/1,3=1,2", r"got a path of 2 nodes, allowed: 3, as G\(2,3\) has"),
            ("1,2|2,3|1,4|4,5/1,3=1,2,3,4", "got a path of 4 nodes, allowed: 3"),
            ("1,2|2,3|1,4|4,3/1,3=1,2,3", "got node 3 with two parents, 2 and 4, allowed: one"),
            ("1,2|2,3|1,4|2,3/1,3=1,2,3", "got edge 2,3 twice, allowed: once"),
            ("1,2|2,3|1,4|4,1/1,3=1,2,3", "got edge 4,1 into the start node, allowed: edges away from 1 only"),
            ("1,2|2,3|2,4|1,5/1,3=1,2,3", "got node 2 with two children, 3 and 4"),
            ("1,2|2,3|1,4|1,5/1,3=1,2,3", "got 3 edges from start node 1, allowed: 2"),
            ("1,2|2,3|7,4|4,5/1,3=1,2,3", "got 1 edge from start node 1, allowed: 2"),
            ("1,2|2,3|1,4|4,5/9,3=1,2,3", "got 0 edges from start node 9"),
            ("1,2|2,3|3,4|1,5/1,4=1,2,4", "got an arm of more than 3 nodes, from 1 over 2, allowed: 3"),
            ("1,2|2,3|1,4|6,5/1,3=1,2,3", "got an arm of 2 nodes, from 1 over 4, allowed: 3"),
            ("1,2|2,3|1,4|6,6/1,3=1,2,3", "got an arm of 2 nodes, from 1 over 4, allowed: 3"),
            ("1,2|2,3|1,4|4,5/1,2=1,2,3", r"got goal 2, allowed: a last node of an arm \(3, 5\)"),
            ("1,2|2,3|1,4|4,5/1,1=1,2,3", "got goal 1, allowed: a last node"),
            ("1,2|2,3|1,4|4,5/1,3=1,4,5", "got the path 1,4,5, allowed: 1,2,3, the arm from 1 to 3"),
            ("1,2|2,3|1,4|4,5/1,3=1,4,3", "got the path 1,4,3, allowed: 1,2,3"),
            ("1,2|2,3|1,4|4,5/1,3=3,2,1", "got the path 3,2,1, allowed: 1,2,3"),
            ("1,2|2,3|1,4|4,5/1,3=1,2,2", "got the path 1,2,2, allowed: 1,2,3"),
        ],
    )
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_a_bad_line_is_named(self, tmp_path, line, problem, line_end):
        path = write(tmp_path / "bad.txt", f"{SMALL}{line_end}{SMALL}{line_end}{line}{line_end}{SMALL}{line_end}")
        with pytest.raises(Rejected, match=f"^{re.escape(str(path))}, line 3: {problem}") as caught:
            read_graphs(path)
        assert "\n" not in str(caught.value)
        assert "allowed: " in str(caught.value)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            (
                "1,2|2,3|1,4/1,3=1,2,3",
                "got 3 edges and a path of 3 nodes, allowed: d arms of 2 edges each, d 2 or more",
            ),
            ("1,2|2,3/1,3=1,2,3", "got 2 edges and a path of 3 nodes"),
            ("1,2/1,2=1,2", "got 1 edge and a path of 2 nodes, allowed: d arms of 1 edge each"),
        ],
    )
    def test_a_first_line_of_no_task(self, tmp_path, line, problem):
        with pytest.raises(Rejected, match=f"line 1: {problem}"):
            read_graphs(write(tmp_path / "bad.txt", line))

    def test_a_second_carriage_return_is_no_line_end(self, tmp_path):
        with pytest.raises(Rejected, match=r"line 1: the path: got '3\\\\u000d' in "):
            read_graphs(write(tmp_path / "bad.txt", f"{SMALL}\r\r\n"))

    def test_the_first_bad_line_of_several(self, tmp_path):
        with pytest.raises(Rejected, match="line 2: got 2 of '/'"):
            read_graphs(write(tmp_path / "bad.txt", f"{SMALL}\n/{SMALL}\nnonsense\n"))

    def test_every_torn_line_is_seen(self, tmp_path):
        for length in range(1, len(LINE)):
            with pytest.raises(Rejected, match="line 2: "):
                read_graphs(write(tmp_path / "torn.txt", f"{OTHER}\n{LINE[:length]}"))

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(SMALL) - 1), st.text(alphabet="0123456789,|/= x\r", max_size=2))
    def test_what_is_accepted_is_written_back_as_it_was(self, tmp_path, at, put):
        line = SMALL[:at] + put + SMALL[at + 1 :]
        try:
            graphs = read_graphs(write(tmp_path / "changed.txt", line + "\n"))
        except Rejected as error:
            assert "line 1: " in str(error)
        else:
            # A line end of Windows is taken for one.
            assert list(graph_lines(graphs)) == [line.removesuffix("\r")]

    def test_files_that_are_none(self, tmp_path):
        with pytest.raises(Rejected, match=r"missing\.txt: it cannot be read \(No such file"):
            read_graphs(tmp_path / "missing.txt")
        with pytest.raises(Rejected, match=r"it cannot be read \(Is a directory"):
            read_graphs(tmp_path)
        with pytest.raises(Rejected, match=r"empty\.txt: it is empty, allowed: one graph per line"):
            read_graphs(write(tmp_path / "empty.txt", b""))
        with pytest.raises(Rejected, match="line 1: got an empty line"):
            read_graphs(write(tmp_path / "blank.txt", b"\n"))
        with pytest.raises(Rejected, match="line 2: got bytes that are no UTF-8"):
            read_graphs(write(tmp_path / "latin.txt", f"{SMALL}\n1,2é".encode("latin-1")))
        with pytest.raises(Rejected, match="line 1: got a line of 1048576 bytes or more"):
            read_graphs(write(tmp_path / "long.txt", b"1" * 3_000_000))


class TestWriting:
    def test_the_line_by_hand(self, tmp_path):
        graphs = read_graphs(write(tmp_path / "a.txt", f"{LINE}\r\n{OTHER}"))
        assert list(graph_lines(graphs)) == [LINE, OTHER]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(2, 4), st.integers(2, 5), st.integers(0, 1000))
    def test_written_and_read_back(self, tmp_path, degree, path_length, seed):
        task = StarTask(degree, path_length, 30)
        graphs = draw_graphs(task, 8, seed)
        back = read_graphs(write(tmp_path / "graphs.txt", "\n".join(graph_lines(graphs))), task)
        assert back.task == task
        assert (back.keys() == graphs.keys()).all()
        assert (back.edges == graphs.edges).all()
        assert (back.path == graphs.path).all()


class TestSameGraphs:
    def test_by_hand(self, tmp_path):
        again = "4,5|1,4|2,3|1,2/1,3=1,2,3"  # SMALL, its edges in another order
        turned = "1,2|2,3|1,4|4,5/1,5=1,4,5"  # SMALL, the other goal
        a = read_graphs(write(tmp_path / "a.txt", f"{SMALL}\n{turned}\n{again}\n"))
        b = read_graphs(write(tmp_path / "b.txt", f"{again}\n"), n_values=50)
        assert (overlap(a, b), overlap(b, a)) == (2, 1)
        assert list(graph_lines(without(a, b))) == [turned]
        assert len(without(b, a)) == 0
        assert overlap(without(b, a), a) == 0

    def test_graphs_of_another_task_are_never_the_same(self):
        a, b = draw_graphs(StarTask(2, 3, 9), 4, 0), draw_graphs(StarTask(3, 2, 9), 4, 0)
        assert overlap(a, b) == 0
        assert len(without(a, b)) == 4


class TestTheAuthorsFile:
    @pytest.fixture
    def path(self, shared_dir):
        path = shared_dir / "path_star" / "deg_2_path_5_nodes_50_test_20000.txt"
        if not path.is_file():
            pytest.skip(f"the authors' file is not at {path}")
        return path

    def test_read_and_written_back_byte_for_byte(self, path):
        graphs = read_graphs(path)
        assert graphs.task == StarTask(2, 5, 50)
        assert len(graphs) == 20_000
        assert len(np.unique(graphs.keys())) == 20_000
        assert "".join(f"{line}\n" for line in graph_lines(graphs)).encode() == path.read_bytes()

    def test_its_numbers_are_uniform(self, path):
        graphs = read_graphs(path)
        for nodes in (graphs.start, graphs.goal):
            assert np.abs(np.bincount(nodes, minlength=50) / 20_000 - 0.02).max() < 6 * np.sqrt(0.02 * 0.98 / 20_000)
