"""Requantize accumulators in int64 by multipliers that are not normalised."""

from __future__ import annotations

import numpy as np

from aquant_ref import integer
from aquant_ref.errors import InputError
from aquant_ref.integer.shift import shift_right
from aquant_ref.typing import Accumulators, Array, Integers


def requantize_any(
    acc: Accumulators,
    multiplier: Integers,
    shift: Integers,
    *,
    zero_point: Integers,
    qmin: Integers,
    qmax: Integers,
    profile: str,
) -> Array:
    """Return the codes (n,). Spec: AQ-FIXED-10."""
    if ((multiplier < 1) | (shift < 0) | (shift > 62)).any():
        raise InputError("multiplier: needs a positive one, and a shift of 0 to 62")
    if profile == "exact":
        y = shift_right(acc * multiplier, shift, rounding="half_up")
    else:
        left = acc << np.maximum(31 - shift, 0)
        if ((left < -(2**31)) | (left >= 2**31)).any():
            raise InputError("accumulator << (31 - shift): leaves int32")
        high = shift_right(left * multiplier, 31, rounding="half_up")
        second = "half_away" if profile == "tflite_away" else "half_up"
        y = shift_right(high, np.maximum(shift - 31, 0), rounding=second)
    return integer.saturate(y + zero_point, qmin, qmax)
