"""Share what the families of tensor operations need: each case is drawn on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Columns, objects
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom, Draw
    from aquant_ref.conformance.cases.selection import Selection

Row = dict[str, Any]  # one case, by field


def by_case(make: Callable[[CaseRandom, Selection], Row]) -> Callable[[Draw, Selection], Columns]:
    """Turn a function that draws one case into one that returns columns."""

    def columns(draw: Draw, selection: Selection) -> Columns:
        rows = [make(one, selection) for one in draw.alone()]
        return {name: objects([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    return columns


def code_range(draw: CaseRandom, selection: Selection) -> tuple[int, int]:
    """Draw a selected width and sign; return its ends qmin and qmax."""
    low, high = draw.pick(selection.ranges)
    return low, high


def odd(draw: CaseRandom, low: int, high: int) -> int:
    """Draw an odd number of low..high."""
    return min(max(draw.integer(low, high) | 1, low), high)


def scale(draw: CaseRandom, low: int = -8, high: int = -4) -> float:
    """Draw a scale in [2^low, 2^(high + 1)) of 12 bits, so that a product of two has 24."""
    return float(np.ldexp(2048 + draw.integer(0, 2047), draw.integer(low, high) - 11))


def snapped(value: float) -> float:
    """Round to the nearest number of 24 bits. Spec: AQ-SNAP-1."""
    return float(np.float32(value))


def image(draw: CaseRandom, low: int, high: int, *shape: int) -> Array:
    """Draw codes in low..high, the ends more often than others."""
    codes = draw.integers(low, high, shape)
    ends = draw.integers(0, 9, shape)
    return np.where(ends == 0, low, np.where(ends == 1, high, codes))


def sizes(draw: CaseRandom, *, least: int = 2) -> tuple[int, int]:
    """Draw a height and another width."""
    height, width = draw.pick(((3, 4), (4, 3), (2, 5), (5, 2), (4, 5), (3, 5)))
    return max(height, least), max(width, least)
