"""Which case ends a process is found; the others are asked."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from aquant_ref.conformance.adapters.apart import MOST, Answered, ApartAdapter
from aquant_ref.conformance.adapters.conversation import Ended
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import get
from aquant_ref.conformance.protocol.answers import Answers, without

SELECTION = Selection("clip")


def clip_cases(*values: int) -> Cases:
    """Of each value, clipped to -8..7."""
    count = len(values)
    columns = {"v": np.array(values), "low": np.full(count, -8), "high": np.full(count, 7)}
    ids = [f"clip/{k}" for k in range(count)]
    return Cases(get("clip"), "core-int", ids, [("made",)], np.zeros(count, np.int64), columns)


class Process(ApartAdapter):
    """Ends as `fate` says, which gets the values of a call; it writes down each call."""

    def __init__(self, fate: Callable[[list[int]], Ended | None], timeout: float = 60) -> None:
        super().__init__(timeout)
        self.fate = fate
        self.asked: list[list[int]] = []

    def together(self, selection: Selection, cases: Cases) -> Answers | None:
        values = cases.columns["v"].tolist()
        self.asked.append(values)
        end = self.fate(values)
        if end is not None:
            raise end
        return Answers([np.clip(cases.columns["v"], -8, 7)], {})

    def alone(self, selection: Selection, cases: Cases) -> tuple[list[Answers], Ended | None]:
        found: list[Answers] = []
        for k in range(len(cases)):
            try:
                found.append(
                    self.together(selection, cases.take([k])) or without(cases, "skip", "")
                )
            except Ended as error:
                return found, error
        return found, None


CRASH = Ended("signal SIGSEGV", hangs=False)
HANG = Ended("no answer after 1 s", hangs=True)


@pytest.mark.parametrize(("end", "what"), [(CRASH, "crash"), (HANG, "missing")])
def test_the_case_at_fault_is_found_and_the_rest_goes_on(end: Ended, what: str) -> None:
    process = Process(lambda values: end if 3 in values else None)
    answers = process.answer(SELECTION, clip_cases(1, 2, 3, 40, 5))
    assert answers.other == {2: (what, end.reason)}
    assert np.delete(answers.values[0], 2).tolist() == [1, 2, 7, 5]
    assert process.asked == [[1, 2, 3, 40, 5], [1], [2], [3], [40, 5]]
    assert process.problems.first == [f"{end.kind}: clip: clip/2: {end.reason}"]


def test_after_a_second_crash_the_others_are_asked_alone() -> None:
    process = Process(lambda values: CRASH if any(v > 5 for v in values) else None)
    answers = process.answer(SELECTION, clip_cases(6, 1, 6, 2, 6, 3))
    assert sorted(answers.other) == [0, 2, 4]
    assert list(map(len, process.asked)) == [6, 1, 5, 1, 1, 1, 1, 1]
    assert process.problems.counts == {"crash": 3}


@pytest.mark.parametrize(("end", "what"), [(CRASH, "crash"), (HANG, "missing")])
def test_what_no_case_alone_causes_counts_for_all_of_the_call(end: Ended, what: str) -> None:
    process = Process(lambda values: end if len(values) > 1 else None)
    answers = process.answer(SELECTION, clip_cases(1, 2, 3))
    assert {each[0] for each in answers.other.values()} == {what}
    assert "3 cases in one call" in process.problems.first[0]


def test_a_call_that_is_only_slow_is_asked_case_by_case() -> None:
    """Past bug: a simulator that needs long for a thousand cases was said to hang."""

    def slowly(values: list[int]) -> Ended | None:
        if len(values) == 1:
            time.sleep(0.01)
        return HANG if len(values) > 1 else None

    process = Process(slowly, timeout=0.02)
    answers = process.answer(SELECTION, clip_cases(1, 2, 3))
    assert answers.values[0].tolist() == [1, 2, 3]
    assert not answers.other
    assert not process.problems


@pytest.mark.parametrize(("end", "kind"), [(CRASH, "crash"), (HANG, "hang")])
def test_an_operation_is_given_up_at_last(
    end: Ended, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, kind, 2)
    process = Process(lambda values: end)
    answers = process.answer(SELECTION, clip_cases(1, 2, 3, 4))
    assert [answers.other[k][1].partition(",")[0] for k in (2, 3)] == ["not asked"] * 2
    assert process.problems.counts == {kind: 2}
    assert process.answer(SELECTION, clip_cases(1)).other[0][0] == "missing"
    process.start()  # of another run
    assert process.answer(SELECTION, clip_cases(1)).other[0][0] != "not asked"


def test_many_cases_are_asked_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "block", 2)
    process = Process(lambda values: None)
    assert process.answer(SELECTION, clip_cases(1, 2, 3)).values[0].tolist() == [1, 2, 3]
    assert process.asked == [[1, 2], [3]]


def test_answers_are_put_where_their_cases_are() -> None:
    cases = clip_cases(1, 2, 3)
    answers = Answered(cases)
    part = cases.take([2, 0])
    answers.fill(np.array([2, 0]), Answers([np.array([5, 6])], {1: ("skip", "no")}))
    assert len(part) == 2
    assert answers.columns[0].tolist() == [6, 0, 5]
    assert answers.other == {0: ("skip", "no")}
