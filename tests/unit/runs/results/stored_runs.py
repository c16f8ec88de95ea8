"""Run folders of repeat_tokens made up on the spot: the layout is real, the numbers are invented."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experiments.repeat_tokens import display, figures, paper, tables
from harness.reporting.display import Display
from harness.runs.results.headline import to_plain
from harness.runs.results.stored_run import StoredRun, load_run
from harness.runs.folder import RunFolder

# What vocabularies hold: markup, quotes, a script's end, control characters, right-to-left text and overrides, half a
# surrogate pair, mathematics, LaTeX, and something far too long.
HOSTILE_TOKENS = (
    "</script><script>window.pwned=1</script>",
    '"><img src=x onerror="window.pwned=1">',
    "\x00\x1b[31m\x07",
    "\n\t ",
    "مرحبا",
    "\u202eevil\u202c",
    "\ud83d",
    "$x_1^2$ & 50% #\\input{x}",
    "[bold red]",
    "{{ 7*7 }}",
    "\u2028\u200b\ufeff",
    "ÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂÃÂ",
    "日本語",
)

SUMMARY = "made up <b>summary</b>"
DISPLAY = Display(
    headline=display.headline,
    figures=figures.FIGURES,
    tables=tables.TABLES,
    panels=figures.panels,
    paper_figures=paper.PAPER_FIGURES,
    paper_tables=paper.PAPER_TABLES,
)
"""How repeat_tokens is shown, without what it computes."""
FEW_FIGURES = replace(DISPLAY, figures=DISPLAY.figures[:2])


@dataclass(frozen=True)
class Made:
    """What a made-up run is like."""

    model: str = "pocket"
    seed: int = 0
    pools: dict[str, Any] = field(default_factory=lambda: {"unused": "177:188", "common": "exposures:1000:"})
    seq_len: int = 25
    n_sequences: int = 64
    n_layers: int = 3
    n_heads: int = 8
    n_top: int = 12
    heads: bool = True
    has_bos: bool = True
    published: bool = False
    schema_version: int = 1
    experiment_version: int = 1
    status: str = "complete"
    gain: float = 6.0
    """Copy gain of every pool but the first."""
    tokens: tuple[str, ...] = HOSTILE_TOKENS

    @property
    def run_id(self) -> str:
        """Stands in for the hash of everything that changes the answer."""
        key = json.dumps([self.seed, self.pools, self.seq_len, self.schema_version, self.experiment_version])
        return f"{self.model}-{np.uint32(sum(ord(c) * 31**i for i, c in enumerate(key)) % 2**32):08x}"


def write_run(results_dir: Path, made: Made | None = None) -> StoredRun:
    """Write the folder of a made-up run and read it back."""
    made = made or Made()
    folder = RunFolder(results_dir / "repeat_tokens" / made.run_id)
    folder.create()
    rng = np.random.default_rng(made.seed)
    arrays: dict[str, np.ndarray] = {}
    metrics: dict[str, Any] = {}
    for number, pool in enumerate(made.pools):
        arrays |= _arrays(made, pool, made.gain if number else -0.4, rng)
        metrics |= _metrics(made, pool, arrays, made.gain if number else -0.4)
    names = list(made.pools)
    comparisons = [{"a": a, "b": b} for i, a in enumerate(names) for b in names[i + 1 :]]
    for pair in comparisons:
        key = f"compare/{pair['a']}_vs_{pair['b']}"
        for name in ("copy_effect", "copy_gain"):
            gap = metrics[f"{pair['a']}/{name}"] - metrics[f"{pair['b']}/{name}"]
            metrics |= {f"{key}/{name}_diff": gap, f"{key}/{name}_diff/ci_low": gap - 0.3}
            metrics |= {f"{key}/{name}_diff/ci_high": gap + 0.3, f"{key}/{name}_diff/p_value": 0.0002}
            metrics |= {f"{key}/{name}_diff/p_value_these_tokens": 0.0004}
        metrics |= {f"{key}/p_value": 0.0002, f"{key}/p_value_these_tokens": 0.0004}
    folder.write_arrays("arrays.safetensors", arrays)
    folder.write_json("metrics.json", metrics)
    # As ASCII: half a surrogate pair survives as an escape and comes back when read.
    folder.write_text("details.json", json.dumps(_details(made, comparisons)))
    folder.write_json("timings.json", {"compute": 1.5, "boot_model": 0.4})
    folder.write_text("config.yaml", yaml.safe_dump(_config(made), sort_keys=False))
    rows: list[dict[str, Any]]
    rows = [{"item": f"{pool}/{i}", "pool": pool, "copy_gain": 1.0} for pool in names for i in range(4)]
    rows += [_token(made, pool, i) for pool in names for i in range(len(made.tokens))]
    folder.write_text("records.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    folder.write_json("manifest.json", _manifest(made))
    folder.write_json("headline.json", to_plain(DISPLAY.headline(load_run(folder.path))))
    return load_run(folder.path)


def _arrays(made: Made, pool: str, gain: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    n = 2 * made.seq_len
    mean = -9.0 + rng.normal(0, 0.15, n) + np.where(np.arange(n) >= made.seq_len, gain, 0.0)
    width = rng.uniform(0.15, 0.4, n)
    arrays = {"logprob_mean": mean, "logprob_low": mean - width, "logprob_high": mean + width}
    arrays |= {"accuracy_mean": np.where(np.arange(n) >= made.seq_len, 0.9, 0.0) * (gain > 0)}
    arrays |= {"rank_median": np.exp(-mean / 1.2), "entropy_mean": np.clip(-mean * 0.7, 0.1, None)}
    if not made.has_bos:
        for values in arrays.values():
            values[0] = np.nan
    arrays |= {"logprob_control_mean": mean[made.seq_len :] - gain, "logprob_shuffled_mean": mean[: made.seq_len]}
    arrays |= {"logprob_foil_mean": mean[made.seq_len :] - gain - 1}
    arrays = {f"{pool}/position/{name}": values.astype(np.float32) for name, values in arrays.items()}
    if not made.heads:
        return arrays
    offsets = rng.dirichlet(np.full(made.seq_len + 1, 0.4), (made.n_layers, made.n_heads)) * 0.6
    offsets[1 % made.n_layers, 2, made.seq_len - 1] = 0.82 if gain > 0 else 0.2
    size = n + made.has_bos
    patterns = np.tril(rng.gamma(0.25, 1.0, (made.n_top, size, size)))
    patterns += np.eye(size) * 1e-3 + np.eye(size, k=-(made.seq_len - 1)) * 4 * (gain > 0)
    patterns /= patterns.sum(-1, keepdims=True)
    arrays[f"{pool}/heads/attention_by_offset"] = offsets.astype(np.float32)
    arrays[f"{pool}/example/pattern"] = patterns.astype(np.float32)
    arrays[f"{pool}/example/tokens"] = np.arange(size, dtype=np.int64)
    return arrays


def _metrics(made: Made, pool: str, arrays: dict[str, np.ndarray], gain: float) -> dict[str, Any]:
    mean = arrays[f"{pool}/position/logprob_mean"]
    first, second = float(np.nanmean(mean[: made.seq_len])), float(mean[made.seq_len :].mean())
    found = {"logprob_first_half": first, "logprob_second_half": second, "copy_gain": second - first}
    found |= {"copy_gain_cued": second - first + 0.2, "copy_effect": gain, "order_effect": 0.8 * gain}
    found |= {"logit_diff": gain + 1}
    found |= {"logprob_control": second - gain, "logprob_coinciding": second + 0.1}
    found |= {"copy_accuracy": 0.93 if gain > 0 else 0.0, "copy_accuracy_cued": 0.97 if gain > 0 else 0.0}
    metrics: dict[str, Any] = {f"{pool}/n_sequences": made.n_sequences, f"{pool}/n_tokens_told_apart": 9}
    for name, value in found.items():
        width = 0.02 if "accuracy" in name else 0.25
        low, high = value - width, value + width
        if "accuracy" in name:
            low, high = max(low, 0.0), min(high, 1.0)
        alone = made.n_sequences == 1
        metrics |= {f"{pool}/{name}": value, f"{pool}/{name}/ci_low": None if alone else low}
        metrics |= {f"{pool}/{name}/ci_high": None if alone else high}
    if made.heads:
        metrics |= {f"{pool}/induction_head": "1.2", f"{pool}/induction_score_max": 0.82 if gain > 0 else 0.2}
    return metrics


def _token(made: Made, pool: str, i: int) -> dict[str, Any]:
    effect = 0.3 * i
    return {
        "item": f"{pool}/token/{i}", "pool": pool, "token": i, "shown": made.tokens[i], "special": i == 2,
        "same_as": None, "n_coinciding": 1 + (i == 3), "n_appearances": 5, "copy_effect": effect,
        "copy_effect_low": effect - 0.2, "copy_effect_high": effect + 0.2, "order_effect": effect / 2, "logit_diff": effect + 1,
        "copy_accuracy": 0.5, "logprob_second_half": -5.0, "logprob_control": -5.0 - effect, "copy_gain": 0.1,
        "logprob_coinciding": -4.5,
    }  # fmt: skip


def _details(made: Made, comparisons: list[dict[str, str]]) -> dict[str, Any]:
    size = 2 * made.seq_len + made.has_bos
    shown = [made.tokens[i % len(made.tokens)] for i in range(size)]
    top = [{"label": f"{i // made.n_heads}.{i % made.n_heads}", "layer": i // made.n_heads, "head": i % made.n_heads}
           for i in range(made.n_top)]  # fmt: skip
    scores = [{**head, "score": 0.8 - 0.05 * i, "low": 0.7 - 0.05 * i, "high": 0.9 - 0.05 * i}
              for i, head in enumerate(top[:5])]  # fmt: skip
    kinds = ("induction", "prev_token", "duplicate_token")
    return {
        "seq_len": made.seq_len,
        "n_sequences": made.n_sequences,
        "draws": "matched",
        "is_matched": True,
        "companions": None,
        "has_bos": made.has_bos,
        "bos_id": 0 if made.has_bos else None,
        "pools": {
            name: {
                "spec": spec,
                "label": f"the pool {name}",
                "is_proxy": False,
                "n_ids": 11,
                "n_told_apart": 9,
                "n_special": 1,
                "n_in_half": 4,
                "ids": [1, 2, 3],
                "shown": list(made.tokens),
                "notes": [],
            }
            for name, spec in made.pools.items()
        },
        "heads": {
            "applicable": made.heads,
            "reason": "" if made.heads else "the model has no attention patterns",
            "layers": list(range(made.n_layers)) if made.heads else [],
            "n_heads": made.n_heads,
            "uniform_attention": 0.028,
            "top": top if made.heads else [],
            "by_pool": {name: dict.fromkeys(kinds, scores) for name in made.pools} if made.heads else {},
        },
        "examples": {name: {"tokens_shown": shown, "item": f"{name}/0"} for name in made.pools},
        "comparisons": comparisons,
        "intervals": {"copy_gain": "Student t over sequences"},
    }


def _config(made: Made) -> dict[str, Any]:
    reference = None
    if made.published:
        first, second = list(made.pools)[:2]
        metrics = {f"{first}/logprob_first_half": -17.27, f"{first}/logprob_second_half": -19.675}
        metrics |= {f"{second}/logprob_first_half": -7.327, f"{second}/logprob_second_half": -0.971}
        reference = {"source": "someone, somewhere", "condition": "GPT-2 small, seq_len 25", "metrics": metrics}
    return {
        "exp": {"name": "repeat_tokens", "seq_len": made.seq_len, "n_sequences": made.n_sequences},
        "model": {"name": made.model, "dtype": "float32"},
        "tokenizer": {"name": None},
        "pools": dict(made.pools),
        "reference": reference,
        "seed": made.seed,
        "force": False,
        "results_dir": "results",
        "tracker": {"kind": "none"},
        "cache": {"store": False},
        "sweep_id": "sweep-1",
    }


def _manifest(made: Made) -> dict[str, Any]:
    return {
        "schema_version": made.schema_version,
        "experiment": "repeat_tokens",
        "experiment_version": made.experiment_version,
        "run_id": made.run_id,
        "config_hash": made.run_id[-8:] * 8,
        "status": made.status,
        "started": f"2026-01-01T00:00:{made.seed:02d}+00:00",
        "ended": "2026-01-01T00:01:00+00:00",
        "error": "ValueError: planted" if made.status == "failed" else None,
        "exit_code": 0,
        "git": {"commit": "0" * 40, "dirty": False},
        "python": "3.11.0",
        "packages": {"torch": "2.13.0"},
        "model": {"name": made.model, "label": made.model, "source": "local", "revision": None,
                  "weights_sha256": f"{made.model}-weights", "dtype": "float32", "device": "cpu",
                  "compatibility_mode": False},
        "seed": {"seed": made.seed, "varies": "which tokens are drawn"},
        "sweep_id": "sweep-1",
        "notes": ["tokens were drawn with replacement: unused holds 11 ids"],
        "resumed": 0,
    }  # fmt: skip
