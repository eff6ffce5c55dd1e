"""Ask the cases of an operation on numbers at many places, and find a wrong answer at any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.places import REPEATS, places, rotated, tails
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.verdict import FAIL, verdicts
from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.asking import Asked
    from aquant_ref.conformance.vectors import Group


@dataclass(frozen=True)
class Placed:
    """Say which case was asked at each place, of how many at once, and whether it was wrong."""

    case: Array
    place: Array
    length: Array
    wrong: Mask


def ask(asked: Asked, group: Group, turn: int, *, stored: bool) -> tuple[Answers, Placed]:
    """Ask for a group of cases; the answer to each is a wrong one if it is wrong at any place.

    A case without a value is asked once, and so is every case where each array costs a process.
    """
    selection, cases = group.selection, group.cases
    if selection.rejects or not cases.operation.scalar:
        parts = [np.arange(len(cases))]
        answers = [asked.answer(selection, cases)]
    elif asked.one_array:
        parts = [rotated(len(cases), turn)]
        answers = [asked.answer(selection, cases.take(parts[0]))]
    else:
        parts = [np.arange(len(cases))]
        answers = [asked.answer(selection, cases)]
        valued = np.setdiff1d(parts[0], [*answers[0].other])
        if len(valued):
            orders = [places(len(valued), turn, REPEATS if stored else 1)]
            orders += tails(len(valued)) if stored else []
            parts += [valued[order] for order in orders]
            answers += [asked.answer(selection, cases.take(part)) for part in parts[1:]]
    every = _joined(answers)
    case = np.concatenate(parts)
    wrong = verdicts(group.expected.take(case), every) == FAIL
    order = np.lexsort((np.arange(len(case)), ~wrong))  # wrong ones first, then as asked
    _, first = np.unique(case[order], return_index=True)
    place = np.concatenate([np.arange(len(part)) for part in parts])
    length = np.concatenate([np.full(len(part), len(part)) for part in parts])
    return every.take(order[first]), Placed(case, place, length, wrong)


def _joined(parts: list[Answers]) -> Answers:
    if len(parts) == 1:
        return parts[0]
    columns = [np.concatenate(column) for column in zip(*(p.values for p in parts), strict=True)]
    other: dict[int, tuple[str, str]] = {}
    before = 0
    for part in parts:
        other |= {k + before: told for k, told in part.other.items()}
        before += len(part.values[0])
    return Answers(columns, other)
