"""Compute the range of codes of a fused activation in numpy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from aquant_ref.conformance.adapters.engine_peers import scale32
from aquant_ref.errors import InputError
from aquant_ref.typing import Array, Codes, Integers, Reals


def activation_range(
    profile: str,
    *,
    activation: str,
    scale: Reals,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
) -> tuple[Codes, Codes]:
    """Spec: AQ-ACT-1 to AQ-ACT-4."""
    if not (scale > 0).all():
        raise InputError("scale: needs to be above 0")
    six = np.clip(_six(profile, scale, zero_point), qmin, qmax).astype(np.int64)
    low = np.clip(zero_point, qmin, qmax)
    return qmin if activation == "none" else low, six if activation == "relu6" else qmax


def _six(profile: str, scale: Reals, zero_point: Integers) -> Array:
    if not profile:
        pairs = [Fraction(s).as_integer_ratio() for s in scale.tolist()]
        halves = [(12 * bottom + top) // (2 * top) for top, bottom in pairs]
        return np.array(halves, object) + zero_point
    step, six = scale32(scale), np.float32(6)
    with np.errstate(over="ignore"):
        steps = six * (np.float32(1) / step) if profile == "torch" else six / step
    if (steps >= 2.0**31).any():
        raise InputError("scale: is too small for a code of 6")
    if profile == "tflite":
        return np.floor(steps.astype(np.float64) + 0.5) + zero_point
    return np.rint(steps + zero_point.astype(np.float32))
