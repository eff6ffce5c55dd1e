"""Evidence: wrong answers and right ones, of each flag some, in turns."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.diagnosis.evidence import MOST_OF_FLAG, Collected, Evidence
from aquant_ref.conformance.expected.results import Expected
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.verdict import verdicts

MOST_RIGHT = MOST_OF_FLAG[True][1]


def collected(
    values: list[int], *flags: str, other: dict[int, tuple[str, str]] | None = None
) -> Collected:
    """Clip of 0 to 7, where 3 is right; a value of 3 is, and any other is wrong."""
    count = len(values)
    named = list(dict.fromkeys(flags))
    columns = {name: np.full(count, v) for name, v in (("v", 3), ("low", 0), ("high", 7))}
    kind = np.array([named.index(flag) for flag in flags])
    ids = list(map(str, range(count)))
    cases = Cases(OPERATIONS["clip"], "core-int", ids, [(f,) for f in named], kind, columns)
    right = [np.full(count, 3)]
    expected = Expected(right, right, np.zeros(count, bool))
    answers = Answers([np.array(values)], other or {})
    found = Collected()
    found.add(cases, expected, answers, verdicts(expected, answers))
    return found


def evidence(values: list[int], *flags: str) -> Evidence:
    found = collected(values, *flags).evidence()
    assert found is not None
    return found


def test_flags_take_turns_and_a_wrong_answer_comes_before_a_right_one() -> None:
    found = evidence([3, 4, 4, 3, 4], "a", "a", "b", "b", "b")
    assert found.cases.ids == ["1", "2", "0", "3", "4"]
    assert found.wrong.tolist() == [True, True, False, False, True]
    assert found.flags().tolist() == ["a", "b", "a", "b", "b"]


def test_of_right_answers_only_some_are_kept_and_all_wrong_ones() -> None:
    found = evidence([4] * 3 + [3] * 100, *["a"] * 103)
    assert (found.wrong.sum(), (~found.wrong).sum()) == (3, MOST_RIGHT)


def test_there_is_no_evidence_without_a_wrong_value() -> None:
    """A refusal and a crash are no values. Spec: AQ-CONF-8."""
    assert collected([3, 3], "a", "a").evidence() is None
    told = {0: ("error", "no"), 1: ("crash", "SIGSEGV")}
    assert collected([4, 4], "a", "a", other=told).evidence() is None


def test_groups_with_other_flags_are_joined() -> None:
    both = collected([4], "a")
    both.parts += collected([3, 4], "b", "a").parts
    found = both.evidence()
    assert found is not None
    assert sorted(found.flags().tolist()) == ["a", "a", "b"]


def test_a_right_answer_may_be_any_that_is_right_and_a_wrong_one_only_itself() -> None:
    one = evidence([4, 3], "a", "a")
    wide = Evidence(one.cases, one.values, [np.array([2, 2])], [np.array([3, 3])], one.wrong)

    def agrees(*values: int) -> list[bool]:
        return wide.agrees(np.arange(2), Answers([np.array(values)], {})).tolist()

    assert one.wrong.tolist() == [True, False]
    assert agrees(4, 3) == agrees(4, 2) == [True, True]
    assert agrees(3, 1) == [False, False]
