"""Batch sizes: chosen the same way every time, halved when a GPU runs out."""

from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from harness.errors import Rejected, RunFailed
from harness.models import _memory as memory_module
from harness.models import batch_size
from harness.models._memory import memory_budget
from harness.models.batch_size import bytes_per_sequence, choose_batch_size, halve_on_oom
from harness.models.loaded import LoadedModel, ModelStructure

HOOKS = ("blocks.0.attn.hook_pattern",)


class Shape(LoadedModel):
    """A model with sizes and nothing else."""

    def __init__(self, d_vocab: int = 1000, hooks: tuple[str, ...] = HOOKS) -> None:
        self._structure = ModelStructure(hooks, n_layers=1, n_heads=2, d_model=8, d_vocab=d_vocab, n_ctx=None)

    @property
    def structure(self) -> ModelStructure:
        return self._structure

    @property
    def fingerprint(self) -> str:
        return "shape"

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def forward(
        self,
        tokens: Tensor,
        reducers: Mapping[str, Callable[[Tensor], None]] = {},
        edits: Mapping[str, Callable[[Tensor], Tensor]] = {},
    ) -> Tensor:
        raise NotImplementedError

    def embedding(self) -> Tensor:
        raise NotImplementedError

    def unembedding(self) -> Tensor:
        raise NotImplementedError

    def close(self) -> None:
        pass


def budget(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(batch_size, "memory_budget", lambda _: size)


def test_estimate_by_hand() -> None:
    # 10 positions: logits 10*1000*(4+4), patterns 4*2*10*10*4, streams 12*10*8*4.
    assert bytes_per_sequence(Shape(), 10) == 80_000 + 3_200 + 3_840
    assert bytes_per_sequence(Shape(hooks=()), 10) == 80_000 + 3_840


@pytest.mark.parametrize(
    ("sequences", "chosen"), [(1000, 32), (32, 32), (31.9, 16), (16, 16), (5, 4), (1.5, 1), (0.1, 1)]
)
def test_a_power_of_two_that_fits(monkeypatch: pytest.MonkeyPatch, sequences: float, chosen: int) -> None:
    budget(monkeypatch, int(sequences * bytes_per_sequence(Shape(), 10)))
    assert choose_batch_size(Shape(), 10) == chosen


def test_too_long_a_sequence_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    budget(monkeypatch, 1)
    choose_batch_size(Shape(), 10)
    assert "one sequence of 10 tokens" in caplog.text


def test_a_request_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    budget(monkeypatch, 1)
    assert choose_batch_size(Shape(), 10, requested=7) == 7
    with pytest.raises(Rejected, match="batch_size: got 0"):
        choose_batch_size(Shape(), 10, requested=0)


def memory(monkeypatch: pytest.MonkeyPatch, total: int, free: int, limit: int | None, used: int) -> None:
    made = type("Memory", (), {"total": total, "available": free})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: made)
    monkeypatch.setattr(memory_module, "_container_memory", lambda: (limit, used))


def test_what_else_runs_does_not_matter_while_memory_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = set()
    for free in (1000, 700, 400):
        memory(monkeypatch, total=1000, free=free, limit=None, used=0)
        budgets.add(memory_budget("cpu"))
    assert budgets == {250}
    memory(monkeypatch, total=1000, free=100, limit=None, used=0)
    assert memory_budget("cpu") == 70


def test_a_container_counts_for_less_than_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, total=1000, free=900, limit=400, used=100)
    assert memory_budget("cpu") == 100
    memory(monkeypatch, total=1000, free=900, limit=400, used=390)
    assert memory_budget("cpu") == 7
    memory(monkeypatch, total=1000, free=900, limit=5000, used=0)
    assert memory_budget("cpu") == 250


def test_container_files(tmp_path: Path) -> None:
    assert memory_module._container_memory(tmp_path) == (None, 0)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5\n")
    assert memory_module._container_memory(tmp_path) == (None, 0)
    (tmp_path / "memory.max").write_text("4096\n")
    assert memory_module._container_memory(tmp_path) == (4096, 5)


class TestHalving:
    TOKENS = torch.arange(10).reshape(10, 1)

    def run(self, fits: int, start: int) -> tuple[list[list[int]], list[int]]:
        """Halve on a GPU where `fits` sequences fit: what came out, and the sizes that were tried."""
        tried: list[int] = []

        def compute(rows: Tensor) -> list[int]:
            tried.append(len(rows))
            if len(rows) > fits:
                raise torch.OutOfMemoryError("CUDA out of memory (planted)")
            return [int(i) for i in rows[:, 0]]

        return halve_on_oom(lambda part: compute(self.TOKENS[part]), *self.TOKENS.shape, start), tried

    def test_without_a_shortage(self) -> None:
        assert self.run(fits=8, start=4) == ([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], [4, 4, 2])

    def test_halved_once_and_every_row_computed_once_in_order(self) -> None:
        results, tried = self.run(fits=4, start=8)
        assert results == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert tried == [8, 4, 4, 2]

    def test_down_to_one(self) -> None:
        results, tried = self.run(fits=1, start=8)
        assert results == [[i] for i in range(10)]
        assert tried == [8, 4, 2] + [1] * 10

    def test_a_shortage_later_on_keeps_what_was_computed(self) -> None:
        calls: list[int] = []

        def compute(rows: Tensor) -> list[int]:
            calls.append(len(rows))
            if len(calls) == 2:
                raise torch.OutOfMemoryError("CUDA out of memory (planted)")
            return [int(i) for i in rows[:, 0]]

        assert halve_on_oom(lambda part: compute(self.TOKENS[part]), *self.TOKENS.shape, 4) == [
            [0, 1, 2, 3],
            [4, 5],
            [6, 7],
            [8, 9],
        ]
        assert calls == [4, 4, 2, 2, 2]

    def test_one_does_not_fit(self) -> None:
        with pytest.raises(RunFailed, match=r"out of GPU memory with a single sequence of 1 tokens.*model\.device=cpu"):
            self.run(fits=0, start=4)

    def test_other_errors_pass_through(self) -> None:
        def compute(part: slice) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            halve_on_oom(compute, *self.TOKENS.shape, 4)
