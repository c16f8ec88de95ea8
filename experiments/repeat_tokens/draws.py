"""How many tokens of every pool stand in a half, and which other tokens keep them company."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from experiments.repeat_tokens.config import Draws, RepeatTokensConfig, draws_of, own_share_of, refuse_too_few
from harness.errors import Rejected, span
from harness.glitch.copying.coinciding import units_of
from harness.runs.context import Run
from harness.tokens.pools import resolve_pools
from harness.tokens.repeats import RepeatedTokens, Unit, draw_pairs, draw_with_replacement

_COMMON = "common"


@dataclass(frozen=True)
class Companions:
    """Well-known tokens that fill halves which a pool is too small for."""

    ids: tuple[int, ...]
    """One of every set that the model can't tell apart; none of them in a pool but the one they are from."""
    source: str
    """Where they are from, for a sentence."""


@dataclass(frozen=True)
class DrawPlan:
    """How the sequences of every pool are drawn."""

    draws: Draws
    units: Mapping[str, tuple[Unit, ...]]
    """Each pool's ids, those together that the model can't tell apart."""
    n_own: Mapping[str, int]
    """Of a half's tokens, how many are the pool's."""
    companions: Companions | None
    """None where every half is all the pool's."""

    @property
    def is_matched(self) -> bool:
        """Whether every pool has as many tokens in a sequence."""
        return len(set(self.n_own.values())) <= 1

    def unit_of(self, pool: str) -> dict[int, int]:
        """For each id of a pool the lowest one that the model can't tell from it."""
        return {token: min(unit) for unit in self.units[pool] for token in unit}


def plan_draws(run: Run[RepeatTokensConfig], coinciding: Mapping[int, tuple[int, ...]]) -> DrawPlan:
    """Decide how to draw. `coinciding` holds, for each id of a pool, all ids that the model can't tell from it.

    Raises `Rejected` for a pool without two tokens that the model can tell apart, or where companions are needed and
    the vocabulary has too few other tokens.
    """
    draws = draws_of(run.config)
    units = {name: units_of(pool.ids, coinciding) for name, pool in run.pools.items()}
    if draws is Draws.REPLACEMENT:
        fewest = min(len(pool.ids) for pool in run.pools.values())
        return DrawPlan(draws, units, dict.fromkeys(units, fewest), None)
    for name, pool in run.pools.items():
        refuse_too_few(name, len(units[name]), len(pool.ids))
    try:
        return _plan_halves(run, draws, units, coinciding, own_share_of(run.exp, draws))
    except Rejected:
        if run.exp.own_share is not None:
            raise
    # A vocabulary with too few other tokens: as few of them as it takes.
    return _plan_halves(run, draws, units, coinciding, own_share=1.0)


def _plan_halves(
    run: Run[RepeatTokensConfig],
    draws: Draws,
    units: Mapping[str, tuple[Unit, ...]],
    coinciding: Mapping[int, tuple[int, ...]],
    own_share: float,
) -> DrawPlan:
    most = max(1, int(own_share * run.exp.seq_len))
    n_own = {name: min(most, len(found) // 2) for name, found in units.items()}
    if draws is Draws.MATCHED:
        n_own = dict.fromkeys(n_own, min(n_own.values()))
    needed = 2 * (run.exp.seq_len - min(n_own.values()))
    companions = _find_companions(run, units, coinciding, needed, n_own) if needed else None
    return DrawPlan(draws, units, n_own, companions)


def draw(run: Run[RepeatTokensConfig], plan: DrawPlan, pool: str) -> RepeatedTokens:
    """The sequences of one pool."""
    exp, bos_id = run.exp, run.facts.bos_id
    if plan.draws is Draws.REPLACEMENT:
        return draw_with_replacement(
            run.pools[pool].ids, plan.n_own[pool], exp.seq_len, exp.n_sequences, run.seed, pool, bos_id
        )
    companions = plan.companions.ids if plan.companions is not None else ()
    return draw_pairs(
        plan.units[pool], plan.n_own[pool], companions, exp.seq_len, exp.n_sequences, run.seed, pool, bos_id
    )


def notes(run: Run[RepeatTokensConfig], plan: DrawPlan) -> Iterable[str]:
    """What a reader must know of the draws."""
    if plan.draws is Draws.REPLACEMENT:
        yield (
            "Tokens were drawn with replacement, as in the literature, and there is no control: copy_gain also holds "
            "what any text's first positions cost (exp.draws=matched measures copy_effect)."
        )
        return
    if not plan.is_matched:
        counts = ", ".join(f"{n} of {name}" for name, n in plan.n_own.items())
        yield f"The pools are not matched (exp.draws=unmatched): a half holds {counts}; it may be all the difference."
    sizes = {name: len(found) for name, found in plan.units.items()}
    if plan.is_matched and len(set(sizes.values())) > 1:
        n_own = next(iter(plan.n_own.values()))
        counts = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        yield (
            f"Draws are matched: every pair of sequences takes {2 * n_own} tokens of each pool ({counts}), anew each "
            "time and without replacement."
        )
    share = own_share_of(run.exp, plan.draws)
    wanted = max(1, int(share * run.exp.seq_len))
    most = max(plan.n_own.values())
    if most > wanted:
        yield (
            f"A half holds {most} of its pool's tokens and not {wanted}, since too few other tokens can keep them "
            "company: tokens of one pool help or hinder one another, and intervals over tokens are too short."
        )
    for name, pool in run.pools.items():
        n_units = sizes[name]
        if n_units < len(pool.ids):
            yield (
                f"pools.{name}: the model can tell {n_units} of its {len(pool.ids)} ids apart (the embedding's rows of "
                "the others coincide); those count as one, and no sequence holds two of them"
            )
    if plan.companions is not None:
        own = sorted(set(plan.n_own.values()))
        count = str(own[0]) if len(own) == 1 else f"{own[0]} to {own[-1]}"
        fewest = min(sizes.values())
        too_few = own[0] == fewest // 2 < wanted
        why = f" (the smallest pool has {fewest} to share between a half and its control)" if too_few else ""
        yield (
            f"A half holds {count} of its pool's tokens{why} among {plan.companions.source}; only the pool's own "
            "are measured."
        )


def _find_companions(
    run: Run[RepeatTokensConfig],
    units: Mapping[str, Sequence[Unit]],
    coinciding: Mapping[int, tuple[int, ...]],
    needed: int,
    n_own: Mapping[str, int],
) -> Companions:
    pooled = {token for pool in run.pools.values() for token in pool.ids}
    taken = pooled | {same for token in pooled for same in coinciding.get(token, ())}
    common = units.get(_COMMON, ())
    if len(common) >= needed + 2 * n_own.get(_COMMON, 0):
        others = {token for name, pool in run.pools.items() if name != _COMMON for token in pool.ids}
        apart = (unit for unit in common if not others & {same for token in unit for same in coinciding.get(token, ())})
        return Companions(tuple(unit[0] for unit in apart), "companions from the common pool")
    most = 0
    doubles = {token for known in coinciding.values() if len(known) > 1 for token in known}
    for spec, source, left_out in (
        ("auto", "well-known companions", taken),
        # Where the pools hold the whole vocabulary, as bands of exposures do: well-known tokens of the pools.
        ("auto", "well-known companions, of the pools too", doubles),
        ("all", "companions from the rest of the vocabulary", taken),
    ):
        try:
            found = resolve_pools({_COMMON: spec}, run.facts, run.seed, run.tokenizer if run.has_tokenizer else None)
        except Rejected:  # the vocabulary has no such tokens
            continue
        ids = tuple(token for token in found[_COMMON].ids if token not in left_out)
        # A pair's own tokens keep it no company.
        own = min(2 * max(n_own.values()), len(pooled.intersection(ids)))
        if len(ids) >= needed + own:
            label = f" ({found[_COMMON].label})" if spec == "auto" else ""
            return Companions(ids, source + label)
        most = max(most, len(ids))
    smallest = min(len(found) // 2 for found in units.values())
    raise Rejected(
        f"exp.seq_len: got {run.exp.seq_len}, allowed: {span(2, smallest + most // 2)}: half of the smallest pool "
        f"({smallest}) and half of the {most} other tokens that can keep its tokens company"
    )
