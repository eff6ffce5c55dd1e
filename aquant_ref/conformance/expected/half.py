"""Quantize and dequantize in float16 and bfloat16, as other engines do. Spec: AQ-PEER-20."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from aquant_ref import oracle
from aquant_ref.conformance.expected.peers import single
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Real


class Format(NamedTuple):
    """Hold the bits of a number, the exponent of the least one, and those of the normal ones."""

    bits: int
    least: int
    normal: int
    beyond: int

    def nearest(self, value: Real) -> Fraction:
        """Return the nearest number, ties to even; one of 2^beyond and more stands for infinity."""
        return oracle.to_float(value, self.bits, self.least)

    def scale(self, scale: float) -> Fraction:
        """Return a scale; it and its reciprocal must be normal. Spec: AQ-PEER-20."""
        need(0 < scale < math.inf)
        rounded = self.nearest(Fraction(scale))
        need(Fraction(2) ** self.normal <= rounded <= Fraction(2) ** -self.normal)
        return rounded


FORMATS = {"float16": Format(11, -24, -14, 16), "bfloat16": Format(8, -133, -126, 128)}


def quantize(
    *, rounding: str, r: float, scale: float, zero_point: int, qmin: int, qmax: int, profile: str
) -> tuple[int]:
    """Spec: AQ-PEER-21, AQ-PEER-22. Infinity saturates, NaN is refused."""
    need(not math.isnan(r))
    kind = FORMATS[profile.removesuffix("_to_float32")]
    step = kind.scale(scale)
    x = kind.nearest(Fraction(r)) if math.isfinite(r) else math.inf
    if abs(x) >= 2**kind.beyond:
        return (qmax if r > 0 else qmin,)
    to = kind.nearest if profile in FORMATS else single
    code = oracle.ROUNDINGS[rounding](to(Fraction(x) / step)) + zero_point
    return (oracle.clip(code, qmin, qmax),)


def dequantize(*, q: int, scale: float, zero_point: int, profile: str) -> tuple[float]:
    """Spec: AQ-PEER-23. What is too large becomes infinite."""
    kind = FORMATS[profile]
    real = kind.nearest((q - zero_point) * kind.scale(scale))
    return (math.copysign(math.inf, real) if abs(real) >= 2**kind.beyond else float(real),)
