"""Find which places in an array are wrong, where the same cases are right at others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.diagnosis.explanation import Explanation
from aquant_ref.conformance.faults.names import FAULTS
from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.placing import Placed

WIDTHS = (8, 16, 32, 64)


@dataclass(frozen=True)
class Rule:
    """Describe places of an array: a lane of each register, or what follows the last whole one."""

    width: int
    lane: int | None = None

    @property
    def name(self) -> str:
        """Return what users read."""
        lane = f"lane {self.lane} of {self.width}"
        return f"tail after {self.width}" if self.lane is None else lane

    @property
    def defect(self) -> str:
        """Return its kind."""
        return "size.tail" if self.lane is None else "size.lane"

    def covers(self, place: Array, length: Array) -> Mask:
        """Tell which of these places, of arrays of these lengths, are meant."""
        if self.lane is None:
            return np.asarray(place >= length - length % self.width)
        return np.asarray(place % self.width == self.lane)


RULES = [
    *(Rule(width, lane) for width in WIDTHS for lane in range(width)),
    *map(Rule, WIDTHS),
]


def of_places(operation: str, profile: str, asked: Sequence[Placed]) -> list[Explanation]:
    """Return the places at which every wrong case is wrong, and at all others right.

    Nothing explains cases that are wrong wherever they are.
    """
    found = [*_wrong_somewhere(asked)]
    if not found:
        return []
    place, length, wrong = (np.concatenate(column) for column in zip(*found, strict=True))
    if wrong.all():
        return []
    known = contract.get(operation)
    count = sum(len(np.unique(each.case[each.wrong])) for each in asked)
    return [
        Explanation(
            "fault",
            rule.name,
            FAULTS[rule.defect],
            tuple(contract.rules(known, profile).split(", ")),
            count,
            count,
            defect=rule.defect,
        )
        for rule in RULES
        if (rule.covers(place, length) == wrong).all()
    ]


def _wrong_somewhere(asked: Iterable[Placed]) -> Iterator[tuple[Array, Array, Mask]]:
    """Yield the place and length of each question about a case that is wrong at some place."""
    for each in asked:
        about = np.isin(each.case, each.case[each.wrong])
        if about.any():
            yield each.place[about], each.length[about], each.wrong[about]
