"""Answers hold what came back, and short printable reasons."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.protocol.answers import MOST_REASON, Answers, without


def test_reasons_are_made_printable_and_cut() -> None:
    answers = Answers([np.zeros(2)], {0: ("error", "a\x1b[31mb"), 1: ("skip", "x" * 999)})
    assert "\x1b" not in answers.other[0][1]
    assert answers.other[0][0] == "error"
    assert len(answers.other[1][1]) <= MOST_REASON


def test_answers_without_any_value_have_one_reason_for_all() -> None:
    answers = without(generate(Selection("multiplier"), range(3)), "missing", "not asked")
    assert [column.tolist() for column in answers.values] == [[0, 0, 0], [0, 0, 0]]
    assert answers.other == dict.fromkeys(range(3), ("missing", "not asked"))


def test_a_tensor_that_is_missing_is_nothing() -> None:
    answers = without(generate(Selection("max_pool2d"), range(2)), "skip", "unsupported")
    assert answers.values[0].tolist() == [None, None]
