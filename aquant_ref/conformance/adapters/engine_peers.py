"""Compute in numpy what other engines compute: the alternatives of the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.rounding import rule
from aquant_ref.typing import Array, Codes, Integers, Reals

Singles = NDArray[np.float32]


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
