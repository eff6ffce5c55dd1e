"""Find the rows, columns or channels of tensors in which alone an implementation is wrong.

A loop over blocks that leaves something out, or takes another's, is wrong there, whatever it
computes instead. So this names faults whose answers nothing known reproduces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.diagnosis.explanation import Explanation
from aquant_ref.conformance.faults.names import FAULTS
from aquant_ref.typing import Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Operation
    from aquant_ref.conformance.diagnosis.evidence import Evidence

WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64, 128, 256)
# letters of axes of results: what users call a place on one, and the kind of fault
AXES = {
    **dict.fromkeys(("O", "C", "I"), ("channel", "tail.channels")),
    **dict.fromkeys(("H", "OH", "M"), ("row", "tail.rows")),
    **dict.fromkeys(("W", "OW"), ("column", "tail.columns")),
    **dict.fromkeys(("B",), ("matrix", "tail.batch")),
    "N": ("element", "tail.elements"),
}
FEWEST = 2  # wrong cases
MOST_RIGHT = 0.5  # share of the numbers in a place that may be right by chance


@dataclass(frozen=True)
class Region:
    """Describe places on one axis: one of each block, those after the last block, or from one on.

    `first` is the place in each block, or -1 for what follows the last whole one; `width` 0 stands
    for all places from `first` on.
    """

    axis: int
    what: str
    defect: str
    width: int
    first: int

    @property
    def name(self) -> str:
        """Return what users read."""
        if not self.width:
            return f"{self.what} {self.first} and those after it"
        if self.first < 0:
            return f"{self.what} tail after whole blocks of {self.width}"
        return f"{self.what} {self.first} of every {self.width}"

    def covers(self, length: int) -> Mask:
        """Tell which places of an axis of this length are meant."""
        place = np.arange(length)
        if not self.width:
            return np.asarray(place >= self.first)
        if self.first < 0:
            return np.asarray(place >= length - length % self.width)
        return np.asarray(place % self.width == self.first)


def of_regions(evidence: Evidence) -> list[Explanation]:
    """Return the smallest region in which all wrong numbers are, where one explains them."""
    operation = evidence.cases.operation
    if operation.scalar or evidence.wrong.sum() < FEWEST:
        return []
    differ = [*_differences(evidence)]
    if len(differ) < evidence.wrong.sum():
        return []  # answers of another shape
    fitting = [
        (share, region)
        for region in _regions(operation, differ)
        for share in [_share(region, differ)]
        if share
    ]
    if not fitting:
        return []
    region = min(fitting, key=lambda each: each[0])[1]
    rules = tuple(contract.rules(operation, evidence.cases.profile).split(", "))
    count = len(differ)
    sentence = FAULTS[region.defect]
    return [Explanation("place", region.name, sentence, rules, count, count, defect=region.defect)]


def _differences(evidence: Evidence) -> Iterator[Mask]:
    """Yield which numbers of each wrong tensor are wrong."""
    for k in np.flatnonzero(evidence.wrong).tolist():
        got, low, high = (
            np.asarray(each[0][k]) for each in (evidence.values, evidence.low, evidence.high)
        )
        if got.shape == low.shape and got.ndim:
            yield np.asarray((got < low) | (got > high))


def _regions(operation: Operation, differ: list[Mask]) -> Iterator[Region]:
    letters = re.findall(r"\w+", operation.result[0].signature.partition("[")[2])
    if operation.name.endswith("_batch"):
        letters[0] = "B"
    for axis, letter in enumerate(letters):
        what, defect = AXES[letter]
        what = "image" if operation.name.endswith("_batch") and not axis else what
        places = [np.flatnonzero(_along(each, axis)) for each in differ]
        first = min(int(each.min()) for each in places)
        if first > 1:
            yield Region(axis, what, defect, 0, first)
        for width in WIDTHS:
            yield Region(axis, what, defect, width, -1)
            rest = {int(place) % width for each in places for place in each}
            if len(rest) == 1:
                yield Region(axis, what, defect, width, rest.pop())


def _along(wrong: Mask, axis: int) -> Mask:
    """Tell at which places of an axis a number is wrong."""
    others = tuple(k for k in range(wrong.ndim) if k != axis)
    return np.asarray(wrong.any(axis=others))


def _share(region: Region, differ: list[Mask]) -> float:
    """Return which share of the tensors the region is; 0 if it does not explain what is wrong.

    All wrong numbers are in it, most of its numbers are wrong, and something is outside.
    """
    inside = wrong = everything = 0
    for each in differ:
        covered = region.covers(each.shape[region.axis])
        if (_along(each, region.axis) & ~covered).any():
            return 0.0
        inside += each.size // len(covered) * int(covered.sum())
        wrong += int(each.sum())
        everything += each.size
    explains = inside < everything and wrong >= MOST_RIGHT * inside
    return inside / everything if explains else 0.0
