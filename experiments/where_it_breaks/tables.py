"""Tables of one where_it_breaks run, from its stored files."""

import re
from typing import Any

import pandas as pd

from experiments.where_it_breaks.attribution import REST
from experiments.where_it_breaks.interventions import Half, Whose
from experiments.where_it_breaks.metrics import MENDED_CUE, OTHER_HEADS, cell_key
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

_ABLATED = {
    "previous": "previous-token heads",
    "induction": "induction heads",
    "path": "what induction heads' keys read of previous-token heads",
}
_KINDS = {"previous": "previous-token", "induction": "induction"}
_BY = {"mean": "their mean", "resampled": "those after the other half"}


def prefix(run: StoredRun, pool: str) -> str:
    """Of a pool's metrics."""
    return str(run.details["pools"][pool]["prefix"])


def _row(run: StoredRun, key: str, column: str) -> dict[str, Any]:
    return interval_columns(column, run.interval(key))


def pools(run: StoredRun) -> pd.DataFrame:
    """What every pool loses beside its partners."""
    rows = []
    for pool in pools_shown(run):
        before = prefix(run, pool)
        row = {
            "pool": pool,
            "tokens": run.metrics[f"{before}n_tokens"],
            **_row(run, f"{before}identity_effect", "identity effect"),
            **_row(run, f"{before}identity_effect_partner", "partners' identity effect"),
            **_row(run, f"{before}lost", "lost"),
            **_row(run, f"{before}copy_effect", "copy effect"),
            **_row(run, f"{before}copy_effect_partner", "partners' copy effect"),
            **_row(run, f"{before}copied/own", "copied"),
            **_row(run, f"{before}copied/partner", "partners copied"),
        }
        for kind, label in (("previous", "previous-token"), ("induction", "induction")):
            if f"{before}attention/{kind}" in run.metrics:
                row |= _row(run, f"{before}attention/{kind}", f"{label} attention")
                row |= _row(run, f"{before}attention/{kind}_partner", f"partners' {label} attention")
        if f"{before}decoded/own" in run.metrics:
            row |= _row(run, f"{before}decoded/own", "found in the final state")
            row |= _row(run, f"{before}decoded/partner", "partners found in the final state")
        rows.append(row)
    return pd.DataFrame(rows)


def restored(run: StoredRun) -> pd.DataFrame:
    """Every intervention on every pool."""
    rows = [
        {
            "pool": pool,
            "about": one["group"],
            "intervention": one["label"],
            **_row(run, f"{prefix(run, pool)}restored/{one['name']}", "restored"),
            **_row(run, f"{prefix(run, pool)}copied/{one['name']}", "copied"),
            **_row(run, f"{prefix(run, pool)}control/{one['name']}", "partners keep"),
        }
        for pool in pools_shown(run)
        for one in run.details["interventions"]
    ]
    return pd.DataFrame(rows)


def by_layer(run: StoredRun) -> pd.DataFrame:
    """The residual stream, a row a layer."""
    rows = [
        {
            "pool": pool,
            "before layer": layer,
            **{
                name: value
                for half in Half
                for name, value in _row(
                    run, f"{prefix(run, pool)}restored/residual_{half.value}_half_{layer}", f"{half.value} half"
                ).items()
            },
            **_row(run, f"{prefix(run, pool)}lens/own_{layer}", "logit lens, own"),
            **_row(run, f"{prefix(run, pool)}lens/partner_{layer}", "logit lens, partner"),
        }
        for pool in pools_shown(run)
        for layer in run.details["layers"]
    ]
    return pd.DataFrame(rows)


def attribution(run: StoredRun) -> pd.DataFrame:
    """Who writes the identity effect: named heads, other heads, MLPs and the rest."""
    rows = []
    for pool in pools_shown(run):
        before = prefix(run, pool)
        for part in attribution_parts(run, pool):
            kinds = [kind for kind in ("previous", "induction") if part in run.details["heads"][kind]]
            label = part.replace("_", " ") + (f" ({', '.join(_KINDS[kind] for kind in kinds)})" if kinds else "")
            row = {"pool": pool, "part": label}
            for whose in Whose:
                row |= _row(run, f"{before}attribution/{whose.value}_{part}", whose.value)
            rows.append(row)
    return pd.DataFrame(rows)


def attribution_parts(run: StoredRun, pool: str) -> list[str]:
    """Names of the parts that have metrics of their own, in order of writing: heads, MLPs, the rest."""
    start = f"{prefix(run, pool)}attribution/{Whose.OWN.value}_"
    known = {key.removeprefix(start) for key in run.metrics if key.startswith(start)}
    named = sorted(known & {*run.details["heads"]["previous"], *run.details["heads"]["induction"]}, key=_by_number)
    mlps = sorted((name for name in known if name.startswith("mlp") and "/" not in name), key=_by_number)
    ordered = (*named, OTHER_HEADS, *mlps, REST)
    return [name for name in ordered if name in known]


def _by_number(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def circuits(run: StoredRun) -> pd.DataFrame:
    """What heads copy and match by their weights alone."""
    rows = []
    for pool in pools_shown(run):
        for circuit in circuit_names(run, pool):
            row = {"pool": pool, "circuit": circuit_label(circuit)}
            for reading, label in _READINGS.items():
                for after, whose in (("", ""), (f"_{Whose.PARTNER.value}", "partners' ")):
                    row |= _row(run, f"{prefix(run, pool)}{circuit}/{reading}{after}", f"{whose}{label}")
            rows.append(row)
    return pd.DataFrame(rows)


_READINGS = {"top1": "first", "reciprocal_rank": "reciprocal rank", "z_score": "z-score"}


def circuit_names(run: StoredRun, pool: str) -> list[str]:
    """Circuits that have metrics: copying by head, matching by pair of heads."""
    start, end = prefix(run, pool), "/top1"
    found = [
        key.removeprefix(start).removesuffix(end)
        for key in run.metrics
        if key.startswith((f"{start}ov_copying/", f"{start}matching/")) and key.endswith(end)
    ]
    return sorted(found, key=lambda name: (name.startswith("matching/"), _by_number(name)))


def circuit_label(circuit: str) -> str:
    """For people."""
    kind, heads = circuit.split("/")
    return f"copying, {heads}" if kind == "ov_copying" else f"matching, {heads.replace('_', ' to ')}"


def mixed(run: StoredRun) -> pd.DataFrame:
    """Who announces, and who is announced."""
    rows = []
    for pool in pools_shown(run):
        before = prefix(run, pool)
        if f"{before}mixed/interaction" not in run.metrics:
            continue
        cells = [(cue.value, copied.value, cell_key(cue, copied)) for cue in Whose for copied in Whose]
        if f"{before}mixed/{MENDED_CUE}" in run.metrics:
            cells.append(("own, input row mended", Whose.PARTNER.value, f"mixed/{MENDED_CUE}"))
        for cue, copied, key in cells:
            row = _row(run, f"{before}{key}", "identity effect")
            looks = f"{before}{key.replace('mixed/', 'mixed_attention/')}"
            row |= _row(run, looks, "induction attention") if looks in run.metrics else {}
            found = looks.replace("mixed_attention/", "mixed_matched/")
            row |= _row(run, found, "attended most") if found in run.metrics else {}
            rows.append({"pool": pool, "cue": cue, "copied": copied, **row})
        for key, label in (
            ("cost_of_cue", "an own cue costs"),
            ("cost_of_copied", "an own copied token costs"),
            ("interaction", "interaction"),
        ):
            row = _row(run, f"{before}mixed/{key}", "identity effect")
            rows.append({"pool": pool, "cue": label, "copied": "", **row})
    return pd.DataFrame(rows)


def ablations(run: StoredRun) -> pd.DataFrame:
    """What the partners' copying loses without the chosen heads."""
    rows = []
    for pool in pools_shown(run):
        for name in run.details["ablations"]:
            kind, how = name.split("_")
            rows.append(
                {
                    "pool": pool,
                    "without": " ".join([_ABLATED[kind], ", ".join(run.details["heads"].get(kind, ()))]).strip(),
                    "replaced by": _BY[how],
                    **_row(run, f"{prefix(run, pool)}ablated/{name}", "share lost"),
                }
            )
    return pd.DataFrame(rows)


def tokens(run: StoredRun) -> pd.DataFrame:
    """Every token, those that lose most first."""
    rows = [
        {
            "pool": row["pool"],
            "id": row["token"],
            "token": visible(str(row["shown"])) + (" (special)" if row["special"] else ""),
            "partner": visible(str(row["partner_shown"])),
            "identity effect": row["identity"]["own"],
            "partner's": row["identity"]["partner"],
            "log-prob": row["logprob"],
            "partner's log-prob": row["logprob_partner"],
            "patterns, all": row["identity"].get("patterns_all"),
            "input mended": row["identity"].get("mend_input"),
            "output mended": row["identity"].get("mend_output"),
            "both mended": row["identity"].get("mend_both"),
        }
        for row in run.record_rows()
    ]
    order = {pool: place for place, pool in enumerate(pools_shown(run))}
    rows.sort(key=lambda row: (order[row["pool"]], row["identity effect"] - row["partner's"]))
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


TABLES = (
    Table(
        "restored",
        "Share of the lost identity effect that each intervention restores; share of appearances copied with it; "
        "and the share of their own identity effect that partners keep under the same intervention (95 % percentile "
        "bootstrap over tokens and draws). A partner's row or output read as the token itself must fail, as it does "
        "among well-known tokens.",
        restored,
    ),
    Table(
        "pools",
        "Identity effect (logits) and copy effect (nats) of tokens under study and of their partners in the same "
        "places, where the chosen heads look, and the share of appearances in which the final state tells the token "
        "from all others (95 % percentile bootstrap over tokens and draws).",
        pools,
    ),
    Table(
        "by_layer",
        "Share of the lost identity effect restored by the residual stream of the partner's run before each layer, "
        "at the positions of one half, read as the partner; and the identity effect (logits) where the stream before a "
        "layer goes straight to the final norm.",
        by_layer,
    ),
    Table(
        "attribution",
        "Direct logit attribution: the identity effect (logits) by what each part writes where the token is predicted, "
        "the final norm's scale frozen at each run's own (95 % percentile bootstrap over tokens and draws). Parts add "
        "up to the identity effect; the rest is the embedding and biases.",
        attribution,
    ),
    Table(
        "circuits",
        "What heads do by their weights alone: of each token the place of its own among the pool's tokens and all "
        "well-known ones, in what an induction head writes of its input row (copying) and, as a cue, among keys made "
        "of what a previous-token head writes (matching): share that come first, reciprocal rank, and height above the "
        "mean in standard deviations (95 % intervals over tokens: Wilson for shares, percentile bootstrap otherwise).",
        circuits,
    ),
    Table(
        "mixed",
        "Identity effect (logits) where tokens announce one another: own, or the partner's in its place; induction "
        "heads' attention from the cue to what followed it, and the share of them that attend to it most of all.",
        mixed,
    ),
    Table(
        "ablations",
        "Share of the partners' identity effect that is lost without the chosen heads.",
        ablations,
    ),
    Table("tokens", "Every token, those that lose most first: identity effects (logits).", tokens),
)
