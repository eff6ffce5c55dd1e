"""Compute scalar operations from codes to codes: a change of parameters, and a product."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected.peers import scale32, single
from aquant_ref.conformance.expected.refusal import need
from aquant_ref.conformance.expected.scalar import nearest

if TYPE_CHECKING:
    from aquant_ref.oracle import Real, Tensor


def rescale_codes(
    *,
    x: int,
    x_scale: float,
    x_zero: int,
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str = "",
) -> tuple[int]:
    """Spec: AQ-CODES-1: the exact quotient, rounded once; or AQ-CODES-2 to AQ-CODES-5."""
    need(min(x_scale, scale) > 0)
    steps = x - x_zero
    if not profile:
        real = steps * Fraction(x_scale) / Fraction(scale)
        return (nearest(real, zero_point, qmin, qmax),)
    code = RESCALINGS[profile](steps, scale32(x_scale), scale32(scale)) + zero_point
    return (oracle.clip(code, qmin, qmax),)


def in_two_steps(v: int, m: Real, profile: str) -> int:
    """Return R(v, M): two roundings in integers. Spec: AQ-PEER-6."""
    mantissa, shift = oracle.multiplier(oracle.to_float(m, 53, -1074))
    need(0 <= shift <= 62 and abs(v) * 2 ** max(31 - shift, 0) < 2**31)
    return oracle.scale_accumulator(v, mantissa, shift, profile)


def _rescaled_tflite(steps: int, step: Fraction, scale: Fraction) -> int:
    """Spec: AQ-CODES-2."""
    return in_two_steps(steps, step / scale, "tflite_away")


def _rescaled_tflite_up(steps: int, step: Fraction, scale: Fraction) -> int:
    """Spec: AQ-CODES-3."""
    return in_two_steps(steps, step / scale, "tflite_up")


def _rescaled_xnnpack(steps: int, step: Fraction, scale: Fraction) -> int:
    """Spec: AQ-CODES-4."""
    ratio = single(step / scale)
    need(Fraction(1, 2**8) <= ratio <= 2**7)
    return oracle.half_up(Fraction(steps * oracle.half_even(ratio * 2**8), 2**8))


def rescaled_float32(steps: int, step: Fraction, scale: Fraction) -> int:
    """Spec: AQ-CODES-5."""
    return oracle.half_even(single(single(steps * step) / scale))


RESCALINGS = {
    "tflite": _rescaled_tflite,
    "tflite_up": _rescaled_tflite_up,
    "xnnpack": _rescaled_xnnpack,
    "float32": rescaled_float32,
}


def mul(
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
    """Spec: AQ-CODES-6: the exact product, rounded once; or AQ-CODES-7 to AQ-CODES-11."""
    need(min(a_scale, b_scale, scale) > 0)
    steps = a - a_zero, b - b_zero
    if not profile:
        real = steps[0] * Fraction(a_scale) * steps[1] * Fraction(b_scale)
        return (nearest(real / Fraction(scale), zero_point, qmin, qmax),)
    scales = scale32(a_scale), scale32(b_scale), scale32(scale)
    return (oracle.clip(PRODUCTS[profile](steps, *scales, zero_point), qmin, qmax),)


Pair = tuple[int, int]


def _product_tflite(v: Pair, a: Fraction, b: Fraction, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-CODES-7."""
    m = single(single(a * b) / scale)
    return in_two_steps(v[0] * v[1], m, "tflite_away") + zero_point


def _product_xnnpack(v: Pair, a: Fraction, b: Fraction, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-CODES-8."""
    m = single(single(a * b) / scale)
    need(Fraction(1, 2**16) <= m < 2**8)
    return oracle.half_even(single(v[0] * v[1] * m)) + zero_point


def _product_float32(v: Pair, a: Fraction, b: Fraction, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-CODES-9."""
    real = single(single(v[0] * a) * single(v[1] * b))
    return oracle.half_even(single(real / scale)) + zero_point


def _product_onnxruntime(
    v: Pair, a: Fraction, b: Fraction, scale: Fraction, zero_point: int
) -> int:
    """Spec: AQ-CODES-10."""
    m = single(single(a * b) / scale)
    return oracle.half_even(single(single(v[0] * v[1] * m) + zero_point))


def _product_torch(v: Pair, a: Fraction, b: Fraction, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-CODES-11."""
    m = single(single(a * b) * single(1 / scale))
    return oracle.half_even(single(v[0] * v[1] * m)) + zero_point


PRODUCTS = {
    "tflite": _product_tflite,
    "xnnpack": _product_xnnpack,
    "float32": _product_float32,
    "onnxruntime": _product_onnxruntime,
    "torch": _product_torch,
}


def concat(
    *,
    x: Tensor,
    channels: Sequence[int],
    x_scale: Sequence[float],
    x_zero: Sequence[int],
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str = "",
) -> tuple[Tensor]:
    """Spec: AQ-CODES-16: each tensor by `rescale_codes`; or AQ-CODES-17 to AQ-CODES-19."""
    need(min(channels) >= 1 and sum(channels) == len(x))
    need(len(channels) == len(x_scale) == len(x_zero))
    end: dict[str, Any] = {"scale": scale, "zero_point": zero_point, "qmin": qmin, "qmax": qmax}

    def code(q: int, s: float, z: int) -> int:
        if profile in JOINED:
            need(s > 0 and scale > 0)
            joined = JOINED[profile](q, scale32(s), z, scale32(scale), zero_point)
            return oracle.clip(joined, qmin, qmax)
        return rescale_codes(x=q, x_scale=s, x_zero=z, **end, profile=profile)[0]

    owner = [k for k, count in enumerate(channels) for _ in range(count)]
    rows = zip(x, owner, strict=True)
    return ([oracle.apply(lambda q, k=k: code(q, x_scale[k], x_zero[k]), row) for row, k in rows],)


def _joined_tflite(q: int, step: Fraction, zero: int, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-CODES-18."""
    if (step, zero) == (scale, zero_point):
        return q
    ratio = single(step * single(1 / scale))
    return oracle.half_away(single(single(q * ratio) + single(-zero * ratio))) + zero_point


def _joined_torch(q: int, step: Fraction, zero: int, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-CODES-19: a fused multiply-add."""
    return oracle.half_even(single(single((q - zero) * step) * single(1 / scale) + zero_point))


JOINED = {"tflite": _joined_tflite, "torch": _joined_torch}
