"""An experiment that needs no more than a tokenizer: when a model takes part, and what the run is called."""

import json
import shutil

import pytest

from harness.errors import Rejected
from harness.models.tokenizer_files import resolve_tokenizer
from harness.pipeline import execute
from harness.runs.config.compose import compose_run
from harness.runs.preparing import prepare
from tests.helpers.scripted_census import EXTRA_ROWS, write_model

pytestmark = pytest.mark.integration


def prepared(*words: str):
    return prepare(compose_run(["exp=token_audit", "tracker=none", *words]))


def test_a_named_tokenizer_stands_alone_and_names_the_run(shared_dir):
    run = prepared(f"tokenizer.name={shared_dir}/tokenizers/gpt2")
    assert run.identity is None
    assert run.run_id.startswith("gpt2-")


def test_the_model_takes_part_without_a_named_tokenizer_or_where_it_is_asked_for(shared_dir):
    stories = f"model.name={shared_dir}/models/stories260k"
    alone = prepared(stories)
    both = prepared(stories, f"tokenizer.name={shared_dir}/tokenizers/gpt2")
    for run in (alone, both):
        assert run.identity is not None
        assert run.run_id.startswith("stories260k-")
    assert alone.run_id != both.run_id


def test_the_run_id_follows_the_files_and_not_their_folder(shared_dir, tmp_path):
    source = shared_dir / "tokenizers" / "gpt2"
    for name in ("one", "two"):
        (tmp_path / name / "gpt2").mkdir(parents=True)
        for path in source.iterdir():
            shutil.copyfile(path, tmp_path / name / "gpt2" / path.name)
    ids = [
        prepared(f"tokenizer.name={folder}").run_id for folder in (source, tmp_path / "one/gpt2", tmp_path / "two/gpt2")
    ]
    assert len(set(ids)) == 1
    merges = tmp_path / "two" / "gpt2" / "merges.txt"
    merges.write_text("".join(merges.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert prepared(f"tokenizer.name={tmp_path}/two/gpt2").run_id != ids[0]


@pytest.mark.parametrize("name", ["{empty}", "no/such-tokenizer", "///"])
def test_a_tokenizer_that_is_not_there_is_refused_by_name(name, tmp_path):
    with pytest.raises(Rejected, match=r"tokenizer\.name: got"):
        resolve_tokenizer(name.format(empty=tmp_path))


def test_a_model_without_a_tokenizer_is_refused_and_leaves_nothing(checkpoints, tmp_path):
    config = compose_run(
        ["exp=token_audit", "tracker=none", f"model.name={checkpoints['gpt2']}", f"results_dir={tmp_path}"]
    )
    with pytest.raises(Rejected, match="comes without a tokenizer, which token_audit needs"):
        execute(config)
    assert not list(tmp_path.glob("token_audit/*/manifest.json"))


def test_an_audit_is_stored_drawn_and_reported(shared_dir, tmp_path):
    config = compose_run(
        ["exp=token_audit", "tracker=none", f"model.name={shared_dir}/models/stories260k", f"results_dir={tmp_path}"]
    )
    run = execute(config)
    assert json.loads((run.folder / "metrics.json").read_text())["ok"] == 253
    assert len(run.records) == run.metrics["ids"] == 512
    assert (
        sum(run.metrics[name] for name in ("bytes", "special", "utf8_fragments", "unreachable", "ok", "no_token"))
        == 512
    )
    assert "categories" in run.figures
    assert (run.folder / "tables" / "byte_tokens.csv").is_file()
    assert (run.folder / "report.html").is_file()


def test_more_rows_than_tokens_and_fewer_are_said_and_counted(shared_dir, tmp_path):
    folder = write_model(tmp_path / "model")
    own = execute(compose_run(["exp=token_audit", "tracker=none", f"model.name={folder}", f"results_dir={tmp_path}"]))
    assert own.metrics["no_token"] == EXTRA_ROWS
    assert own.metrics["ids"] == own.metrics["bytes"] + own.metrics["ok"] + own.metrics["special"] + EXTRA_ROWS
    assert any(f"{EXTRA_ROWS} of {own.metrics['ids']} embedding rows" in note for note in own.notes)
    other = f"tokenizer.name={shared_dir}/tokenizers/gpt2"
    given = execute(
        compose_run(["exp=token_audit", "tracker=none", f"model.name={folder}", other, f"results_dir={tmp_path}"])
    )
    assert given.metrics["tokens_without_row"] == 50_257 - own.metrics["ids"]
    assert given.manifest["tokenizer"]["label"] == "gpt2"
    assert any("have no row in the embedding" in note for note in given.notes)
