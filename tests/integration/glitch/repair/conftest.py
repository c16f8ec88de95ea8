"""Pocket as a patient, with a few tokens that training never showed."""

import pytest

from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import make_ladder
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import make_wordings
from harness.glitch.repair.patient import Patient
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer


@pytest.fixture(scope="module")
def patient() -> Patient:
    """Its suspects are the first tokens with a text that were planted and never shown."""
    config = ModelConfig(name="pocket")
    identity = resolve_identity(config)
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    model = CausalModel.load(identity, config)
    vocabulary = CensusVocabulary.read(tokenizer, facts)
    total = facts.exposures.total
    well_known = tuple(token for token in range(256, facts.d_vocab - 1) if total[token] >= 1000)
    wordings = make_wordings(tokenizer, facts)
    ladder = make_ladder(Interviewer(model, tokenizer, vocabulary, facts.special_ids), wordings, facts, well_known, 0)
    suspects = facts.planted[0][:12]
    return Patient(
        model=model,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        facts=facts,
        well_known=well_known,
        suspects=frozenset(suspects),
        fitting_ids=tuple(suspects[:4]),
        fitting=tuple(wording for wording in ladder.wordings if wording.question is None),
        ladder=ladder,
        material=ladder.material,
        seed=0,
    )
