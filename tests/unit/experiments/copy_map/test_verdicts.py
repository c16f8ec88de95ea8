"""Verdicts, kinds and the rank correlation, by hand."""

import numpy as np
import pytest

from experiments.copy_map.asking import Asked
from experiments.copy_map.config import CopyMapConfig, n_own_of, threshold_key
from experiments.copy_map.metrics import spearman
from harness.tokens.kinds import LABELS, TokenKind, kind_of
from harness.tokens.vocabulary_audit import Category

pytestmark = pytest.mark.unit


def asked(ranks):
    ranks = np.array(ranks)
    logprob = -np.arange(ranks.size, dtype=np.float32).reshape(ranks.shape)
    return Asked(np.arange(len(ranks))[::-1].copy(), logprob, logprob - 2, ranks, logprob + 9)


def test_not_copied_is_missed_in_more_than_half():
    found = asked([[1, 1, 1], [1, 2, 1], [2, 1, 9], [3, 2, 2]])
    assert found.missed.tolist() == [0, 1, 2, 3]
    assert found.not_copied.tolist() == [False, False, True, True]
    assert found.effect.tolist() == [[2, 2, 2]] * 4
    # Half of an even number is no majority.
    assert asked([[1, 2], [2, 2]]).not_copied.tolist() == [False, True]


def test_by_id_everything_moves_together():
    found = asked([[1, 1], [5, 7]]).in_order()
    assert found.ids.tolist() == [0, 1]
    assert found.rank.tolist() == [[5, 7], [1, 1]]
    assert found.logprob.tolist() == [[-2, -3], [0, -1]]


@pytest.mark.parametrize(
    ("category", "text", "kind"),
    [
        (Category.OK, " house", TokenKind.WORD),
        (Category.OK, "ing", TokenKind.PIECE),
        (Category.OK, " 2024", TokenKind.DIGITS),
        (Category.OK, " ({", TokenKind.SIGNS),
        (Category.OK, "x86", TokenKind.MIXED),
        (Category.OK, "\n\n", TokenKind.SPACE),
        (Category.OK, " été", TokenKind.BEYOND_ASCII),
        (Category.OK, "\u3000", TokenKind.BEYOND_ASCII),
        (Category.BYTE, "a", TokenKind.BYTE),
        (Category.UTF8_FRAGMENT, "�", TokenKind.FRAGMENT),
        (Category.UNREACHABLE_SEVERAL, " house", TokenKind.UNREACHABLE),
        (Category.SPECIAL, "<s>", TokenKind.SPECIAL),
        (Category.NO_TOKEN, "", TokenKind.NO_TOKEN),
    ],
)
def test_kinds(category, text, kind):
    assert kind_of(category, text) is kind


def test_every_kind_has_a_label():
    assert set(LABELS) == set(TokenKind)


def test_places_under_study():
    assert n_own_of(CopyMapConfig()) == 12
    assert n_own_of(CopyMapConfig(own_share=1.0)) == 23
    assert n_own_of(CopyMapConfig(seq_len=2, own_share=0.1)) == 1


def test_a_threshold_names_its_metric():
    assert [threshold_key(value) for value in (-3.0, -2.5)] == ["below_3", "below_2.5"]


def test_rank_correlation_by_hand():
    # Ranks 1 2 3 4 5 against 1 3 2 4 5: 1 - 6 * 2 / (5 * 24) = 0.9.
    found = spearman(np.array([0.0, 1, 2, 3, 4]), np.array([0.0, 20, 10, 30, 40]))
    assert found.mean == pytest.approx(0.9)
    # atanh 0.9 = 1.4722; its standard error sqrt((1 + 0.405) / 2) = 0.8382, 1.96 of them 1.6428.
    assert found.low == pytest.approx(np.tanh(1.4722 - 1.6428), abs=1e-3)
    assert found.high == pytest.approx(np.tanh(1.4722 + 1.6428), abs=1e-3)
    assert spearman(np.ones(9), np.arange(9.0)) is None
