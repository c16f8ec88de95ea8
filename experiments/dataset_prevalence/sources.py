"""Where the documents and the glitch tokens of a run come from; whatever is wrong with them is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from experiments.dataset_prevalence.documents.reading import BadDocument, Placed, read_documents
from experiments.dataset_prevalence.documents.source import (
    Format,
    HubName,
    Source,
    find_files,
    find_on_hub,
    looks_like_a_hub_name,
    total_bytes,
)
from harness.errors import FieldRejected, Rejected
from harness.glitch.census.stored import find_census, fingerprint, load_census
from harness.models.identity import ModelIdentity
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.runs.config.schema import RunConfig
from harness.runs.progress import progress_bar
from harness.tokens.evidence import TokenEvidence
from harness.tokens.pool_spec import PoolSpec
from harness.tokens.rules import select

_POOL = "tokens"


@dataclass(frozen=True)
class GlitchTokens:
    """The tokens that are counted, ascending, and who says so."""

    ids: tuple[int, ...]
    source: str
    """A phrase for a sentence: "the census pocket-1234"."""
    census: str | None
    """Run id of the census."""


def find_source(exp: Any) -> Source:
    """The files or the hub's data set that the config names. Raises `Rejected`."""
    if not exp.path:
        raise FieldRejected.key("path", exp.path, "a file, a folder of files, or the name of a data set on the hub")
    path = Path(exp.path).expanduser()
    is_here = path.exists() and exp.format is not Format.HUB
    if not is_here and (exp.format is Format.HUB or looks_like_a_hub_name(exp.path)):
        return find_on_hub(exp.path, exp.subset, exp.split, exp.revision)
    if not is_here:
        raise FieldRejected(f"path: got {exp.path!r}: no such file or folder")
    return find_files(path, exp.format)


def documents(source: Source, exp: Any) -> Iterator[Placed]:
    """The documents a run reads."""
    return islice(read_documents(source, exp.field), exp.max_documents)


def check_documents(exp: Any) -> None:
    """Read all of it once, so that a damaged line is known before anything is counted; of the hub the first only."""
    source = find_source(exp)
    read = documents(source, exp)
    try:
        if isinstance(source, HubName):
            next(read, None)
            return
        with progress_bar(total_bytes(source), "checking the data set") as advance:
            at = 0
            for _, place in read:
                advance(place.bytes_read - at)
                at = place.bytes_read
    except BadDocument as error:
        raise FieldRejected(f"path: {error}") from None


def named_tokens(spec: PoolSpec, facts: VocabFacts, seed: int, tokenizer: Tokenizer | None) -> GlitchTokens:
    """The ids of the field `tokens`. Raises `Rejected` naming that key."""

    try:
        found = select(_POOL, spec, TokenEvidence(facts, tokenizer), seed)
    except Rejected as error:
        raise FieldRejected(str(error).removeprefix("pools.")) from None
    return GlitchTokens(found.ids, f"the tokens named in exp.tokens ({found.label})", None)


def census_fingerprint(config: RunConfig[Any], identity: ModelIdentity) -> str:
    """Stands for the verdicts of the census that a run takes."""

    return fingerprint(load_census(census_folder(config, identity), identity))


def census_folder(config: RunConfig[Any], identity: ModelIdentity) -> Path:

    return Path(config.exp.census) if config.exp.census is not None else find_census(config.results_dir, identity)
