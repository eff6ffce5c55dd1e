"""Compute operations as other engines do: the alternatives of the contract. Spec: AQ-PEER.

A float32 is an exact rational here too; `single` rounds to the nearest one, ties to even.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from aquant_ref import oracle
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Real

NORMAL = Fraction(2) ** -126  # the smallest float32 that has 24 bits
LIMIT = Fraction(2) ** 128  # beyond the largest
STEPS = ("float32", "float32_reciprocal", "float32_zero_first")  # by which quantize rounds
STORED = ("tflite", "torch", "qnnpack")  # means with one scale and zero point
# how many elements of a tensor some engines add at once, and how they add the rest
RUNS = {"torch": (64, "torch_tail"), "litert_int8": (16, "tflite"), "litert_uint8": (8, "tflite")}


def single(value: Real) -> Fraction:
    """Return F(value), the nearest float32; overflow is not modelled. Spec: AQ-PEER-1."""
    return oracle.to_float(value, 24, -149)


def double(value: Real) -> Fraction:
    """Return D(value), the nearest float64."""
    return oracle.to_float(value, 53, -1074)


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


def add(
    *, profile: str, scale: float, zero_point: int, qmin: int, qmax: int, **terms: Any
) -> tuple[int]:
    """Spec: AQ-PEER-6 to AQ-PEER-11, AQ-PEER-24."""
    a = Term(terms["a"], scale32(terms["a_scale"]), terms["a_zero"])
    b = Term(terms["b"], scale32(terms["b_scale"]), terms["b_zero"])
    return (oracle.clip(ADDITIONS[profile](a, b, scale32(scale), zero_point), qmin, qmax),)


class Term(NamedTuple):
    """Hold a code with its float32 scale and its zero point."""

    code: int
    scale: Fraction
    zero: int

    @property
    def steps(self) -> int:
        """Return the code minus the zero point."""
        return self.code - self.zero


def _add_tflite(
    a: Term, b: Term, scale: Fraction, zero_point: int, *, terms: str = "tflite_away"
) -> int:
    """Spec: AQ-PEER-6; with another rounding of the terms, AQ-PEER-17 and AQ-PEER-18."""
    twice = 2 * max(a.scale, b.scale)
    need(twice < 2**20 * scale and max(abs(a.steps), abs(b.steps)) < 2**9)

    def scaled(v: int, m: Fraction, how: str) -> int:
        mantissa, shift = oracle.multiplier(double(m))
        need(shift <= 62)
        if how == "floor":
            high = oracle.half_up(Fraction(v * mantissa * 2 ** max(31 - shift, 0), 2**31))
            return high // 2 ** max(shift - 31, 0)
        return oracle.scale_accumulator(v, mantissa, shift, how)

    total = sum(scaled(x.steps * 2**20, x.scale / twice, terms) for x in (a, b))
    return scaled(total, twice / (2**20 * scale), "tflite_away") + zero_point


def _add_xnnpack(a: Term, b: Term, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-PEER-7."""
    ratios = [single(x.scale / scale) for x in (a, b)]
    need(min(ratios) >= Fraction(1, 2**10) and max(ratios) < 2**8)
    shift = _shift_to(20, max(ratios))
    acc = sum(x.steps * oracle.half_even(r * 2**shift) for x, r in zip((a, b), ratios, strict=True))
    return oracle.half_up(Fraction(acc, 2**shift)) + zero_point


def _add_float32(a: Term, b: Term, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-PEER-8."""
    first, second = (single(x.steps * x.scale) for x in (a, b))
    return oracle.half_even(single(single(first + second) / scale)) + zero_point


def _add_onnxruntime(a: Term, b: Term, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-PEER-9."""
    first, second = (single(x.scale / scale) for x in (a, b))
    folded = single(first * a.zero + single(second * b.zero))
    total = single(second * b.code + single(zero_point - folded))
    return oracle.half_even(single(first * a.code + total))


def _add_torch(a: Term, b: Term, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-PEER-10."""
    first, second = (single(x.scale * x.code - single(x.scale * x.zero)) for x in (a, b))
    return oracle.half_even(single(single(first + second) * single(1 / scale))) + zero_point


def _add_torch_tail(a: Term, b: Term, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-PEER-11."""
    first, second = (single(x.steps * x.scale) for x in (a, b))
    steps = single(single(first + second) * single(1 / scale))
    return oracle.half_even(single(steps + zero_point))


def _add_qnnpack(a: Term, b: Term, scale: Fraction, zero_point: int) -> int:
    """Spec: AQ-PEER-24."""
    ratios = [single(x.scale / scale) for x in (a, b)]
    need(min(ratios) >= Fraction(1, 2**14) and max(ratios) < 2**8)
    shift = _shift_to(21, max(ratios))
    acc = sum(x.steps * oracle.half_even(r * 2**shift) for x, r in zip((a, b), ratios, strict=True))
    return oracle.half_away(Fraction(acc, 2**shift)) + zero_point


def _shift_to(bits: int, ratio: Fraction) -> int:
    """Return bits - floor(log2(ratio)), by which the ratio reaches 2^bits."""
    shift = bits
    while ratio * 2**shift >= 2 ** (bits + 1):
        shift -= 1
    while ratio * 2**shift < 2**bits:
        shift += 1
    return shift


ADDITIONS: dict[str, Callable[[Term, Term, Fraction, int], int]] = {
    "tflite": _add_tflite,
    "litert_int8": partial(_add_tflite, terms="exact"),
    "litert_uint8": partial(_add_tflite, terms="floor"),
    "xnnpack": _add_xnnpack,
    "float32": _add_float32,
    "onnxruntime": _add_onnxruntime,
    "torch": _add_torch,
    "torch_tail": _add_torch_tail,
    "qnnpack": _add_qnnpack,
}


def of_elements(profile: str, count: int) -> Iterator[str]:
    """Yield the alternative of `add` for each element of a tensor. Spec: AQ-PEER-16."""
    run, rest = RUNS.get(profile, (1, profile))
    full = count // run * run
    return chain(repeat(profile, full), repeat(rest, count - full))


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
    profile: str,
) -> tuple[int]:
    """Spec: AQ-PEER-12 to AQ-PEER-15, AQ-PEER-25."""
    need(count > 0)
    step, size = scale32(x_scale), scale32(scale)
    stored = Fraction(total, count)
    real = (stored - x_zero) * step / size
    need(profile not in STORED or (step, x_zero) == (size, zero_point))
    if profile == "qnnpack":
        ratio = single(step / single(size * count))
        code = oracle.half_even(single(single(total - count * x_zero) * ratio)) + zero_point
    elif profile in STORED:
        code = (oracle.half_away if profile == "tflite" else oracle.half_even)(stored)
    elif profile == "onnx":
        code = oracle.half_even(real) + zero_point
    else:
        code = oracle.half_even(real + zero_point)
    return (oracle.clip(code, qmin, qmax),)
