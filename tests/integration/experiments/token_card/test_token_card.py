"""The card of a token of which everything is known beforehand."""

import numpy as np
import pytest

from harness.errors import Rejected
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs import registry
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.tokens.prompts import Task
from tests.helpers.scripted_census import scripted_model, write_model

pytestmark = pytest.mark.integration

CA, CAP, ON = 259, 260, 261
TAB, NO_TOKEN, NEVER = 197, 267, 177


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("card") / "tiny")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("cards")


def card(folder, results, token, **exp):
    return execute(
        RunConfig(
            exp_name="token_card",
            exp=registry.load("token_card").config(token=token, **exp),
            model=ModelConfig(name=str(folder), device="cpu"),
            pools={"common": tuple(range(65, 75))},
            results_dir=results,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )


class TestVocabulary:
    def test_merges_and_longer_tokens(self, folder, results):
        run = card(folder, results, CA)
        details = run.details
        assert details["card"]["token"] == "ca"
        assert details["card"]["bytes"] == "63 61"
        assert [row["token"] for row in details["made_of"]] == ["c", "a"]
        assert [row["id"] for row in details["part_of"]] == [CAP]
        assert [row["id"] for row in details["superstrings"]] == [CAP]
        assert details["card"]["merge_rank"] == 4
        assert details["card"]["is_reachable"] and details["card"]["category"] == "ok"

    def test_by_its_text(self, folder, results):
        run = card(folder, results, "cap")
        assert run.metrics["id"] == CAP
        assert [row["token"] for row in run.details["made_of"]] == ["ca", "p"]

    def test_a_byte_that_no_text_holds(self, folder, results):
        run = card(folder, results, NEVER)
        assert run.details["card"]["bytes"] == "f5"
        assert run.details["card"]["token"] == "\\xf5"
        assert run.details["card"]["byte_type"] == "unused_utf8"
        assert any("No text leads to this token" in note for note in run.notes)

    def test_a_row_without_a_token(self, folder, results):
        run = card(folder, results, NO_TOKEN)
        assert run.details["card"]["category"] == "no_token"
        assert run.details["card"]["bytes"] is None
        assert run.details["superstrings"] == []

    def test_a_control_character_is_shown_and_harmless(self, folder, results):
        run = card(folder, results, 215)  # the byte 0x1B, which begins a terminal's commands
        assert run.details["card"]["bytes"] == "1b"
        for name in ("report.html", "tables/card.csv", "tables/card.tex", "metrics.json"):
            assert "\x1b" not in (run.folder / name).read_text(encoding="utf-8")


class TestRows:
    def test_rank_and_neighbours_by_hand(self, folder, results):
        run = card(folder, results, CAP, n_neighbours=3)
        identity_rows = run.arrays["indicator/norm_output"]
        rank = 1 + int((identity_rows < identity_rows[CAP]).sum())
        assert run.metrics["indicator/norm_output/rank"] == rank
        import transformers as tf

        rows = tf.AutoModelForCausalLM.from_pretrained(folder).get_output_embeddings().weight.detach().numpy()
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        order = [int(i) for i in np.argsort(-(unit @ unit[CAP])) if i != CAP][:3]
        assert [row["id"] for row in run.details["neighbours"]["output"]] == order
        assert list(run.details["neighbours"]) == ["output"]

    def test_an_untied_model_has_two_matrices(self, tmp_path):
        run = card(write_model(tmp_path / "untied", tied=False), tmp_path, CAP)
        assert set(run.details["neighbours"]) == {"input", "output"}
        assert [row["name"] for row in run.details["indicators"] if row["is_main"]] == ["norm_input"]


class TestAnswers:
    def test_a_planted_failure(self, folder, tmp_path, monkeypatch):
        wrong = {Task.REPETITION: {CAP: " <script>alert(1)</script>"}}
        real = CausalModel.load

        def scripted(identity, config):
            model, weights = scripted_model(identity, config, wrong), real(identity, config).unembedding()
            model.backend.get_output_embeddings = lambda: type("Head", (), {"weight": weights})
            model.backend.get_input_embeddings = model.backend.get_output_embeddings
            return model

        monkeypatch.setattr(CausalModel, "load", scripted)
        failed, passed = card(folder, tmp_path, CAP), card(folder, tmp_path, ON)
        assert failed.metrics["glitch"] == 1 and passed.metrics["glitch"] == 0
        rows = {row["wording"]: row for row in failed.details["census"]}
        assert {row["passed"] for name, row in rows.items() if not name.startswith("copied")} == {False}
        # The script copies nothing.
        assert [name for name, row in rows.items() if not row["informative"]] == ["copied_1", "copied_3"]
        assert failed.metrics["verdict"] == "glitch"
        assert failed.headline[2].values["value"] == "glitch token"
        assert "<script>alert" not in (failed.folder / "report.html").read_text(encoding="utf-8")

    def test_a_model_that_can_do_nothing_gives_no_verdict(self, folder, results):
        run = card(folder, results, CAP)
        assert run.metrics["glitch"] is None
        assert run.metrics["verification_informative"] == 0 and run.metrics["verified"] is None
        assert {row["informative"] for row in run.details["census"]} == {False}
        assert any("uninformative" in note for note in run.notes)

    def test_logits_are_no_probabilities(self, folder, results):
        run = card(folder, results, CAP)
        assert len(run.arrays["context/ids"]) == 10
        assert run.metrics["context/logprob"] == pytest.approx(float(run.arrays["context/logprob"].mean()), abs=1e-5)
        assert (run.arrays["context/logprob"] < 0).all()
        assert run.arrays["context/rank"].min() >= 1
        assert sum(row["prob"] for row in run.details["next"]) <= 1

    def test_prompts_that_do_not_fit(self, folder, tmp_path):
        run = execute(
            RunConfig(
                exp_name="token_card",
                exp=registry.load("token_card").config(token=CAP),
                model=ModelConfig(name=str(folder), device="cpu", n_ctx=16),
                pools={"common": tuple(range(65, 75))},
                results_dir=tmp_path,
                tracker=TrackerConfig(kind=TrackerKind.NONE),
            )
        )
        assert run.metrics["max_prob"] is None and run.metrics["verified"] is None
        assert sum("is left out" in note for note in run.notes) == 3
        assert (run.folder / "figures" / "card.png").is_file()


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (None, r"exp\.token: got None"),
        ("cap cap", "is 3 tokens: 260 cap, 220"),
        (9999, "0 to 268"),
        ("", "is 0 tokens"),
    ],
)
def test_what_is_no_token_is_refused(folder, tmp_path, token, problem):
    with pytest.raises(Rejected, match=problem):
        card(folder, tmp_path, token)
    assert not list(tmp_path.glob("token_card/*/manifest.json"))
