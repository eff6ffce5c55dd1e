"""Round, wrap and cut numbers: what wrong implementations are made of.

Exact in fractions; float32 through numpy or through bytes. Nothing is shared with the oracle.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np

F = Fraction


def clip(q: float, low: float, high: float) -> int:
    return int(min(max(q, low), high))


def up(t: Fraction | float) -> int:
    """Exact, for any number."""
    return math.floor(F(t) + F(1, 2))


def even(t: Fraction | float) -> int:
    return round(F(t))


def away(t: Fraction | float) -> int:
    return up(t) if t >= 0 else -up(-t)


def wrap(v: int, bits: int) -> int:
    """Two's complement of so many bits."""
    return (int(v) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def single(v: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(v))


RULES: dict[str, Callable[[Fraction | float], int]] = {
    "half_even": even,
    "half_up": up,
    "half_away": away,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
}


def packed(v: float) -> float:
    """To float32 and back, through bytes."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", v))[0])
    except OverflowError:
        return math.copysign(math.inf, v)


def rounded(rule: str, t: float) -> int:
    """An infinite number is beyond any range, so that a large one will do."""
    return RULES[rule](min(max(t, -1e300), 1e300))


def once(v: Fraction) -> float:
    """The nearest float32, ties to even, by the spacing of its neighbours."""
    if not v:
        return 0.0
    exponent = max(math.frexp(float(v))[1] - 24, -149)
    return float(round(v / F(2) ** exponent) * F(2) ** exponent)


def width_of(low: int, high: int) -> int:
    """The number of codes of the narrowest type with this range, but at least 4."""
    return int(2 ** max(2, math.ceil(math.log2(max(abs(high) + 1, abs(low), 1) * (1 + (low < 0))))))
