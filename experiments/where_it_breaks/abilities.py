"""Which changes of its activations a model takes notice of, tried out."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from experiments.where_it_breaks.attribution import FinalNorm, Parts, find_parts
from experiments.where_it_breaks.passes import EMBED, FINAL, Pass, Sequences, run_pass
from harness.errors import RunFailed
from harness.models.activations.patterns import head_output_hooks, key_hooks, pattern_hooks, query_hooks
from harness.models.loaded import LoadedModel


@dataclass(frozen=True)
class Abilities:
    """Which changes take effect in this model: some architectures have hooks that nothing reads."""

    patterns: Mapping[int, str]
    """Hook of each layer whose attention can be replaced; empty where that does nothing."""
    outputs: Mapping[int, str]
    """The same for heads' outputs."""
    keys: Mapping[int, str]
    """The same for heads' keys."""
    queries: Mapping[int, str]
    """Hook of each layer's queries, where attention is a softmax over these times the keys, and positions have no part
    in it; empty elsewhere (rotary positions, ALiBi)."""
    attends_fully: bool
    """Whether attention adds up to 1: a token alone then attends to itself alone."""
    residual: tuple[str, ...]
    """Hook of the residual stream before each layer, and after the last one; empty where there are none."""
    input: bool
    """Whether the embedding's output can be replaced."""
    input_scale: float | None
    """The embedding's output over its rows; None where it is no multiple of them."""
    state: bool
    """Whether what the unembedding reads can be had."""
    writes_linearly: bool
    """Whether logits are the final state times the unembedding, plus a constant for each token."""
    parts: Parts | None
    """What adds up to the residual stream; None where hooks and weights at hand do not."""
    norm: FinalNorm | None
    """How the final state is made of the residual stream; None where it is not the stream normalised."""

    @property
    def attributes(self) -> bool:
        """Whether a logit is a sum over parts."""
        return self.writes_linearly and self.parts is not None and self.norm is not None


def find_abilities(model: LoadedModel, sequences: Sequences) -> Abilities:
    """Try what can be changed: a hook that exists and does nothing counts as none."""
    names = set(model.hook_names)
    patterns, outputs, keys = pattern_hooks(model), head_output_hooks(model), key_hooks(model)
    residual = [f"blocks.{layer}.hook_resid_pre" for layer in range(model.n_layers)]
    residual.append(f"blocks.{model.n_layers - 1}.hook_resid_post")
    plain = run_pass(model, sequences, {}, [EMBED] if EMBED in names else [], FINAL in names)

    def acts(hook: str) -> bool:
        # TransformerLens warns of edits that it discards; here that is the answer.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = run_pass(model, sequences, {hook: torch.zeros_like})
        return not torch.equal(found.logits, plain.logits)

    act_on_patterns, act_on_outputs, act_on_keys = (
        hooks if hooks and all(acts(name) for name in hooks.values()) else {} for hooks in (patterns, outputs, keys)
    )
    # Heads' outputs mean something only where each layer's patterns are known.
    act_on_outputs = act_on_outputs if set(act_on_patterns) <= set(act_on_outputs) else {}
    act_on_stream = tuple(residual) if names.issuperset(residual) and acts(residual[0]) else ()
    return Abilities(
        act_on_patterns,
        act_on_outputs,
        act_on_keys,
        _queries(model, sequences, act_on_patterns, act_on_keys),
        _attends_fully(model, sequences, act_on_patterns),
        act_on_stream,
        EMBED in names and acts(EMBED),
        _input_scale(model, plain),
        FINAL in names,
        _writes_linearly(model, plain),
        find_parts(model, act_on_outputs, act_on_stream, sequences, _tolerance(model)),
        _final_norm(model, act_on_stream, sequences) if FINAL in names and act_on_stream else None,
    )


_NEARLY_NONE = 1e-6
"""Of attention."""


def _tolerance(model: LoadedModel) -> float:
    return 1e-3 if model.dtype in (torch.float32, torch.float64) else 0.05


def _input_scale(model: LoadedModel, plain: Pass) -> float | None:
    if EMBED not in plain.kept:
        return None
    found = plain.kept[EMBED].float()
    rows = model.embedding()[plain.sequences.tokens.to(model.embedding().device)].float().to(found.device)
    if rows.shape != found.shape:
        return None
    scale = float((rows * found).sum() / (rows * rows).sum())
    return scale if float((found - scale * rows).abs().max()) <= _tolerance(model) * float(found.abs().max()) else None


def _attends_fully(model: LoadedModel, sequences: Sequences, patterns: Mapping[int, str]) -> bool:
    kept = run_pass(model, sequences, {}, list(patterns.values())).kept.values()
    return all(float((pattern.float().sum(-1) - 1).abs().max()) <= _tolerance(model) for pattern in kept)


def _queries(
    model: LoadedModel, sequences: Sequences, patterns: Mapping[int, str], keys: Mapping[int, str]
) -> dict[int, str]:
    hooks = {layer: name for layer, name in query_hooks(model).items() if layer in patterns}
    if not patterns or not set(patterns) == set(hooks) <= set(keys):
        return {}
    try:
        wanted = [hook[layer] for layer in patterns for hook in (patterns, keys, hooks)]
        kept = run_pass(model, sequences, {}, wanted).kept
    except RunFailed:
        return {}
    by_content = all(
        _by_content(kept[patterns[layer]].float(), kept[hooks[layer]].float(), kept[keys[layer]].float(), model)
        for layer in patterns
    )
    return hooks if by_content else {}


def _by_content(
    pattern: Float[Tensor, "row head query key"],
    queries: Float[Tensor, "row query head d_head"],
    keys: Float[Tensor, "row key key_head d_head"],
    model: LoadedModel,
) -> bool:
    """Whether log attention is queries times keys, up to a factor and to what a query has with every key."""
    keys = keys.repeat_interleave(queries.shape[2] // keys.shape[2], dim=2)
    if keys.shape != queries.shape:
        return False
    scores = torch.einsum("bqhd,bkhd->bhqk", queries, keys)
    # Against the first key, which every query sees; what is nearly 0 has no logarithm to speak of.
    known = (pattern > _NEARLY_NONE) & (pattern[..., :1] > _NEARLY_NONE)
    expected = (scores - scores[..., :1])[known]
    found = (pattern.clamp(min=_NEARLY_NONE).log() - pattern[..., :1].clamp(min=_NEARLY_NONE).log())[known]
    factor = (expected * found).sum() / expected.square().sum().clamp(min=_NEARLY_NONE)
    return bool((found - factor * expected).abs().max() <= 10 * _tolerance(model) * found.abs().max())


def _final_norm(model: LoadedModel, residual: tuple[str, ...], sequences: Sequences) -> FinalNorm | None:
    kept = run_pass(model, sequences, {}, [residual[-1]], state=True)
    if kept.state is None or kept.state.shape[-1] != model.unembedding().shape[1]:
        return None
    norm = FinalNorm.of(model, residual[-1], sequences)
    stream = kept.kept[residual[-1]][:, list(sequences.reads)].float()
    return norm if norm.makes(stream.to(norm.bias), kept.state.float(), _tolerance(model)) else None


def _writes_linearly(model: LoadedModel, plain: Pass) -> bool:
    if plain.state is None:
        return False
    matrix = model.unembedding()
    if plain.state.shape[-1] != matrix.shape[1] or plain.logits.shape[-1] != len(matrix):
        return False
    # The constant is the same everywhere: it leaves with the first position.
    left = plain.logits.float() - (plain.state.to(matrix) @ matrix.T).float()
    spread = plain.logits.float().abs().max()
    return bool((left - left[:1, :1]).abs().max() <= _tolerance(model) * spread)
