"""Every format gives its documents; the first damaged line is named."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.dataset_prevalence.documents import reading
from experiments.dataset_prevalence.documents.layouts import Layout
from experiments.dataset_prevalence.documents.reading import BadDocument, read_documents
from experiments.dataset_prevalence.documents.source import (
    Format,
    HubName,
    find_files,
    find_on_hub,
    fingerprint,
    looks_like_a_hub_name,
)
from harness.errors import Rejected

pytestmark = pytest.mark.unit

ALPACA = [
    {"instruction": "Add.", "input": "1 2", "output": "3"},
    {"instruction": "Say hello.", "input": "", "output": "hello"},
    {"instruction": "Wave.", "output": "wave", "extra": 7},
]
SHAREGPT = [{"id": "x", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}]


def read(path: Path, wanted: Format = Format.AUTO, field: str | None = None):
    return [(document.texts, str(place)) for document, place in read_documents(find_files(path, wanted), field)]


def texts(path: Path, **options) -> list[tuple[str, ...]]:
    return [found for found, _ in read(path, **options)]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


class TestLayouts:
    @pytest.mark.parametrize("ending", ["json", "jsonl", "parquet"])
    def test_alpaca_in_every_format(self, tmp_path, ending):
        path = tmp_path / f"data.{ending}"
        if ending == "json":
            write(path, json.dumps(ALPACA, indent=1))
        elif ending == "jsonl":
            write(path, "\n".join(json.dumps(row) for row in ALPACA))
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            rows = [{"instruction": r["instruction"], "input": r.get("input"), "output": r["output"]} for r in ALPACA]
            pq.write_table(pa.Table.from_pylist(rows), path)
        assert texts(path) == [("Add.", "1 2", "3"), ("Say hello.", "hello"), ("Wave.", "wave")]

    def test_sharegpt_and_messages_and_text_and_strings(self, tmp_path):
        rows = [*SHAREGPT, {"messages": [{"role": "user", "content": "a"}]}, {"text": "t"}, "bare"]
        path = write(tmp_path / "d.jsonl", "\n".join(json.dumps(row) for row in rows))
        found = [d for d, _ in read_documents(find_files(path, Format.AUTO))]
        assert [d.texts for d in found] == [("hi", "ho"), ("a",), ("t",), ("bare",)]
        assert [d.layout for d in found] == [Layout.SHAREGPT, Layout.MESSAGES, Layout.TEXT, Layout.STRING]

    def test_parquet_of_conversations(self, tmp_path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(SHAREGPT), tmp_path / "d.parquet")
        assert read(tmp_path / "d.parquet") == [(("hi", "ho"), "d.parquet, row 1")]

    def test_a_field_by_name(self, tmp_path):
        path = write(tmp_path / "d.jsonl", '{"body": "x", "text": "y"}\n')
        assert texts(path, field="body") == [("x",)]

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ('{"a": ', "line 2: no JSON"),
            ("[1]", "line 2: a record is an object or a string, not a list"),
            ('{"body": "x"}', "line 2: no layout known for the keys body"),
            ('{"text": 7}', "line 2: text is a number"),
            ('{"conversations": [{"from": "x"}]}', "line 2: conversations: turn 1 has no string value"),
            (b'{"text": "\xff"}', "line 2: no UTF-8"),
            ('{"text": "half', "line 2: no JSON"),
            ("[" * 100_000, "line 2: "),
        ],
    )
    def test_a_damaged_line_is_named(self, tmp_path, line, problem):
        line = line if isinstance(line, bytes) else line.encode()
        path = write(tmp_path / "d.jsonl", b'{"text": "fine"}\n' + line + b'\n{"text": "fine"}\n')
        with pytest.raises(BadDocument, match=problem):
            read(path)

    def test_hostile_keys_are_made_visible(self, tmp_path):
        path = write(tmp_path / "d.jsonl", json.dumps({"\x1b[31m<b>\u202e": 1}))
        with pytest.raises(BadDocument) as error:
            read(path)
        assert "\x1b" not in str(error.value) and "\u202e" not in str(error.value)


class TestJson:
    def test_places_and_empty_lists(self, tmp_path):
        path = write(tmp_path / "d.json", '\n[\n{"text": "a"},\n\n {"text": "b"}]\n')
        assert [place for _, place in read(path)] == ["d.json, record 1", "d.json, record 2"]
        assert read(write(tmp_path / "e.json", " [ ] ")) == []

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ('{"text": "a"}', "record 1: no JSON .a list of records is wanted"),
            ('"a"', "record 1: no JSON .a list of records is wanted"),
            ('[{"text": "a"}\n{"text": "b"}]', "record 2: no JSON .parse error: after array element"),
            ('[{"text": "a"},\n{"text": b}]', "record 2: no JSON .lexical error: invalid char"),
            ('[{"text": "a"}', "record 2: no JSON .*premature EOF"),
            ('[{"text": "a"}] x', "record 2: no JSON .*trailing garbage"),
            ('[{"text": "a', "record 1: no JSON .*premature EOF"),
            ("", "record 1: no JSON .*premature EOF"),
            ('["a", NaN]', "record 2: no JSON .lexical error"),
            (b'["\xff"]', "record 1: no JSON .lexical error: invalid bytes in UTF8 string"),
            ('["a", ' + "[" * 100_000, "record 2: no JSON .nested too deeply"),
            ("[[1]]", "record 1: a record is an object or a string, not a list"),
        ],
    )
    def test_damage(self, tmp_path, text, problem):
        with pytest.raises(BadDocument, match=problem):
            read(write(tmp_path / "d.json", text))

    def test_a_message_shows_nothing_of_a_hostile_file(self, tmp_path):
        with pytest.raises(BadDocument) as error:
            read(write(tmp_path / "d.json", b'["\x1b[31m\xff"]'))
        assert "\x1b" not in str(error.value) and "\n" not in str(error.value)

    def test_a_torn_gzip(self, tmp_path):
        packed = gzip.compress(b'["' + bytes(range(65, 91)) * 500 + b'"]')
        with pytest.raises(BadDocument, match="it cannot be read"):
            read(write(tmp_path / "d.json.gz", packed[: len(packed) // 2]))

    @given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=30), st.booleans(), st.booleans())
    def test_any_strings_come_back(self, tmp_path_factory, strings, is_ascii, has_mark):
        path = tmp_path_factory.mktemp("list") / "d.json"
        content = json.dumps([{"text": text, "n": -12.5e3} for text in strings], ensure_ascii=is_ascii)
        write(path, content.encode("utf-8-sig" if has_mark else "utf-8"))
        assert texts(path) == [(text,) for text in strings]

    def test_memory_does_not_grow_with_the_file(self, tmp_path):
        path = tmp_path / "d.json"
        with path.open("w") as stream:
            stream.write("[" + ",".join(json.dumps({"text": "word " * 400}) for _ in range(5_000)) + "]")
        assert path.stat().st_size > 8e6
        tracemalloc.start()
        n = sum(1 for _ in read_documents(find_files(path, Format.AUTO)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n == 5_000
        assert peak < 6e6


class TestText:
    @given(st.text(alphabet="ab \n\r\t", max_size=200))
    def test_nothing_is_lost_but_blank_ends(self, tmp_path_factory, text):
        path = write(tmp_path_factory.mktemp("text") / "d.txt", text)
        joined = "".join(part for found in texts(path) for part in found)
        assert joined == text if text.strip() else joined == ""

    def test_documents_end_behind_blank_lines(self, tmp_path):
        path = write(tmp_path / "d.txt", "\n\na\nb\n\n \nc\n")
        assert read(path) == [(("\n\na\nb\n\n \n",), "d.txt, line 1"), (("c\n",), "d.txt, line 7")]

    def test_a_long_line_is_cut_between_characters(self, tmp_path, monkeypatch):
        monkeypatch.setattr(reading, "MOST_CHARACTERS", 7)
        path = write(tmp_path / "d.txt", "日本語のテキスト" * 5)
        found = texts(path)
        assert len(found) > 5
        assert "".join(part for parts in found for part in parts) == "日本語のテキスト" * 5

    @pytest.mark.parametrize("damage", [b"\xff", b"\xe6\x97", b"x\xe6\n"])
    def test_no_utf8_is_named_with_its_line(self, tmp_path, damage):
        with pytest.raises(BadDocument, match=r"d\.txt, line 3: no UTF-8"):
            read(write(tmp_path / "d.txt", b"a\nb\n" + damage))


class TestHub:
    """A folder stands in for a data set of the hub: the library that streams both is the same."""

    def test_rows_are_streamed(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
        write(tmp_path / "train.jsonl", "\n".join(json.dumps(row) for row in ALPACA[:2]))
        found = [d.texts for d, _ in read_documents(HubName(str(tmp_path), None, "train", "main"))]
        assert found == [("Add.", "1 2", "3"), ("Say hello.", "hello")]

    @pytest.mark.parametrize(("split", "problem"), [("nowhere", "cannot be read"), ("train", "row 1: no layout known")])
    def test_what_is_wrong_with_it(self, tmp_path, split, problem):
        write(tmp_path / "train.jsonl", '{"body": "x"}\n')
        with pytest.raises(BadDocument, match=problem):
            list(read_documents(HubName(str(tmp_path), None, split, "main")))

    def test_switched_off(self):
        with pytest.raises(Rejected, match=r"^path: got 'owner/name': .*switched off"):
            find_on_hub("owner/name", None, "train", None)


class TestFiles:
    def test_gzip_and_folders(self, tmp_path):
        (tmp_path / "b").mkdir()
        with gzip.open(tmp_path / "b" / "d.jsonl.gz", "wb") as stream:
            stream.write(b'{"text": "packed"}\n')
        write(tmp_path / "a.txt", "plain")
        write(tmp_path / "ignored.bin", b"\0")
        assert texts(tmp_path) == [("plain",), ("packed",)]

    def test_a_torn_gzip(self, tmp_path):
        packed = gzip.compress(b'{"text": "' + bytes(range(65, 91)) * 500 + b'"}\n')
        with pytest.raises(BadDocument, match="cannot be read"):
            read(write(tmp_path / "d.jsonl.gz", packed[: len(packed) // 2]))

    def test_no_parquet(self, tmp_path):
        with pytest.raises(BadDocument, match="no parquet file"):
            read(write(tmp_path / "d.parquet", "nonsense"))

    @pytest.mark.parametrize(
        ("name", "problem"), [("d.bin", "a name that ends in"), ("nowhere.txt", "a file, a folder")]
    )
    def test_refusals(self, tmp_path, name, problem):
        write(tmp_path / "d.bin", "x")
        with pytest.raises(Rejected, match=problem):
            find_files(tmp_path / name, Format.AUTO)

    def test_the_fingerprint_is_of_the_bytes(self, tmp_path):
        def of(name, text):
            return fingerprint(find_files(write(tmp_path / name, text), Format.AUTO))

        assert of("a.txt", "x") == of("b.txt", "x") != of("c.txt", "y")

    def test_hub_names(self):
        assert looks_like_a_hub_name("tatsu-lab/alpaca") and looks_like_a_hub_name("imdb")
        assert not any(map(looks_like_a_hub_name, ("data.jsonl", "a/b/c", "/tmp/x", "../x", "my data")))
