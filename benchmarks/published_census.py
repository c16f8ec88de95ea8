"""A published census against this one: the same prompt and rule, and what agreement of wordings says of its finds.

    python benchmarks/published_census.py [--model FILE.gguf] [--shared ../shared]

The published one (fuad-mahee/Benchmark @6982c2d, SmolLM2-135M-Instruct in fp16, ids 0 to 1499) asked once, in one
wording, with 24 new tokens, and passed any answer that holds the token's text. Here the same wording is asked of the
same tokens with that rule and with this harness's own, then a census by agreement is taken of them. Writes
results/reference/smollm2/published_census.json. Nothing is asserted: the weights are another file (Q4_1).
"""

import argparse
import csv
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question, make_question
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.pipeline import execute
from harness.runs.config.compose import compose_run
from harness.runs.lifecycle import open_run
from harness.runs.preparing import prepare
from harness.tokens.prompts import BENCHMARK_REPETITION
from harness.tokens.prompts.rules import BosRule, ChatRule
from harness.tokens.text import shown

MODEL = "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
OUT = Path("results/reference/smollm2/published_census.json")
_PUBLISHED_NEW_TOKENS = 24
_NAMED = 40


def published_verdicts(shared: Path) -> dict[int, bool]:
    """Whether each token is called a glitch token, of those that got a verdict."""
    with (shared / "oracles" / "smollm2_first1500.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        int(row["token_id"]): row["category"] == "glitch" for row in rows if row["category"] in ("glitch", "normal")
    }


def as_published(interviewer: Interviewer, question: Question, ids: list[int]) -> dict[int, bool]:
    """Which tokens fail by the published rule: their text, spaces aside, is no part of the answer."""
    room = replace(question, max_new_tokens=_PUBLISHED_NEW_TOKENS)
    answers = interviewer.ask(room, ids).answers
    return {answer.token_id: not answer.judgement.is_substring for answer in answers}


def main() -> None:
    """Ask, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--results", type=Path, default=Path("results/published_census"))
    arguments = parser.parse_args()
    published = published_verdicts(arguments.shared)
    ids = sorted(published)
    words = [
        "exp=census", f"model.name={arguments.model}", "exp.tokens=0:1500", "tracker=none",
        f"results_dir={arguments.results}",
    ]  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_run(prepare(compose_run([*words[:-1], f"results_dir={scratch}"]))) as opened,
        opened.run.answering() as model,
    ):
        run = opened.run
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids)
        question = make_question(BENCHMARK_REPETITION, run.tokenizer, run.facts, BosRule.NEVER, ChatRule.NEVER)
        fails = as_published(interviewer, question, ids)
        own = {answer.token_id: not answer.judgement.passed for answer in interviewer.ask(question, ids).answers}
        names = {token: shown(vocabulary.names[token]) for token in ids}
    census = execute(compose_run([*words, "exp.n_sample=20"]))
    verdict = dict(zip(census.records["id"], census.records["verdict"], strict=True))
    counting = census.details["informative"]
    glitch = [token for token in ids if published[token]]
    by_agreement = {name: [i for i in glitch if verdict.get(i) == name] for name in sorted(set(verdict.values()))}
    found = {
        "model": Path(arguments.model).name,
        "tokens": len(ids),
        "published_glitch": len(glitch),
        "same_wording_and_rule": {
            "fail": sum(fails.values()),
            "of_the_published_glitch": sum(fails[i] for i in glitch),
            "others": sum(fails[i] for i in ids if not published[i]),
        },
        "same_wording_own_rule": {"fail": sum(own.values()), "of_the_published_glitch": sum(own[i] for i in glitch)},
        "wordings_that_count": counting,
        "by_agreement": {
            "of_the_published_glitch": {name: len(some) for name, some in by_agreement.items()},
            "of_all": {name: sum(verdict.get(i) == name for i in ids) for name in by_agreement},
            "the_prompts_own": [names[i] for i in by_agreement.get("not_glitch", [])[:_NAMED]],
            "confirmed": [names[i] for i in by_agreement.get("glitch", [])[:_NAMED]],
        },
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
