"""Compute the range of codes of a fused activation."""

from __future__ import annotations

from fractions import Fraction

from aquant_ref import oracle
from aquant_ref.conformance.expected.peers import scale32
from aquant_ref.conformance.expected.peers import single as F
from aquant_ref.conformance.expected.refusal import need

ACTIVATIONS = ("none", "relu", "relu6")
SIX = 6


def activation_range(
    *, activation: str, scale: float, zero_point: int, qmin: int, qmax: int, profile: str = ""
) -> tuple[int, int]:
    """Spec: AQ-ACT-1 to AQ-ACT-4."""
    need(activation in ACTIVATIONS and scale > 0 and qmin <= qmax)
    six = _six(scale, zero_point, profile)
    low = qmin if activation == "none" else oracle.clip(zero_point, qmin, qmax)
    return low, oracle.clip(six, qmin, qmax) if activation == "relu6" else qmax


def _six(scale: float, zero_point: int, profile: str) -> int:
    """Return the code of the real number 6 before it is clipped."""
    if not profile:
        return oracle.half_up(SIX / Fraction(scale)) + zero_point
    s = scale32(scale)
    need(SIX / s < 2**31)
    if profile == "tflite":
        return oracle.half_away(F(SIX / s)) + zero_point
    steps = F(SIX / s) if profile == "xnnpack" else F(SIX * F(1 / s))
    return oracle.half_even(F(steps + zero_point))
