"""Counting glitch tokens over a stream of documents; what is kept does not grow with the data set."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from experiments.dataset_prevalence.config import DatasetPrevalenceConfig
from experiments.dataset_prevalence.documents.layouts import Document, Layout
from experiments.dataset_prevalence.documents.reading import BadDocument, Placed
from experiments.dataset_prevalence.documents.source import File, HubName, Source, fingerprint, total_bytes
from experiments.dataset_prevalence.sources import GlitchTokens, census_folder, documents, find_source, named_tokens
from harness.errors import RunFailed
from harness.glitch.census.stored import load_census
from harness.measure.intervals import ClusterSums, wilson, wilson_ratio
from harness.models.tokenizers import Tokenizer
from harness.runs.context import Outcome, Run
from harness.runs.folder import Shard
from harness.tokens.text import shown

_TOTALS = "totals"
_NUMBERS = "numbers"
_LAYOUTS = tuple(Layout)
_MOST_TEXTS = 4_000_000
"""Characters that are encoded at once, but for a document that is longer."""
_MOST_HELD = 16_000_000


@dataclass
class Totals:
    """Everything that is kept of the documents read so far: a few numbers for each glitch token, and sums."""

    n_glitch: int
    n_read: int = 0
    """Documents, empty ones included."""
    with_glitch: int = 0
    sums: ClusterSums = field(default_factory=ClusterSums)
    layouts: np.ndarray = field(default_factory=lambda: np.zeros(len(_LAYOUTS), dtype=np.int64))
    tokens: np.ndarray = field(init=False)
    documents: np.ndarray = field(init=False)
    first_in: np.ndarray = field(init=False)
    """Number of the document, from 1, in which each was first met; 0: never."""

    def __post_init__(self) -> None:
        self.tokens, self.documents, self.first_in = (np.zeros(self.n_glitch, dtype=np.int64) for _ in range(3))

    def arrays(self) -> dict[str, np.ndarray]:
        """The part of what is kept between chunks that fits arrays."""
        return {
            "layouts": self.layouts,
            "tokens": self.tokens,
            "documents": self.documents,
            "first_in": self.first_in,
        }

    def numbers(self) -> dict[str, str]:
        """The rest, as text: sums of squares may outgrow 64 bits."""
        return {_NUMBERS: json.dumps([self.n_read, self.with_glitch, *astuple(self.sums)])}

    @classmethod
    def read(cls, shard: Shard | None, n_glitch: int) -> "Totals":
        """What a shard kept; nothing counted yet where it does not hold all of it."""
        if shard is None or _NUMBERS not in shard.metadata:
            return cls(n_glitch)
        n_read, with_glitch, *sums = json.loads(shard.metadata[_NUMBERS])
        totals = cls(n_glitch, n_read, with_glitch, ClusterSums(*sums), shard.arrays["layouts"])
        totals.tokens, totals.documents, totals.first_in = (
            shard.arrays[name] for name in ("tokens", "documents", "first_in")
        )
        return totals

    def add(self, chunk: Sequence[Document], tokenizer: Tokenizer, place_of: np.ndarray) -> None:
        """Count a chunk; `place_of[id]` is the glitch token's place, -1 for any other token."""
        owner, ids = _encode(chunk, tokenizer)
        # Ids beyond the embedding (tokens without a row) are no glitch tokens.
        inside = ids < len(place_of)
        place = np.where(inside, place_of[np.where(inside, ids, 0)], -1)
        hits_owner, hits = owner[place >= 0], place[place >= 0]
        per_document = np.bincount(owner, minlength=len(chunk))
        hits_per_document = np.bincount(hits_owner, minlength=len(chunk))
        self.sums += ClusterSums.of(hits_per_document, per_document)
        self.with_glitch += int((hits_per_document > 0).sum())
        self.tokens += np.bincount(hits, minlength=self.n_glitch)
        pairs = np.unique(np.stack([hits, hits_owner]), axis=1)
        self.documents += np.bincount(pairs[0], minlength=self.n_glitch)
        met, first = np.unique(pairs[0], return_index=True)
        new = self.first_in[met] == 0
        self.first_in[met[new]] = self.n_read + 1 + pairs[1][first[new]]
        self.layouts += np.bincount([_LAYOUTS.index(d.layout) for d in chunk], minlength=len(_LAYOUTS))
        self.n_read += len(chunk)


def _encode(chunk: Sequence[Document], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Which document of the chunk every token belongs to, and its id."""
    texts = [(number, _whole(text)) for number, document in enumerate(chunk) for text in document.texts]
    owners, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part in _parts(texts):
        for (number, _), row in zip(part, tokenizer.encode_batch([text for _, text in part]), strict=True):
            owners.append(np.full(len(row), number, dtype=np.int64))
            ids.append(np.array(row, dtype=np.int64))
    return np.concatenate(owners), np.concatenate(ids)


def _parts(texts: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    part: list[tuple[int, str]] = []
    size = 0
    for item in texts:
        if part and size + len(item[1]) > _MOST_TEXTS:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item[1])
    if part:
        yield part


def _whole(text: str) -> str:
    """JSON can hold half a character, which no tokenizer takes: it becomes U+FFFD."""
    return text.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace")


def measure(run: Run[DatasetPrevalenceConfig]) -> Outcome:
    """Read, count, sum up."""
    source, glitch = find_source(run.exp), glitch_tokens(run)
    place_of = np.full(run.facts.d_vocab, -1, dtype=np.int64)
    place_of[list(glitch.ids)] = np.arange(len(glitch.ids))
    with run.timer("count"):
        totals = _count(run, source, place_of, len(glitch.ids))
    return _summarise(run, source, glitch, totals)


def _count(run: Run[DatasetPrevalenceConfig], source: Source, place_of: np.ndarray, n_glitch: int) -> Totals:
    totals = Totals.read(run.shards.read(_TOTALS), n_glitch)
    stream = documents(source, run.exp)
    at = 0
    total = total_bytes(source) if not isinstance(source, HubName) else run.exp.max_documents or 0
    with run.progress(total, "counting glitch tokens") as advance:
        try:
            # Reading again what was counted before costs little compared with encoding it.
            for _ in islice(stream, totals.n_read):
                pass
            while chunk := _next_chunk(stream, run.exp.chunk):
                totals.add([document for document, _ in chunk], run.tokenizer, place_of)
                run.shards.write(_TOTALS, totals.arrays(), totals.numbers())
                now = _progress(source, chunk, totals)
                advance(now - at)
                at = now
        except BadDocument as error:
            raise RunFailed(f"exp.path: {error}") from error
    return totals


def _next_chunk(stream: Iterator[Placed], most: int) -> list[Placed]:
    """The next documents: `most` of them, fewer where they are long."""
    chunk: list[Placed] = []
    size = 0
    for item in stream:
        chunk.append(item)
        size += sum(map(len, item[0].texts))
        if len(chunk) == most or size > _MOST_HELD:
            break
    return chunk


def _progress(source: Source, chunk: Sequence[Placed], totals: Totals) -> int:
    return totals.n_read if isinstance(source, HubName) else chunk[-1][1].bytes_read


def _summarise(run: Run[DatasetPrevalenceConfig], source: Source, glitch: GlitchTokens, totals: Totals) -> Outcome:
    sums = totals.sums
    order = np.lexsort((np.arange(totals.n_glitch), -totals.tokens))
    met = [int(place) for place in order if totals.tokens[place]]
    names = {place: shown(run.tokenizer.token_text(glitch.ids[place])) for place in met}
    run.records.append(
        {
            "item": str(glitch.ids[place]),
            "id": glitch.ids[place],
            "token": names[place],
            "tokens": int(totals.tokens[place]),
            "documents": int(totals.documents[place]),
            "per_million": 1e6 * float(totals.tokens[place]) / sums.trials,
            "first_in": int(totals.first_in[place]),
        }
        for place in met
    )
    metrics: dict[str, float | int | str | None] = {
        "documents": totals.n_read,
        "tokens": sums.trials,
        "glitch_tokens_known": len(glitch.ids),
        "glitch_tokens_met": len(met),
        "glitch_token_occurrences": sums.hits,
        "documents_with_glitch_tokens": totals.with_glitch,
        "empty_documents": totals.n_read - sums.clusters,
        "token_share": None,
        "document_share": None,
    }
    if sums.trials:
        metrics |= dict(wilson_ratio(sums).metrics("token_share"))
    if sums.clusters:
        metrics |= dict(wilson(totals.with_glitch, sums.clusters).metrics("document_share"))
    _say(run, glitch, totals, len(met))
    details = {
        "data": _data_details(run, source, totals),
        "glitch_tokens": {"source": glitch.source, "census": glitch.census},
    }
    arrays = {
        "ids": np.array(glitch.ids, dtype=np.int64),
        "tokens": totals.tokens,
        "documents": totals.documents,
    }
    return Outcome(metrics, arrays, details)


def _data_details(run: Run[DatasetPrevalenceConfig], source: Source, totals: Totals) -> dict[str, Any]:
    if isinstance(source, HubName):
        name, formats = f"{source.name} ({source.split})", ["hub"]
    else:
        name, formats = _name(source), sorted({file.format.value for file in source})
    layouts = {layout.value: int(n) for layout, n in zip(_LAYOUTS, totals.layouts, strict=True) if n}
    most = run.exp.max_documents
    return {
        "name": name,
        "format": ", ".join(formats),
        "layouts": layouts,
        "fingerprint": fingerprint(source),
        "is_whole": most is None or totals.n_read < most,
    }


def _name(files: Sequence[File]) -> str:
    first = shown(files[0].path.name, 60)
    return first if len(files) == 1 else f"{first} and {len(files) - 1} more files"


def _say(run: Run[DatasetPrevalenceConfig], glitch: GlitchTokens, totals: Totals, n_met: int) -> None:
    """The plain sentences that go with the numbers."""
    if not totals.sums.trials:
        run.warn(
            f"The data set is empty: {totals.n_read} documents without a single token. There is no share to state."
        )
    elif not glitch.ids:
        run.note(f"No glitch tokens: {glitch.source} knows none, so none can occur in the data set.")
    elif not n_met:
        run.note(f"None of the {len(glitch.ids)} glitch tokens of {glitch.source} occurs in the data set.")
    if run.exp.max_documents is not None and totals.n_read == run.exp.max_documents:
        run.note(f"Only the first {totals.n_read} documents were read (exp.max_documents).")
    if glitch.ids and totals.sums.trials:
        run.note(
            "Counted is what this model's tokenizer makes of the text: glitch tokens that no text leads to (parts of "
            "characters, unreachable tokens) cannot occur here."
        )


def glitch_tokens(run: Run[DatasetPrevalenceConfig]) -> GlitchTokens:
    """The tokens that this run counts."""

    if run.exp.tokens is not None:
        return named_tokens(run.exp.tokens, run.facts, run.seed, run.tokenizer)
    census = load_census(census_folder(run.config, run.identity), run.identity)
    if not census.informative:
        run.warn(
            "By the census wordings of fewer than two families count for this model, so it knows no glitch tokens: "
            "nothing was looked for. exp.tokens= names some."
        )
    elif not census.is_complete:
        run.note(f"The census tested a sample ({census.facts['sample']}): glitch tokens outside it are not counted.")
    return GlitchTokens(tuple(sorted(census.glitch_ids)), f"the census {census.run_id}", census.run_id)
