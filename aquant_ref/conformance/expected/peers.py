"""Compute operations as other engines do: the alternatives of the contract. Spec: AQ-PEER.

A float32 is an exact rational here too; `single` rounds to the nearest one, ties to even.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from aquant_ref import oracle
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Real

NORMAL = Fraction(2) ** -126  # the smallest float32 that has 24 bits
LIMIT = Fraction(2) ** 128  # beyond the largest


def single(value: Real) -> Fraction:
    """Return F(value), the nearest float32; overflow is not modelled. Spec: AQ-PEER-1."""
    return oracle.to_float(value, 24, -149)


def scale32(scale: float) -> Fraction:
    """Return a scale as float32; it and its reciprocal must be normal. Spec: AQ-PEER-1."""
    need(0 < scale < math.inf)
    rounded = single(Fraction(scale))
    need(NORMAL <= rounded <= 1 / NORMAL)
    return rounded


def quantize(
    *, rounding: str, r: float, scale: float, zero_point: int, qmin: int, qmax: int, profile: str
) -> tuple[int]:
    """Spec: AQ-PEER-2 to AQ-PEER-4. Infinity saturates, NaN is refused."""
    need(not math.isnan(r))
    step = scale32(scale)
    if math.isinf(r):
        return (qmax if r > 0 else qmin,)
    x, inverse = single(Fraction(r)), single(1 / step)
    nearest = oracle.ROUNDINGS[rounding]
    if profile == "float32":
        code = nearest(single(x / step)) + zero_point
    elif profile == "float32_reciprocal":
        code = nearest(single(x * inverse)) + zero_point
    else:
        code = nearest(single(x * inverse + zero_point))
    return (oracle.clip(code, qmin, qmax),)


def dequantize(*, q: int, scale: float, zero_point: int) -> tuple[float]:
    """Spec: AQ-PEER-5."""
    real = single(single(q - zero_point) * scale32(scale))
    need(abs(real) < LIMIT)
    return (float(real),)
