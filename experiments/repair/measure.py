"""How exp=repair is measured: wordings, tokens, then one method after another; the checkpoint at the end."""

from typing import Any

from experiments.repair.choosing import Tokens, choose_tokens
from experiments.repair.config import RepairConfig
from experiments.repair.evaluating import Found, Ward, copied_pairs, evaluate, prepare
from experiments.repair.metrics import Measured, records, summarise
from experiments.repair.text import choose_documents
from experiments.repair.wordings import Wordings, choose_wordings, with_second_ways
from harness.errors import RunFailed
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, make_ladder
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import make_wordings
from harness.glitch.repair.checkpoint import write_checkpoint
from harness.glitch.repair.mending import Mending
from harness.glitch.repair.patient import Patient
from harness.glitch.repair.roster import all_methods
from harness.models.answers.causal_model import CausalModel
from harness.runs.context import Outcome, Run

_NOTHING_COUNTS = (
    "Nothing can be said about this model's tokens, and nothing is mended: wordings of {families} count, and a glitch "
    "token is told by two families, of which one at least is held out."
)
_NO_COUNTS = (
    "Training counts are not copied beside the mended weights, since they are of other rows. By them prompts begin "
    "with BOS; asked about the mended model, say so: exp.bos=always."
)
_NO_GLITCH = "No token of {source} fails every wording that counts: nothing is mended."


def measure(run: Run[RepairConfig]) -> Outcome:
    """Find the tokens, try every method on them, and write the mended model where a folder is named."""
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        wordings = make_wordings(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
        common = run.pools["common"].ids
        ladder = make_ladder(interviewer, with_second_ways(wordings), run.facts, common, run.seed)
        with run.timer("wordings"):
            counting = choose_wordings(run, ladder, wordings)
        if not counting.can_decide:
            families = sorted({wording.family.value for wording in counting.all})
            run.warn(_NOTHING_COUNTS.format(families=", ".join(families) or "no family"))
            return _nothing(run, counting)
        with run.timer("tokens"):
            tokens = choose_tokens(run, ladder, counting)
        if not len(tokens.glitch):
            run.warn(_NO_GLITCH.format(source=tokens.source))
            return _nothing(run, counting)
        ward = _admit(run, model, vocabulary, ladder, counting, tokens)
        found = _try_methods(run, ward)
    measured = Measured(ward, found, vocabulary)
    run.records.append(records(run, measured))
    return summarise(run, measured)


def _nothing(run: Run[RepairConfig], wordings: Wordings) -> Outcome:
    if run.exp.out is not None:
        raise RunFailed("exp.out: no checkpoint is written, since no glitch token is known that could be mended")
    counts = {
        "glitch_tokens": 0,
        "fitting_wordings": len(wordings.fitting),
        "held_out_wordings": len(wordings.held_out),
    }
    return Outcome(counts, details={"methods": [], "wordings": _wording_details(wordings)})


def _wording_details(wordings: Wordings) -> dict[str, Any]:
    return {
        "fitting": [wording.name for wording in wordings.fitting],
        "held_out": [wording.name for wording in wordings.held_out],
    }


def _admit(
    run: Run[RepairConfig],
    model: CausalModel,
    vocabulary: CensusVocabulary,
    ladder: Ladder,
    wordings: Wordings,
    tokens: Tokens,
) -> Ward:
    well_known = tuple(token for token in run.pools["common"].ids if token not in tokens.suspects)
    patient = Patient(
        model=model,
        tokenizer=run.tokenizer,
        vocabulary=vocabulary,
        facts=run.facts,
        well_known=well_known,
        suspects=tokens.suspects,
        fitting_ids=tuple(tokens.glitch[~tokens.held_out].tolist()),
        fitting=wordings.fitting,
        ladder=ladder,
        material=ladder.material,
        seed=run.seed,
    )
    pairs = copied_pairs(run.seed, patient, tokens.healthy.tolist(), run.exp.n_copied)
    run.note(
        f"{len(tokens.glitch)} glitch tokens are mended ({tokens.source}, asked again in this run): they fail all of "
        f"{', '.join(wording.name for wording in wordings.all)}. Methods may see {len(patient.fitting_ids)} of them "
        f"and {', '.join(wording.name for wording in wordings.fitting) or 'no wording'}."
    )
    return Ward(patient, tokens, wordings, choose_documents(run), pairs)


def _try_methods(run: Run[RepairConfig], ward: Ward) -> dict[str, Found]:
    methods = all_methods(run.exp.gradient, run.exp.glitchprober)
    found: dict[str, Found] = {}
    with run.progress(len(run.exp.methods), "methods") as advance:
        for name in run.exp.methods:
            method = methods[name]
            obstacle = method.obstacle(ward.patient)
            if obstacle is not None:
                if run.exp.method is not None:
                    raise RunFailed(f"exp.method: {name} can't be applied to this model: {obstacle}")
                run.note(f"{name} is left out: {obstacle}.")
                continue
            with run.timer(f"method/{name}"):
                found[name], mending = evaluate(run, ward, method)
            if name == run.exp.method and run.exp.out is not None:
                _write(run, ward, mending or prepare(ward, method, run.seed)[1])
            advance(1)
    return found


def _write(run: Run[RepairConfig], ward: Ward, mending: Mending) -> None:
    assert run.exp.out is not None
    facts = {
        "made_from": run.identity.name,
        "weights": run.identity.fingerprint,
        "method": run.exp.method,
        "settings": dict(mending.facts),
        "mended": [token for token in ward.tokens.glitch.tolist() if token not in mending.left_out],
        "left_as_they_were": list(mending.left_out),
        "seed": run.seed,
    }
    written = write_checkpoint(mending, ward.patient.model, run.tokenizer, run.exp.out, facts)
    run.note(f"The mended checkpoint is in {run.exp.out} ({written.n_bytes / 1e6:.1f} MB).{written.remark}")
    if run.facts.exposures is not None:
        run.note(_NO_COUNTS)
