"""What the tokens of a row say, and where in it nodes and edges stand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Rejected
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import EMBEDDED_FOLDER
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.path_star._files import graph_lines
from harness.path_star.codec import Codec, NumeralCodec, TextCodec
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs, StarTask, draw_graphs

pytestmark = pytest.mark.unit

# 32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12
EXAMPLE = StarGraphs(
    StarTask(2, 5, 50),
    np.array([[[32, 34, 6, 16, 12], [32, 3, 19, 47, 28]]], dtype=np.int32),
    np.array([[[32, 3], [16, 12], [3, 19], [32, 34], [34, 6], [6, 16], [19, 47], [47, 28]]], dtype=np.int32),
)


class OneOfMany(Tokenizer):
    """A tokenizer that gives for every text what a function says."""

    def __init__(self, ids_of):
        self._ids_of = ids_of

    def encode(self, text):
        return self._ids_of(text)


@pytest.fixture(scope="module")
def pocket():
    return load_tokenizer(None, ModelConfig(), TokenizerConfig(str(EMBEDDED_FOLDER)))


def check_places(graphs: StarGraphs, answers: np.ndarray, rows: Rows, codec: Codec, says) -> None:
    """`says(ids) -> text`; every place in the row holds what it is said to hold."""
    for row in range(len(graphs)):
        tokens = rows.tokens[row].tolist()
        prompt, length = int(rows.prompt_length[row]), int(rows.length[row])
        assert codec.name_of(tokens[prompt - 1]) == "="
        assert tokens[length:] == [codec.pad_id] * (len(tokens) - length)
        nodes = [says(tokens[a:b]) for a, b in zip(rows.node_start[row], rows.node_stop[row], strict=True)]
        assert nodes == [str(node) for node in answers[row]]
        assert rows.node_start[row, 0] == prompt
        assert rows.node_stop[row, -1] == length
        assert codec.read_answer(tokens[prompt:length]) == tuple(answers[row].tolist())
        # A node's last token, and before it all of its own up to a sign or the front.
        places = [*rows.edge_at[row].ravel().tolist(), int(rows.goal_at[row])]
        wanted = [*graphs.edges[row].ravel().tolist(), int(graphs.goal[row])]
        for place, node in zip(places, wanted, strict=True):
            assert number_up_to(tokens, place, codec) == str(node)
            assert not codec.name_of(tokens[place + 1]).isdecimal() or isinstance(codec, NumeralCodec)


def number_up_to(tokens: list[int], place: int, codec: Codec) -> str:
    if isinstance(codec, NumeralCodec):
        return codec.name_of(tokens[place])
    first = place
    while first > 0 and codec.name_of(tokens[first - 1]).isdecimal():
        first -= 1
    return "".join(codec.name_of(token) for token in tokens[first : place + 1])


@st.composite
def drawn(draw):
    degree, path_length = draw(st.integers(2, 4)), draw(st.integers(2, 5))
    task = StarTask(degree, path_length, degree * (path_length - 1) + 1 + draw(st.integers(2, 150)))
    graphs = draw_graphs(task, draw(st.integers(1, 6)), draw(st.integers(0, 10_000)))
    return graphs, graphs.path[:, ::-1] if draw(st.booleans()) else graphs.path


class TestNumerals:
    def test_the_example_to_exact_ids(self):
        codec = NumeralCodec(EXAMPLE.task)
        rows = codec.encode(EXAMPLE, EXAMPLE.path)
        bar, equals, slash = 50, 51, 52
        assert rows.tokens[0].tolist() == [
            *(32, 3, bar, 16, 12, bar, 3, 19, bar, 32, 34, bar, 34, 6, bar, 6, 16, bar, 19, 47, bar, 47, 28, slash),
            *(32, 12, equals, 32, 34, 6, 16, 12),
        ]  # fmt: skip
        assert (codec.vocab_size, codec.dummy_id) == (54, 53)
        assert (rows.prompt_length[0], rows.length[0], rows.goal_at[0]) == (27, 32, 25)
        assert rows.node_start[0].tolist() == [27, 28, 29, 30, 31]
        assert rows.node_stop[0].tolist() == [28, 29, 30, 31, 32]
        assert rows.edge_at[0].tolist() == [[3 * i, 3 * i + 1] for i in range(8)]

    def test_the_answer_as_given(self):
        rows = NumeralCodec(EXAMPLE.task).encode(EXAMPLE, EXAMPLE.path[:, ::-1])
        assert rows.tokens[0, 24:].tolist() == [32, 12, 51, 12, 16, 6, 34, 32]

    @pytest.mark.parametrize(
        ("degree", "path_length", "length"),
        [(2, 2, 11), (2, 3, 18), (5, 3, 36), (5, 5, 68), (7, 7, 136), (2, 20, 137), (20, 5, 248)],
    )
    def test_lengths_of_the_literature(self, degree, path_length, length):
        task = StarTask(degree, path_length, 100)
        graphs = draw_graphs(task, 2, 0)
        rows = NumeralCodec(task).encode(graphs, graphs.path)
        assert rows.tokens.shape == (2, length)
        assert rows.prompt_length.tolist() == [3 * task.n_edges + 3] * 2

    @settings(max_examples=40, deadline=None)
    @given(made=drawn())
    def test_places(self, made):
        graphs, answers = made
        codec = NumeralCodec(graphs.task)
        rows = codec.encode(graphs, answers)
        assert rows.prompt_length.tolist() == [3 * graphs.task.n_edges + 3] * len(graphs)
        assert rows.tokens.max() < codec.vocab_size - 1  # no dummy in a row
        check_places(graphs, answers, rows, codec, lambda ids: " ".join(map(codec.name_of, ids)))

    def test_names_and_answers(self):
        codec = NumeralCodec(EXAMPLE.task)
        assert [codec.name_of(i) for i in (0, 49, 50, 51, 52, 53)] == ["0", "49", "|", "=", "/", "$"]
        assert codec.read_answer([0, 49, 50, 53, 54, -100]) == (0, 49, -1, -1, -1, -1)

    def test_a_number_beyond_the_vocabulary_is_never_read_as_a_sign(self):
        with pytest.raises(ValueError, match="graphs over 50 node numbers, tokens for 40"):
            NumeralCodec(StarTask(2, 5, 40)).encode(EXAMPLE, EXAMPLE.path)

    def test_rows_can_be_picked(self):
        graphs = draw_graphs(StarTask(2, 3, 20), 6, 0)
        codec = NumeralCodec(graphs.task)
        picked, fresh = codec.encode(graphs, graphs.path)[2:4], codec.encode(graphs[2:4], graphs[2:4].path)
        assert len(picked) == 2
        for name in vars(fresh):
            assert (getattr(picked, name) == getattr(fresh, name)).all(), name


class TestText:
    def test_the_example_reads_as_the_line(self, pocket):
        rows = TextCodec(EXAMPLE.task, pocket, pocket.n_tokens).encode(EXAMPLE, EXAMPLE.path)
        tokens = rows.tokens[0].tolist()
        assert pocket.decode(tokens) == "32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12"
        assert pocket.decode(tokens[: rows.prompt_length[0]]).endswith("/32,12=")

    @settings(max_examples=40, deadline=None)
    @given(made=drawn())
    def test_places(self, pocket, made):
        graphs, answers = made
        codec = TextCodec(graphs.task, pocket, pocket.n_tokens)
        check_places(graphs, answers, codec.encode(graphs, answers), codec, pocket.decode)

    @pytest.mark.parametrize("where", ["pocket", "gpt2"])
    def test_piece_by_piece_is_what_the_whole_line_encodes_to(self, where, request):
        folder = EMBEDDED_FOLDER if where == "pocket" else request.getfixturevalue("shared_dir") / "tokenizers" / "gpt2"
        if not folder.is_dir():
            pytest.skip(f"no tokenizer at {folder}")
        tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(folder)))
        assert tokenizer is not None
        graphs = draw_graphs(StarTask(3, 4, 1000), 50, 0)
        rows = TextCodec(graphs.task, tokenizer, tokenizer.n_tokens).encode(graphs, graphs.path)
        assert len(set(rows.length.tolist())) > 1  # numbers of several tokens: rows of several lengths
        for row, line in enumerate(graph_lines(graphs)):
            assert rows.tokens[row, : rows.length[row]].tolist() == tokenizer.encode(line)

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("32,34", (32, 34)),
            ("7, 8", (7, 8)),
            ("7,,8", (7, -1, 8)),
            ("7|8", (-1,)),
            ("49,50,-1", (49, -1, -1)),
            ("07,7x", (-1, -1)),
            ("", (-1,)),
        ],
    )
    def test_answers(self, pocket, text, answer):
        assert TextCodec(EXAMPLE.task, pocket, pocket.n_tokens).read_answer(pocket.encode(text)) == answer

    def test_a_number_beyond_the_task_is_refused(self, pocket):
        with pytest.raises(ValueError, match="graphs over 50 node numbers, tokens for 40"):
            TextCodec(StarTask(2, 5, 40), pocket, pocket.n_tokens).encode(EXAMPLE, EXAMPLE.path)

    def test_a_tokenizer_without_a_sign_or_with_one_token_for_two_numbers_is_refused(self):
        with pytest.raises(Rejected, match=r"no tokens for '\|'"):
            TextCodec(EXAMPLE.task, OneOfMany(lambda text: [] if text == "|" else [hash(text)]), 10)
        with pytest.raises(Rejected, match="two node numbers with the same tokens"):
            TextCodec(EXAMPLE.task, OneOfMany(lambda _: [0]), 10)
