"""Make cases of `clip`: saturation of any int64 to a range inside int32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Columns, Family, between
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

RANGES = (
    *((0, 255), (-128, 127), (0, 15), (-8, 7), (0, 3), (0, 65535), (-32768, 32767), (0, 1)),
    *((3, 3), (-7, -2), (17, 200), (INT32_MIN, INT32_MAX), (INT32_MIN, -1), (1, INT32_MAX)),
)


def _columns(v: Integers, low: Integers, high: Integers) -> Columns:
    return {"v": v, "low": low, "high": high}


def _ranges(draw: Draw) -> tuple[Array, Array]:
    low, high = np.array(RANGES).T
    which = draw.integers(0, len(RANGES) - 1)
    return low[which], high[which]


def _beside(draw: Draw, _selection: Selection) -> Columns:
    low, high = _ranges(draw)
    return _columns(np.where(draw.integers(0, 1), low, high) + draw.integers(-2, 2), low, high)


def _inside(draw: Draw, _selection: Selection) -> Columns:
    low, high = _ranges(draw)
    return _columns(between(draw, low, high), low, high)


def _beyond_int32(draw: Draw, _selection: Selection) -> Columns:
    """Draw values whose low 32 bits are in range."""
    low, high = _ranges(draw)
    turns = draw.pick((-(2**40), -(2**33), -(2**32), 2**32, 2**33, 2**40))
    return _columns(between(draw, low, high) + turns, low, high)


def _type_ends(draw: Draw, _selection: Selection) -> Columns:
    ends = (-(2**63), -(2**63) + 1, -(2**31) - 1, -(2**31), 0, 2**31 - 1, 2**31, 2**63 - 1)
    return _columns(draw.pick(ends), *_ranges(draw))


def _random(draw: Draw, _selection: Selection) -> Columns:
    return _columns(draw.sized(40), *_ranges(draw))


def _refused(draw: Draw, _selection: Selection) -> Columns:
    low, high = _ranges(draw)
    return _columns(draw.sized(8), high, np.minimum(low, high - 1))


FAMILIES = (
    Family(
        "range_end",
        _beside,
        "next to the ends of the range, inside and outside",
        ("clamp.levels", "clamp.wrap", "clamp.dropped"),
    ),
    Family("inside", _inside, "inside the range", ("clamp.relu", "clamp.levels", "round.float32")),
    Family(
        "beyond_int32",
        _beyond_int32,
        "cut to 32 bits it would look as if it were inside",
        ("accumulator.wrap", "clamp.wrap"),
    ),
    Family("type_end", _type_ends, "the ends of int32 and int64", ("accumulator.wrap",)),
    Family("random", _random, "any int64 below 2^40", ("clamp.dropped", "clamp.wrap")),
    Family("no_range", _refused, "low is above high", ("input.accepted",), rejects=True),
)
