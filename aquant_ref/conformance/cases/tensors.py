"""What the families of tensor operations have in common: each case is drawn on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.draw import CaseRandom, Draw
from aquant_ref.conformance.cases.family import Columns, objects
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.typing import Array

Row = dict[str, Any]  # one case, by field


def by_case(make: Callable[[CaseRandom, Selection], Row]) -> Callable[[Draw, Selection], Columns]:
    """The columns of cases that `make` draws one by one."""

    def columns(draw: Draw, selection: Selection) -> Columns:
        rows = [make(one, selection) for one in draw.alone()]
        return {name: objects([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    return columns


def code_range(one: CaseRandom, selection: Selection) -> tuple[int, int]:
    """The ends qmin and qmax of any selected width and sign."""
    low, high = one.pick(selection.ranges)
    return low, high


def odd(one: CaseRandom, low: int, high: int) -> int:
    """An odd number of low..high."""
    return min(max(one.integer(low, high) | 1, low), high)


def scale(one: CaseRandom, low: int = -8, high: int = -4) -> float:
    """A scale in [2^low, 2^(high + 1)) of 12 bits, so that a product of two has 24."""
    return float(np.ldexp(2048 + one.integer(0, 2047), one.integer(low, high) - 11))


def snapped(value: float) -> float:
    """The nearest number of 24 bits. Spec: AQ-SNAP-1."""
    return float(np.float32(value))


def image(one: CaseRandom, low: int, high: int, *shape: int) -> Array:
    """Codes of any size in low..high, the ends among them."""
    codes = one.integers(low, high, shape)
    ends = one.integers(0, 9, shape)
    return np.where(ends == 0, low, np.where(ends == 1, high, codes))


def sizes(one: CaseRandom, *, least: int = 2) -> tuple[int, int]:
    """A height and another width."""
    height, width = one.pick(((3, 4), (4, 3), (2, 5), (5, 2), (4, 5), (3, 5)))
    return max(height, least), max(width, least)
