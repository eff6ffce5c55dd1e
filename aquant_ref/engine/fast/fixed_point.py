"""The instructions of the fixed-point lowering, fast: `rescale`, `plus`, `border`.

Integers only, but for `rescale_float`: that one emulates engines that requantize in floating point
(profiles `float32` and `float64`), and so makes a float array of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.engine.instruction import Instruction, code_type
from aquant_ref.integer import scale_accumulator
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.typing import Accumulators, Array, Codes, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.engine.fast.step import Step

TAU_BITS = 15
BEYOND = 2.0**62  # where a product is cut off, so that int64 holds it


def _per_channel(values: Array, x: Integers) -> Array:
    """Shape one value a channel to broadcast against x (N, C, ...)."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def rescaled(x: Integers, each: Instruction) -> Integers:
    """Compute T, int64, before it saturates: (x * 2^left + bias) * M rounded by the profile.

    Spec: AQ-FIXED-8. x is (N, C, ...).
    """
    arrays = {key: _per_channel(array, x) for key, array in each.arrays.items()}
    acc = (x.astype(np.int64) << arrays["left"]) + arrays["bias"]
    profile = each.attributes["profile"]
    if each.op == "rescale":
        return scale_accumulator(acc, arrays["multiplier"], arrays["shift"], profile=profile)
    return rounded_product(acc, arrays["multiplier"], profile)


def rounded_product(acc: Integers, m: Reals, profile: str) -> Accumulators:
    """Multiply in the profile's floating point and round, int64 (at most 2^62).

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


def rescale(step: Step, x: Integers) -> Integers:
    """Compute `rescale` and `rescale_float`. Spec: AQ-FIXED-8."""
    return np.clip(rescaled(x, step.instruction), INT32_MIN, INT32_MAX).astype(np.int32)


def plus(_step: Step, a: Integers, b: Integers) -> Integers:
    """Compute `plus`; codes would wrap in their type."""
    return a.astype(np.int32) + b.astype(np.int32)


def border(step: Step, x: Integers) -> Codes:
    """Compute `border`. Spec: AQ-FIXED-9."""
    each, number = step.instruction, step.instruction.attributes
    t = np.clip(x.astype(np.int64), number["low"], number["high"])
    whole = t >> number["fraction_bits"]
    fraction = t - (whole << number["fraction_bits"])
    up = each.arrays["lift"][fraction] >= _polynomial(each, t)
    codes = whole + up + number["zero_point"]
    return codes.astype(code_type(number["least"], number["largest"]))


def _polynomial(each: Instruction, t: Integers) -> Integers:
    """Compute P by Horner with a floor after each product; 16 fraction bits."""
    coefficients = each.arrays["coefficients"].astype(np.int64)
    if not coefficients.any():
        return np.zeros(1, np.int64)
    tau = (t * each.attributes["multiplier"]) >> each.attributes["shift"]
    b0, b1, b2 = (_per_channel(column, t) for column in coefficients.T)
    return np.asarray(((((b2 * tau) >> TAU_BITS) + b1) * tau >> TAU_BITS) + b0)
