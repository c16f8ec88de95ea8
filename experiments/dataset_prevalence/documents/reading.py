"""Documents read one after the other: never more than one batch of them in memory."""

import gzip
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import Any

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.dataset_prevalence.documents.layouts import Document, Layout, NoText, read_record
from experiments.dataset_prevalence.documents.source import File, Format, HubName, Source
from harness.errors import HarnessError

MOST_CHARACTERS = 1 << 20
"""A piece of plain text without a blank line is cut here, and so is a line that is longer."""
_ROWS = 256
# Lists and objects inside one another; json itself stops at about as many.
_DEEPEST = 1000


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
    """The records of one list, each parsed as it is reached."""
    raw, stream = _open(file)
    with raw:
        place = Place(file.path.name, "record", 1, 0)
        try:
            for number, value in enumerate(_elements(stream), 1):
                place = Place(file.path.name, "record", number, raw.tell())
                yield _record(value, field, place), place
                place = replace(place, number=number + 1)
        except (ijson.JSONError, _NoList) as error:
            # The lines that follow in ijson's message show the file as it is, control characters and all.
            reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
            raise BadDocument(f"{place}: no JSON ({reason.splitlines()[0].rstrip('.')})") from None
        except (OSError, EOFError) as error:
            raise BadDocument(f"{file.path.name}: it cannot be read ({error})") from error


class _NoList(ValueError):
    """A JSON file that is not one list of records."""


def _elements(stream: Stream) -> Iterator[Any]:
    """The elements of the list that a JSON file holds. Raises `_NoList` and `ijson.JSONError`."""
    if stream.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
        stream.read(len(BOM_UTF8))
    # Not ijson.items, which holds the path to every value: its memory grows with the square of how deep lists nest.
    events = ijson.basic_parse(stream)
    if next(events)[0] != "start_array":
        raise _NoList("a list of records is wanted; for one record a line: exp.format=jsonl")
    builder, depth = ijson.ObjectBuilder(), 0
    for event, value in events:
        depth += event.startswith("start_") - event.startswith("end_")
        if depth > _DEEPEST:
            raise _NoList("nested too deeply")
        if depth >= 0:
            builder.event(event, value)
        if depth == 0:
            yield builder.value
            builder = ijson.ObjectBuilder()


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
    except Exception as error:  # loaders and lost connections raise errors of many classes
        text = " ".join(str(error).split())[:200]
        raise BadDocument(f"{name}: the hub's data set cannot be read ({type(error).__name__}: {text})") from error


def _plain_row(row: Any) -> Any:
    return dict(row) if isinstance(row, Mapping) else row


_READERS = {Format.TEXT: _text, Format.JSON: _json, Format.JSONL: _jsonl, Format.PARQUET: _parquet}
