"""Quantize and dequantize in float16 and bfloat16 in numpy. Spec: AQ-PEER-20.

A quotient or product of two such numbers is rounded to float64 first. That has more than twice
their bits, so that the second rounding is that of the exact result.
"""

from __future__ import annotations

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.quant.rounding import rule
from aquant_ref.typing import Codes, Integers, Reals

# bits, the exponents of the least and of the least normal number, and that of infinity
FORMATS = {"float16": (11, -24, -14, 16), "bfloat16": (8, -133, -126, 128)}


def narrowed(values: Reals, kind: str) -> Reals:
    """Round to the nearest float16 or bfloat16, ties to even. Spec: AQ-PEER-20."""
    bits, least, _, beyond = FORMATS[kind]
    unit = np.maximum(np.frexp(values)[1] - bits, least)
    with np.errstate(invalid="ignore"):
        rounded = np.ldexp(np.rint(np.ldexp(values, -unit)), unit)
    return np.where(abs(rounded) >= 2.0**beyond, np.copysign(np.inf, values), rounded)


def _scale(scale: Reals, kind: str) -> Reals:
    rounded, normal = narrowed(scale, kind), 2.0 ** FORMATS[kind][2]
    if not ((rounded >= normal) & (rounded <= 1 / normal)).all():
        raise InputError(f"scale: needs a normal {kind} whose reciprocal is normal")
    return rounded


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
    """Spec: AQ-PEER-21, AQ-PEER-22."""
    if np.isnan(r).any():
        raise InputError("r: needs numbers, got NaN")
    kind = profile.removesuffix("_to_float32")
    quotient = narrowed(r, kind) / _scale(scale, kind)
    with np.errstate(over="ignore"):
        single = quotient.astype(np.float32).astype(np.float64)
    steps = narrowed(quotient, kind) if profile == kind else single
    code = rule(rounding)(steps) + zero_point
    return np.clip(code, qmin, qmax).astype(np.int64)


def dequantize(*, q: Codes, scale: Reals, zero_point: Integers, profile: str) -> Reals:
    """Spec: AQ-PEER-23."""
    return narrowed((q - zero_point) * _scale(scale, profile), profile)
