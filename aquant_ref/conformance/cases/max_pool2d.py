"""Make cases of `max_pool2d`: the largest code of each window; padding never wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.avg_pool2d import pool_parts
from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

PADDED: dict[str, Any] = {"size": (3, 2), "kernel": (2, 2), "stride": (1, 1)}
PADDINGS = ((1, 1, 1, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 1, 0, 1))


def _random(draw: CaseRandom, selection: Selection) -> Row:
    return pool_parts(draw, code_range(draw, selection))


def _padded(draw: CaseRandom, selection: Selection) -> Row:
    return pool_parts(draw, code_range(draw, selection), **PADDED, padding=draw.pick(PADDINGS))


def _low(draw: CaseRandom, selection: Selection) -> Row:
    """Draw the smallest codes alone, which are negative where codes are signed."""
    low, high = code_range(draw, selection)
    ends = low, low + (high - low) // 8
    return pool_parts(draw, ends, **PADDED, padding=draw.pick(PADDINGS))


def _apart(draw: CaseRandom, selection: Selection) -> Row:
    stride, dilation = draw.pick((((1, 2), (1, 1)), ((2, 1), (1, 2)), ((1, 3), (2, 1))))
    ends = code_range(draw, selection)
    return pool_parts(draw, ends, size=(4, 5), kernel=(2, 2), stride=stride, dilation=dilation)


def _ends(draw: CaseRandom, selection: Selection) -> Row:
    ends = code_range(draw, selection)
    row = pool_parts(draw, ends)
    row["x"] = np.where(row["x"] > sum(ends) / 2, *reversed(ends))
    return row


def _empty(draw: CaseRandom, selection: Selection) -> Row:
    ends = code_range(draw, selection)
    return pool_parts(draw, ends, size=(2, 3), kernel=(1, 2), padding=(1, 0, 0, 0))


FAMILIES = (
    Family("random", by_case(_random), "any codes", ("axis.kernel", "axis.layout")),
    Family(
        "padding",
        by_case(_padded),
        "windows over the image's edges",
        ("pool.padding", "axis.padding"),
    ),
    Family(
        "low_codes",
        by_case(_low),
        "the smallest codes, negative ones among them, at the edges",
        ("pool.padding", "zero_point.offset"),
    ),
    Family(
        "windows_apart",
        by_case(_apart),
        "strides and dilations that differ by axis",
        ("axis.stride", "axis.dilation"),
    ),
    Family(
        "range_end",
        by_case(_ends),
        "codes at the ends of their range",
        ("clamp.wrap", "zero_point.offset"),
    ),
    Family(
        "empty_window",
        by_case(_empty),
        "a window of nothing but padding",
        ("input.accepted",),
        rejects=True,
    ),
)
