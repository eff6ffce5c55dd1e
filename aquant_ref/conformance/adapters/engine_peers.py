"""Compute in numpy what other engines compute: the alternatives of the contract."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aquant_ref import integer
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.quant import multiplier
from aquant_ref.quant.rounding import rule
from aquant_ref.typing import Array, Codes, Integers, Reals

Singles = NDArray[np.float32]

STEPS = ("float32", "float32_reciprocal", "float32_zero_first")  # by which quantize rounds
STORED = ("tflite", "torch", "qnnpack")  # means with one scale and zero point
# how many elements of a tensor some engines add at once, and how they add the rest
RUNS = {"torch": (64, "torch_tail"), "litert_int8": (16, "tflite"), "litert_uint8": (8, "tflite")}


def scale32(scale: Reals) -> Singles:
    """Round scales to float32, which must be normal as their reciprocals. Spec: AQ-PEER-1."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = scale.astype(np.float32)
    if not ((rounded >= 2.0**-126) & (rounded <= 2.0**126)).all():
        raise InputError("scale: needs a normal float32 whose reciprocal is normal")
    return rounded


def fused(x: Singles, y: Singles, z: Array) -> Singles:
    """Return x*y + z, rounded once to float32. Spec: AQ-PEER-1.

    A product of two float32 numbers is exact in float64. Where the float64 sum is not exact, an odd
    last bit keeps the second rounding from seeing a tie that is none.
    """
    product = x.astype(np.float64) * y
    addend = np.asarray(z, np.float64)
    total = product + addend
    rest = total - product
    lost = (product - (total - rest)) + (addend - rest)
    even = total.view(np.int64) % 2 == 0
    towards = np.where(lost > 0, np.inf, -np.inf)
    odd = np.where((lost != 0) & even, np.nextafter(total, towards), total)
    return odd.astype(np.float32)


def quantize(
    *,
    rounding: str,
    r: Reals,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
    profile: str,
) -> Codes:
    """Spec: AQ-PEER-2 to AQ-PEER-4."""
    if np.isnan(r).any():
        raise InputError("r: needs numbers, got NaN")
    step = scale32(scale)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        x, inverse = r.astype(np.float32), np.float32(1) / step
        if profile == "float32":
            steps = x / step
        elif profile == "float32_reciprocal":
            steps = x * inverse
        else:
            steps = np.where(np.isinf(x), x, fused(x, inverse, zero_point))
            zero_point = np.zeros_like(zero_point)
    code = rule(rounding)(steps.astype(np.float64)) + zero_point
    return np.clip(code, qmin, qmax).astype(np.int64)


def dequantize(*, q: Codes, scale: Reals, zero_point: Integers) -> Reals:
    """Spec: AQ-PEER-5."""
    steps: Any = (q.astype(np.int64) - zero_point).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        real = steps * scale32(scale)
    if not np.isfinite(real).all():
        raise InputError("scale: the real number overflows float32")
    return np.asarray(real)


def add(
    profile: str,
    *,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
    **terms: Array,
) -> Codes:
    """Spec: AQ-PEER-6 to AQ-PEER-11, AQ-PEER-24."""
    a, b = (
        Term(terms[name], scale32(terms[f"{name}_scale"]), terms[f"{name}_zero"]) for name in "ab"
    )
    code = ADDITIONS[profile](a, b, scale32(scale), zero_point)
    return np.clip(code, qmin, qmax).astype(np.int64)


class Term(NamedTuple):
    """Hold codes with their float32 scales and zero points, (n,) each."""

    code: Codes
    scale: Singles
    zero: Integers

    @property
    def steps(self) -> Integers:
        """Return the codes minus the zero points."""
        return self.code - self.zero


def _add_tflite(
    a: Term, b: Term, scale: Singles, zero_point: Integers, *, terms: str = "tflite_away"
) -> Array:
    """Spec: AQ-PEER-6: three requantizations in integers, as an integer program has them.

    With another rounding of the terms, AQ-PEER-17 and AQ-PEER-18.
    """
    twice = 2 * np.maximum(a.scale, b.scale).astype(np.float64)
    if (twice >= 2.0**20 * scale).any():
        raise InputError("scale: is too small for a left shift of 20")

    def scaled(acc: Integers, m: Reals, how: str) -> Integers:
        mantissa, shift = np.array([multiplier(each) for each in m.tolist()]).T
        if how == "floor":
            product = (acc << np.maximum(31 - shift, 0)) * mantissa
            return (product + (1 << 30) >> 31) >> np.maximum(shift - 31, 0)
        whole = {"zero_point": 0, "qmin": INT32_MIN, "qmax": INT32_MAX}
        return integer.requantize(acc, mantissa, shift, profile=how, **whole)

    total = sum(scaled(x.steps << 20, x.scale / twice, terms) for x in (a, b))
    return scaled(np.asarray(total), twice / (2.0**20 * scale), "tflite_away") + zero_point


def _add_xnnpack(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-PEER-7: two products in integers, and a shift."""
    ratios = a.scale / scale, b.scale / scale
    if (np.minimum(*ratios) < 2.0**-10).any() or (np.maximum(*ratios) >= 2.0**8).any():
        raise InputError("scale: needs ratios from 2^-10 to below 2^8")
    shift = 21 - np.frexp(np.maximum(*ratios))[1].astype(np.int64)
    factors = (np.rint(np.ldexp(r.astype(np.float64), shift)).astype(np.int64) for r in ratios)
    acc = sum(x.steps * factor for x, factor in zip((a, b), factors, strict=True))
    return ((acc + (1 << shift >> 1)) >> shift) + zero_point


def _add_qnnpack(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-PEER-24: as XNNPACK with two bits more, and half away from zero."""
    ratios = a.scale / scale, b.scale / scale
    if (np.minimum(*ratios) < 2.0**-14).any() or (np.maximum(*ratios) >= 2.0**8).any():
        raise InputError("scale: needs ratios from 2^-14 to below 2^8")
    shift = 22 - np.frexp(np.maximum(*ratios))[1].astype(np.int64)
    factors = (np.rint(np.ldexp(r.astype(np.float64), shift)).astype(np.int64) for r in ratios)
    acc = sum(x.steps * factor for x, factor in zip((a, b), factors, strict=True))
    return np.sign(acc) * ((abs(acc) + (1 << (shift - 1))) >> shift) + zero_point


def _add_float32(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-PEER-8."""
    first, second = (x.steps.astype(np.float32) * x.scale for x in (a, b))
    return np.rint((first + second) / scale).astype(np.int64) + zero_point


def _add_onnxruntime(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-PEER-9."""
    first, second = a.scale / scale, b.scale / scale
    zeros = [x.zero.astype(np.float32) for x in (a, b)]
    folded = fused(first, zeros[0], second * zeros[1])
    total = fused(second, b.code.astype(np.float32), zero_point.astype(np.float32) - folded)
    return np.rint(fused(first, a.code.astype(np.float32), total))


def _add_torch(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-PEER-10."""
    first, second = (
        fused(x.scale, x.code.astype(np.float32), -(x.scale * x.zero.astype(np.float32)))
        for x in (a, b)
    )
    return np.rint((first + second) * (np.float32(1) / scale)).astype(np.int64) + zero_point


def _add_torch_tail(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-PEER-11."""
    first, second = (x.steps.astype(np.float32) * x.scale for x in (a, b))
    return np.rint((first + second) * (np.float32(1) / scale) + zero_point.astype(np.float32))


ADDITIONS: dict[str, Callable[[Term, Term, Singles, Integers], Array]] = {
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


def add_tensors(profile: str, *, a: Codes, b: Codes, **numbers: Any) -> Codes:
    """Spec: AQ-PEER-16 to AQ-PEER-18: whole runs of elements, and the rest."""
    run, rest = RUNS.get(profile, (1, profile))
    full = a.size // run * run
    codes = []
    for way, part in ((profile, slice(full)), (rest, slice(full, None))):
        if not a.ravel()[part].size:
            continue
        first, second = a.ravel()[part], b.ravel()[part]
        columns = {name: np.full(first.size, value) for name, value in numbers.items()}
        codes.append(add(way, a=first, b=second, **columns))
    return np.concatenate(codes).reshape(a.shape)


def avg_pool(
    profile: str,
    *,
    total: Integers,
    count: Integers,
    x_scale: Reals,
    x_zero: Integers,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
) -> Codes:
    """Spec: AQ-PEER-12 to AQ-PEER-15, in integers: the doubled mean over its denominator.

    And AQ-PEER-25, in float32.
    """
    if (count < 1).any():
        raise InputError("count: needs at least 1")
    step, size = scale32(x_scale), scale32(scale)
    if profile in STORED and ((step != size) | (x_zero != zero_point)).any():
        raise InputError("scale: needs that of the input, and its zero point")
    if profile == "qnnpack":
        sums: Singles = (total - count * x_zero).astype(np.float32)
        steps = np.rint(sums * (step / (size * count.astype(np.float32))))
        return np.clip(steps.astype(np.int64) + zero_point, qmin, qmax).astype(np.int64)
    if profile in STORED:
        tops = total.astype(object)
        bottoms, after = count.astype(object), np.zeros_like(zero_point)
    else:
        pairs = [
            (x.as_integer_ratio(), y.as_integer_ratio()) for x, y in zip(step, size, strict=True)
        ]
        up = np.array([x[0] * y[1] for x, y in pairs], object)
        bottoms = count.astype(object) * np.array([x[1] * y[0] for x, y in pairs], object)
        tops = (total - count * x_zero).astype(object) * up
        first = profile == "onnxruntime"
        tops = tops + zero_point.astype(object) * bottoms * first
        after = np.zeros_like(zero_point) if first else zero_point
    doubled = tops * 2 + bottoms
    codes, rest = doubled // (bottoms * 2), doubled % (bottoms * 2)
    back = codes % 2 == 1 if profile != "tflite" else tops < 0
    codes = codes - ((rest == 0) & back) + after
    return np.clip(codes, qmin, qmax).astype(np.int64)


def avg_pool2d(
    profile: str, *, total: Integers, count: Integers, whole: bool, **numbers: Any
) -> Codes:
    """Spec: AQ-PEER-19, from the sum and the count of each window; `whole`: one is the image."""
    columns = {name: np.full(count.size, value) for name, value in numbers.items()}
    way = "onnx" if profile == "onnxruntime" and whole else profile
    codes = avg_pool(way, total=total.ravel(), count=count.ravel(), **columns)
    return codes.reshape(count.shape)
