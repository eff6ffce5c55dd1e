"""Compute the scalar operations."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected import half, peers
from aquant_ref.conformance.expected.refusal import INT32_MAX, INT32_MIN, need

if TYPE_CHECKING:
    from aquant_ref.oracle import Real


def round(*, rounding: str, t: float) -> tuple[int]:
    """Spec: AQ-ROUND-1."""
    need(math.isfinite(t))
    return (oracle.ROUNDINGS[rounding](Fraction(t)),)


def border_round(*, t: float, border: float) -> tuple[int]:
    """Spec: AQ-ROUND-2."""
    need(math.isfinite(t) and 0 < border <= 1)
    return (oracle.border_round(Fraction(t), Fraction(border)),)


def border(
    *,
    t: int,
    low: int,
    high: int,
    fraction_bits: int,
    multiplier: int,
    shift: int,
    c0: int,
    c1: int,
    c2: int,
    lift: int,
    zero_point: int,
) -> tuple[int]:
    """Spec: AQ-FIXED-9; `lift` is the entry for the fraction of T."""
    need(low <= high and 0 <= fraction_bits <= 16 and abs(c0) + abs(c1) + abs(c2) <= 2**29)
    need(2**30 <= multiplier < 2**31 and 0 <= shift <= 62)
    clipped = oracle.clip(t, low, high)
    tau = math.floor(Fraction(clipped * multiplier, 2**shift))
    p = math.floor(Fraction(c2 * tau, 2**15) + c1)
    p = math.floor(Fraction(p * tau, 2**15) + c0)
    whole, fraction = divmod(clipped, 2**fraction_bits)
    return (whole + zero_point + (1 if fraction > 0 and lift >= p else 0),)


def quantize(
    *,
    rounding: str,
    r: float,
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str = "",
) -> tuple[int]:
    """Spec: AQ-AFFINE-3, AQ-PEER-2 to AQ-PEER-4, AQ-PEER-21. Infinity saturates."""
    if profile:
        ends = {"zero_point": zero_point, "qmin": qmin, "qmax": qmax}
        of = peers if profile in peers.STEPS else half
        return of.quantize(rounding=rounding, r=r, scale=scale, profile=profile, **ends)
    need(not math.isnan(r) and 0 < scale < math.inf)
    if math.isinf(r):
        return (qmax if r > 0 else qmin,)
    code = oracle.quantize(Fraction(r), Fraction(scale), zero_point, qmin, qmax, rounding=rounding)
    return (code,)


def dequantize(*, q: int, scale: float, zero_point: int, profile: str = "") -> tuple[float]:
    """Spec: AQ-AFFINE-3: one float64 product; or AQ-PEER-5, AQ-PEER-23."""
    if profile in half.FORMATS:
        return half.dequantize(q=q, scale=scale, zero_point=zero_point, profile=profile)
    if profile:
        return peers.dequantize(q=q, scale=scale, zero_point=zero_point)
    need(0 < scale < math.inf)
    return (float(oracle.to_float(oracle.dequantize(q, Fraction(scale), zero_point), 53, -1074)),)


def multiplier(*, m: float) -> tuple[int, int]:
    """Spec: AQ-FIXED-1."""
    need(0 < m < math.inf)
    mantissa, shift = oracle.multiplier(Fraction(m))
    need(0 <= shift <= 62)
    return mantissa, shift


def requantize(
    *,
    acc: int,
    multiplier: int,
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str,
) -> tuple[int]:
    """Spec: AQ-FIXED-2 to AQ-FIXED-7; M is exactly multiplier * 2^-shift."""
    need(2**30 <= multiplier < 2**31 and 0 <= shift <= 62)
    if profile.startswith("float"):
        m = Fraction(multiplier, 2**shift)
        return (
            oracle.requantize_real(acc, m, profile, zero_point=zero_point, qmin=qmin, qmax=qmax),
        )
    ends = {"zero_point": zero_point, "qmin": qmin, "qmax": qmax}
    return requantize_any(acc=acc, multiplier=multiplier, shift=shift, profile=profile, **ends)


def requantize_any(
    *,
    acc: int,
    multiplier: int,
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str,
) -> tuple[int]:
    """Spec: AQ-FIXED-10: AQ-FIXED-2 to AQ-FIXED-4 with any positive multiplier."""
    need(0 < multiplier < 2**31 and 0 <= shift <= 62)
    if profile in ("tflite_up", "tflite_away"):
        need(INT32_MIN <= acc * 2 ** max(31 - shift, 0) <= INT32_MAX)
    scaled = oracle.scale_accumulator(acc, multiplier, shift, profile)
    return (oracle.requantize(scaled, zero_point, qmin, qmax),)


def threshold(*, acc: int, t0: int, t1: int, t2: int) -> tuple[int]:
    """Spec: AQ-LOWER-1: how many of the sorted thresholds the accumulator reaches."""
    need(t0 <= t1 <= t2)
    return (oracle.code(acc, (t0, t1, t2)),)


def add(
    *,
    a: int,
    a_scale: float,
    a_zero: int,
    b: int,
    b_scale: float,
    b_zero: int,
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str = "",
) -> tuple[int]:
    """Spec: AQ-IDEAL-1: the exact sum, rounded once; or AQ-PEER-6 to AQ-PEER-11."""
    if profile:
        first: dict[str, Any] = {"a": a, "a_scale": a_scale, "a_zero": a_zero}
        second: dict[str, Any] = {"b": b, "b_scale": b_scale, "b_zero": b_zero}
        ends = {"zero_point": zero_point, "qmin": qmin, "qmax": qmax}
        return peers.add(profile=profile, scale=scale, **ends, **first, **second)
    need(min(a_scale, b_scale, scale) > 0)
    terms = ((a, a_scale, a_zero), (b, b_scale, b_zero))
    total = sum((oracle.dequantize(q, Fraction(s), z) for q, s, z in terms), Fraction(0))
    return (nearest(total / Fraction(scale), zero_point, qmin, qmax),)


def avg_pool(
    *,
    total: int,
    count: int,
    x_scale: float,
    x_zero: int,
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str = "",
) -> tuple[int]:
    """Spec: AQ-IDEAL-1: the exact mean of `count` codes with the sum `total`, rounded once.

    Or AQ-PEER-12 to AQ-PEER-15.
    """
    if profile:
        codes: dict[str, int] = {"total": total, "count": count, "x_zero": x_zero}
        ends = {"zero_point": zero_point, "qmin": qmin, "qmax": qmax}
        return peers.avg_pool(profile=profile, x_scale=x_scale, scale=scale, **codes, **ends)
    need(count > 0 and min(x_scale, scale) > 0)
    mean = Fraction(x_scale) * (Fraction(total, count) - x_zero)
    return (nearest(mean / Fraction(scale), zero_point, qmin, qmax),)


def clip(*, v: int, low: int, high: int) -> tuple[int]:
    """Spec: AQ-INT-1."""
    need(low <= high)
    return (oracle.clip(v, low, high),)


def nearest(t: Real, zero_point: int, qmin: int, qmax: int) -> int:
    """Return the code of t steps. Spec: AQ-IDEAL-1."""
    return oracle.clip(oracle.half_up(t) + zero_point, qmin, qmax)
