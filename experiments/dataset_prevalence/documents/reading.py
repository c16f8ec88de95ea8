"""Documents read one after the other: never more than one batch of them in memory."""

import codecs
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.dataset_prevalence.documents.layouts import Document, Layout, NoText, read_record
from experiments.dataset_prevalence.documents.source import File, Format, HubName, Source
from harness.errors import HarnessError

MOST_CHARACTERS = 1 << 20
"""A piece of plain text without a blank line is cut here, and so is a line that is longer."""
_BLOCK = 1 << 20
_ROWS = 256
# A cut number, literal or escape is reported where it begins; no longer one is worth waiting for.
_LONGEST_PART = 512


class BadDocument(HarnessError):
    """A data set that cannot be read to its end; says where and why."""


@dataclass(frozen=True)
class Place:
    """How far reading has got."""

    file: str
    what: str
    """`line`, `record` or `row`."""
    number: int
    """From 1."""
    bytes_read: int
    """Over all files so far, as they lie on the disk; 0 where not known."""

    def __str__(self) -> str:
        return f"{self.file}, {self.what} {self.number}"


Placed = tuple[Document, Place]
Stream = BufferedReader | gzip.GzipFile


def read_documents(source: Source, field: str | None = None) -> Iterator[Placed]:
    """Every document in order with its place. Raises `BadDocument` at the first one that cannot be read."""
    if isinstance(source, HubName):
        yield from _hub(source, field)
        return
    before = 0
    for file in source:
        for document, place in _READERS[file.format](file, field):
            yield document, Place(place.file, place.what, place.number, before + place.bytes_read)
        before += file.path.stat().st_size


def _open(file: File) -> tuple[BufferedReader, Stream]:
    """The raw stream, whose position says how far reading has got, and the one to read from."""
    raw = file.path.open("rb")
    return raw, (gzip.GzipFile(fileobj=raw) if file.is_gzip else raw)


def _lines(file: File) -> Iterator[tuple[int, str, int]]:
    """Number, text and position of every line; a line of any length in pieces of at most `MOST_CHARACTERS` bytes."""
    raw, stream = _open(file)
    with raw:
        number, left = 1, b""
        while line := _readline(file, stream, number, MOST_CHARACTERS):
            # A cut line may end within a character; its first bytes wait for the rest.
            line = left + line
            try:
                text, left = line.decode("utf-8"), b""
            except UnicodeDecodeError as error:
                if line.endswith(b"\n") or error.end < len(line) or len(line) < MOST_CHARACTERS:
                    raise BadDocument(f"{file.path.name}, line {number}: no UTF-8 ({error.reason})") from None
                text, left = line[: error.start].decode("utf-8"), line[error.start :]
            yield number, text, raw.tell()
            number += text.endswith("\n")
        if left:
            raise BadDocument(f"{file.path.name}, line {number}: no UTF-8 (it ends within a character)")


def _readline(file: File, stream: Stream, number: int, most: int) -> bytes:
    try:
        return stream.readline(most)
    except (OSError, EOFError) as error:
        raise BadDocument(f"{file.path.name}, line {number}: it cannot be read ({error})") from error


def _text(file: File, _: str | None) -> Iterator[Placed]:
    held: list[str] = []
    size, first, at = 0, 1, 0
    has_text = is_ending = False
    for number, line, position in _lines(file):
        is_blank = not line.strip()
        if (is_ending and not is_blank) or size >= MOST_CHARACTERS:
            yield _plain(held), Place(file.path.name, "line", first, at)
            held, size, first, has_text, is_ending = [], 0, number, False, False
        held.append(line)
        size, at = size + len(line), position
        is_ending = is_ending or (is_blank and has_text)
        has_text = has_text or not is_blank
    if has_text:
        yield _plain(held), Place(file.path.name, "line", first, at)


def _plain(lines: list[str]) -> Document:
    return Document(("".join(lines),), Layout.PLAIN)


def _jsonl(file: File, field: str | None) -> Iterator[Placed]:
    raw, stream = _open(file)
    with raw:
        number = 0
        # A record may be longer than any limit: it has to be read whole to be understood.
        while line := _readline(file, stream, number + 1, -1):
            number += 1
            if not line.strip():
                continue
            place = Place(file.path.name, "line", number, raw.tell())
            yield _record(_parsed(line, place), field, place), place


def _parsed(line: bytes, place: Place) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError as error:
        raise BadDocument(f"{place}: no UTF-8 ({error.reason})") from None
    except ValueError as error:
        raise BadDocument(f"{place}: no JSON ({error})") from None
    except RecursionError:
        raise BadDocument(f"{place}: JSON nested too deeply") from None


def _record(record: Any, field: str | None, place: Place) -> Document:
    try:
        return read_record(record, field)
    except NoText as error:
        raise BadDocument(f"{place}: {error}") from None


def _json(file: File, field: str | None) -> Iterator[Placed]:
    """The records of one list, found one after the other in a window that holds the record being read."""
    raw, stream = _open(file)
    with raw:
        window = _Window(file, stream)
        if window.next_sign() != "[":
            window.fail("a list of records is wanted; for one record a line: exp.format=jsonl")
        window.skip()
        number = 0
        if window.next_sign() == "]":
            window.skip()
        else:
            while True:
                number += 1
                place = Place(file.path.name, "record", number, raw.tell())
                value, line = window.value(number)
                where = Place(f"{place.file}, line {line}", "record", number, place.bytes_read)
                yield _record(value, field, where), where
                sign = window.next_sign()
                window.skip()
                if sign == "]":
                    break
                if sign != ",":
                    window.fail(f"behind record {number} a comma or the end of the list is wanted")
        if window.next_sign():
            window.fail("something stands behind the list")


class _Window:
    """The part of a JSON file that is not read yet, as far as it is in memory."""

    def __init__(self, file: File, stream: Stream) -> None:

        self._file, self._stream = file, stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._place, self._line, self._is_over = "", 0, 1, False

    def fail(self, problem: str) -> None:
        raise BadDocument(f"{self._file.path.name}, line {self._line}: no JSON ({problem})")

    def _more(self, at_least: int) -> bool:
        if self._is_over:
            return False
        try:
            block = self._stream.read(max(_BLOCK, at_least))
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise BadDocument(
                f"{self._file.path.name}, line {self._line} or later: no UTF-8 ({error.reason})"
            ) from None
        except (OSError, EOFError) as error:
            raise BadDocument(f"{self._file.path.name}: it cannot be read ({error})") from error
        self._is_over = not block
        self._text, self._place = self._text[self._place :] + text, 0
        return not self._is_over or bool(text)

    def next_sign(self) -> str:
        """The next character that is no space, left in place; "" at the end."""
        while True:
            while self._place < len(self._text) and self._text[self._place] in " \t\r\n\ufeff":
                self._line += self._text[self._place] == "\n"
                self._place += 1
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more(0):
                return ""

    def skip(self) -> None:
        """Step over one character."""
        self._place += 1

    def value(self, number: int) -> tuple[Any, int]:
        """The next value and the line it begins in."""
        self.next_sign()
        decoder = json.JSONDecoder()
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._place)
            except RecursionError:
                self.fail(f"record {number} is nested too deeply")
            except json.JSONDecodeError as error:
                # Perhaps only cut off; doubling keeps the time of rereading a long record linear.
                is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _LONGEST_PART
                if is_cut and self._more(len(self._text) - self._place):
                    continue
                self._line += self._text.count("\n", self._place, error.pos)
                self.fail(f"record {number}: {error.msg}")
            else:
                # A number may go on after the window.
                if end < len(self._text) or not self._more(0):
                    return value, self._step(end)

    def _step(self, end: int) -> int:
        line = self._line
        self._line += self._text.count("\n", self._place, end)
        self._place = end
        return line


def _parquet(file: File, field: str | None) -> Iterator[Placed]:

    try:
        table = pq.ParquetFile(file.path)
        columns = _columns(table.schema_arrow.names, field)
        size, total = file.path.stat().st_size, max(table.metadata.num_rows, 1)
        number = 0
        for batch in table.iter_batches(batch_size=_ROWS, columns=columns):
            for row in batch.to_pylist():
                number += 1
                place = Place(file.path.name, "row", number, size * number // total)
                yield _record(row, field, place), place
    except (pa.ArrowException, OSError) as error:
        raise BadDocument(
            f"{file.path.name}: no parquet file that can be read ({' '.join(str(error).split())})"
        ) from error


def _columns(names: list[str], field: str | None) -> list[str] | None:
    """Only what the rules look at is read; all where none of it is there, for the message."""
    wanted = {field} if field else {"conversations", "messages", "instruction", "input", "output", "text"}
    return [name for name in names if name in wanted] or None


def _hub(source: HubName, field: str | None) -> Iterator[Placed]:
    from datasets import load_dataset

    name = f"{source.name}, {source.split}"
    try:
        rows = load_dataset(source.name, source.subset, split=source.split, revision=source.revision, streaming=True)
        for number, row in enumerate(rows, 1):
            place = Place(name, "row", number, 0)
            yield _record(_plain_row(row), field, place), place
    except HarnessError:
        raise
    except Exception as error:  # whatever a loader or a dead line makes of it
        text = " ".join(str(error).split())[:200]
        raise BadDocument(f"{name}: the hub's data set cannot be read ({type(error).__name__}: {text})") from error


def _plain_row(row: Any) -> Any:
    return dict(row) if isinstance(row, Mapping) else row


_READERS = {Format.TEXT: _text, Format.JSON: _json, Format.JSONL: _jsonl, Format.PARQUET: _parquet}
