"""What the instructions of the fixed-point lowering do: `rescale`, `plus`, `border`.

Integers only, but for `rescale_float`: that one emulates engines that requantize in floating point
(profiles `float32` and `float64`), and so makes a float array of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.instruction import Instruction, code_type
from aquant_ref.integer import scale_accumulator
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN, check_int32

Array = NDArray[Any]

TAU_BITS = 15
BEYOND = 2.0**62  # where a float is cut off, so that int64 holds it


def _per_channel(values: Array, x: Array) -> Array:
    """One value a channel, shaped to meet x (N, C, ...)."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def rescaled(x: Array, each: Instruction) -> Array:
    """T, int64, before it saturates: (x * 2^left + bias) * M rounded by the profile; x (N, C, ...).

    Spec: AQ-FIXED-8. Raises InputError where the bracket, or what a profile shifts it to the left,
    leaves int32.
    """
    arrays = {key: _per_channel(array, x) for key, array in each.arrays.items()}
    acc = check_int32("accumulator", (x.astype(np.int64) << arrays["left"]) + arrays["bias"])
    profile = each.attributes["profile"]
    if each.op == "rescale":
        return scale_accumulator(acc, arrays["multiplier"], arrays["shift"], profile=profile)
    return rounded_product(acc, arrays["multiplier"], profile)


def rounded_product(acc: Array, m: Array, profile: str) -> Array:
    """The product acc * M in the profile's floating point, rounded, int64 (at most 2^62).

    Spec: AQ-FIXED-5 (`float32`), AQ-FIXED-6 (`float64`).
    """
    dtype = np.float32 if profile == "float32" else np.float64
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product = acc.astype(dtype) * m.astype(dtype)
    product = np.clip(np.where(acc == 0, dtype(0), product), -BEYOND, BEYOND)
    if profile == "float32":
        return np.asarray(np.rint(product).astype(np.int64))
    whole = np.trunc(product)
    away = (abs(product - whole) >= 0.5) * np.sign(product)
    return np.asarray((whole + away).astype(np.int64))


def _rescale(each: Instruction, x: Array) -> Array:
    return np.asarray(np.clip(rescaled(x, each), INT32_MIN, INT32_MAX).astype(np.int32))


def _plus(each: Instruction, a: Array, b: Array) -> Array:
    return np.asarray(a.astype(np.int32) + b.astype(np.int32))  # codes would wrap in their type


def _border(each: Instruction, x: Array) -> Array:
    """Spec: AQ-FIXED-9."""
    number = each.attributes
    t = np.clip(x.astype(np.int64), number["low"], number["high"])
    whole = t >> number["fraction_bits"]
    fraction = t - (whole << number["fraction_bits"])
    up = each.arrays["lift"][fraction] >= _polynomial(each, t)
    codes = whole + up + number["zero_point"]
    return np.asarray(codes.astype(code_type(number["least"], number["largest"])))


def _polynomial(each: Instruction, t: Array) -> Array:
    """P by Horner with a floor after each product; 16 fraction bits."""
    coefficients = each.arrays["coefficients"].astype(np.int64)
    if not coefficients.any():
        return np.zeros(1, np.int64)
    tau = (t * each.attributes["multiplier"]) >> each.attributes["shift"]
    b0, b1, b2 = (_per_channel(column, t) for column in coefficients.T)
    return np.asarray(((((b2 * tau) >> TAU_BITS) + b1) * tau >> TAU_BITS) + b0)


OPERATIONS: dict[str, Callable[..., Array]] = {
    "rescale": _rescale,
    "rescale_float": _rescale,
    "plus": _plus,
    "border": _border,
}
