"""Make cases of `thresholds`: an accumulator against the sorted thresholds of its channel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case, sizes
from aquant_ref.engine.instruction import THRESHOLD_UNREACHED

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

INT32 = -(2**31), 2**31 - 1


def _row(draw: CaseRandom, size: int = 1 << 20) -> Row:
    """Draw 3 or 15 thresholds, around another number for each channel."""
    channels, count = draw.pick((2, 3)), draw.pick((3, 3, 15))
    shape = channels, *sizes(draw)
    centre = draw.integers(-size, size, (channels, 1))
    rows = np.sort(centre + draw.integers(-size // 4, size // 4, (channels, count)), axis=1)
    acc = draw.integers(-size // 2, size // 2, shape) + centre[:, :, None]
    return {"acc": acc, "thresholds": rows, "least": draw.pick((0, 0, -2, -8))}


def _beside(draw: CaseRandom, _selection: Selection, *, step: int, size: int = 1 << 20) -> Row:
    row = _row(draw, size)
    channels, count = row["thresholds"].shape
    which = draw.integers(0, count - 1, (channels, row["acc"][0].size))
    acc = np.take_along_axis(row["thresholds"], which, axis=1) + step
    return {**row, "acc": acc.reshape(row["acc"].shape)}


def _never(draw: CaseRandom, _selection: Selection) -> Row:
    row = _row(draw)
    row["thresholds"][:, -1] = THRESHOLD_UNREACHED
    row["thresholds"][draw.integer(0, len(row["acc"]) - 1), :2] = -THRESHOLD_UNREACHED
    return row


def _equal(draw: CaseRandom, selection: Selection) -> Row:
    row = _beside(draw, selection, step=0)
    row["thresholds"][:, :-1] = row["thresholds"][:, 1:2]
    row["thresholds"].sort(axis=1)
    row["acc"][:] = row["thresholds"][:, 1, None, None] + draw.integers(-1, 1, row["acc"].shape)
    return row


def _type_ends(draw: CaseRandom, _selection: Selection) -> Row:
    row = _row(draw)
    row["acc"] = np.where(draw.integers(0, 1, row["acc"].shape) == 1, *INT32)
    row["thresholds"][:, 0], row["thresholds"][:, -1] = INT32
    return row


def _random(draw: CaseRandom, _selection: Selection) -> Row:
    return _row(draw, draw.pick((50, 1000, 1 << 20)))


def _unsorted(draw: CaseRandom, _selection: Selection) -> Row:
    row = _row(draw)
    row["thresholds"] = row["thresholds"][:, ::-1] - np.arange(row["thresholds"].shape[1])
    return row


FAMILIES = (
    Family(
        "at_threshold",
        by_case(partial(_beside, step=0)),
        "accumulators that are thresholds: reached",
        ("border.strict", "border.channel"),
    ),
    Family(
        "below_threshold",
        by_case(partial(_beside, step=-1, size=1 << 29)),
        "one below, of up to 30 bits",
        ("border.strict", "round.float32"),
    ),
    Family(
        "never",
        by_case(_never),
        "thresholds of 2^62 and -2^62",
        ("threshold.never",),
    ),
    Family(
        "equal_thresholds",
        by_case(_equal),
        "thresholds that are equal",
        ("threshold.equal", "border.strict"),
    ),
    Family(
        "type_end",
        by_case(_type_ends),
        "accumulators and thresholds at the ends of int32",
        ("accumulator.wrap", "border.strict"),
    ),
    Family(
        "random",
        by_case(_random),
        "channels whose thresholds are far apart, and signed codes",
        ("border.channel", "axis.layout", "zero_point.offset"),
    ),
    Family(
        "unsorted",
        by_case(_unsorted),
        "thresholds that fall",
        ("input.accepted",),
        rejects=True,
    ),
)
