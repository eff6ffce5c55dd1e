"""Compute operations from codes to codes in numpy, as other engines do. Spec: AQ-CODES."""

from __future__ import annotations

import numpy as np

from aquant_ref import integer
from aquant_ref.conformance.adapters.engine_peers import Singles, Term, fused, scale32
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.quant import multiplier
from aquant_ref.typing import Array, Codes, Integers, Reals


def positive(*scales: Reals) -> None:
    """Raise InputError unless all scales are above 0."""
    if not all((scale > 0).all() for scale in scales):
        raise InputError("scale: needs to be above 0")


def rescale_codes(
    profile: str,
    *,
    x: Codes,
    x_scale: Reals,
    x_zero: Integers,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
) -> Codes:
    """Spec: AQ-CODES-2 to AQ-CODES-5."""
    code = RESCALINGS[profile](x - x_zero, scale32(x_scale), scale32(scale)) + zero_point
    return np.clip(code, qmin, qmax).astype(np.int64)


def _in_two_steps(acc: Integers, m: Reals, profile: str) -> Codes:
    """Requantize with the multiplier of each case. Spec: AQ-FIXED-3, AQ-FIXED-4."""
    pairs = np.array([multiplier(each) for each in m.tolist()])
    ends = {"zero_point": 0, "qmin": INT32_MIN, "qmax": INT32_MAX}
    return integer.requantize(acc, pairs[:, 0], pairs[:, 1], profile=profile, **ends)


def _rescaled_tflite(steps: Integers, step: Singles, scale: Singles) -> Array:
    """Spec: AQ-CODES-2."""
    return _in_two_steps(steps, step.astype(np.float64) / scale, "tflite_away")


def _rescaled_tflite_up(steps: Integers, step: Singles, scale: Singles) -> Array:
    """Spec: AQ-CODES-3."""
    return _in_two_steps(steps, step.astype(np.float64) / scale, "tflite_up")


def _rescaled_xnnpack(steps: Integers, step: Singles, scale: Singles) -> Array:
    """Spec: AQ-CODES-4."""
    ratio = step / scale
    if ((ratio < 2.0**-8) | (ratio > 2.0**7)).any():
        raise InputError("scale: needs a ratio from 2^-8 to 2^7")
    return (steps * np.rint(ratio * 256).astype(np.int64) + 128) >> 8


def rescaled_float32(steps: Integers, step: Singles, scale: Singles) -> Array:
    """Spec: AQ-CODES-5."""
    return np.rint(steps.astype(np.float32) * step / scale).astype(np.int64)


RESCALINGS = {
    "tflite": _rescaled_tflite,
    "tflite_up": _rescaled_tflite_up,
    "xnnpack": _rescaled_xnnpack,
    "float32": rescaled_float32,
}


def mul(
    profile: str,
    *,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
    **factors: Array,
) -> Codes:
    """Spec: AQ-CODES-7 to AQ-CODES-11."""
    a, b = (
        Term(factors[name], scale32(factors[f"{name}_scale"]), factors[f"{name}_zero"])
        for name in "ab"
    )
    code = PRODUCTS[profile](a, b, scale32(scale), zero_point)
    return np.clip(code, qmin, qmax).astype(np.int64)


def _product(a: Term, b: Term) -> Singles:
    return np.asarray(a.steps * b.steps, np.float32)  # exact: codes of 8 bits


def _product_tflite(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-CODES-7."""
    m = (a.scale * b.scale / scale).astype(np.float64)
    return _in_two_steps(a.steps * b.steps, m, "tflite_away") + zero_point


def _product_xnnpack(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-CODES-8."""
    m = a.scale * b.scale / scale
    if ((m < 2.0**-16) | (m >= 2.0**8)).any():
        raise InputError("scale: needs a multiplier from 2^-16 to below 2^8")
    return np.rint(_product(a, b) * m).astype(np.int64) + zero_point


def _product_float32(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-CODES-9."""
    first, second = (x.steps.astype(np.float32) * x.scale for x in (a, b))
    return np.rint(first * second / scale).astype(np.int64) + zero_point


def _product_onnxruntime(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-CODES-10."""
    m = a.scale * b.scale / scale
    return np.rint(_product(a, b) * m + zero_point.astype(np.float32))


def _product_torch(a: Term, b: Term, scale: Singles, zero_point: Integers) -> Array:
    """Spec: AQ-CODES-11."""
    m = a.scale * b.scale * (np.float32(1) / scale)
    return np.rint(_product(a, b) * m).astype(np.int64) + zero_point


PRODUCTS = {
    "tflite": _product_tflite,
    "xnnpack": _product_xnnpack,
    "float32": _product_float32,
    "onnxruntime": _product_onnxruntime,
    "torch": _product_torch,
}


def concat(
    profile: str, *, x: Codes, channels: Integers, x_scale: Reals, x_zero: Integers, **end: float
) -> Codes:
    """Spec: AQ-CODES-17 to AQ-CODES-19, for all elements of one case."""
    owner = np.repeat(np.arange(len(channels)), channels * x[0].size)
    columns = {name: np.full(x.size, value) for name, value in end.items()}
    fields = {"x": x.ravel(), "x_scale": x_scale[owner], "x_zero": x_zero[owner], **columns}
    joined = {"tflite": _joined_tflite, "torch": _joined_torch}.get(profile)
    made = joined(**fields) if joined else rescale_codes(profile, **fields)
    return made.reshape(x.shape)


def _joined_tflite(
    *,
    x: Codes,
    x_scale: Reals,
    x_zero: Integers,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
) -> Codes:
    """Spec: AQ-CODES-18."""
    step, size = scale32(x_scale), scale32(scale)
    ratio = step * (np.float32(1) / size)
    real = x.astype(np.float32) * ratio + (-x_zero).astype(np.float32) * ratio
    away = np.sign(real) * np.floor(abs(real.astype(np.float64)) + 0.5)
    code = np.where((step == size) & (x_zero == zero_point), x, away.astype(np.int64) + zero_point)
    return np.clip(code, qmin, qmax).astype(np.int64)


def _joined_torch(
    *,
    x: Codes,
    x_scale: Reals,
    x_zero: Integers,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
) -> Codes:
    """Spec: AQ-CODES-19."""
    real = (x.astype(np.int64) - x_zero).astype(np.float32) * scale32(x_scale)
    code = np.rint(fused(real, np.float32(1) / scale32(scale), zero_point)).astype(np.int64)
    return np.clip(code, qmin, qmax).astype(np.int64)
