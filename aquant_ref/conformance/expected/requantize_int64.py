"""Compute `requantize` and `requantize_any` for many cases at once, in int64.

Every intermediate fits: |acc * multiplier| < 2^62, and half of 2^shift is at most 2^61. So each
line is the formula of the rule itself, without further rounding; tests compare it with the oracle.
`check` uses it unless `--oracle` is given, which takes four times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases

LEAST = {"requantize": 2**30, "requantize_any": 1}  # multipliers
PROFILES = ("exact", "tflite_single", "tflite_up", "tflite_away")


def covers(cases: Cases) -> bool:
    """Tell whether `requantize` below can compute these cases."""
    return cases.operation.name in LEAST and cases.profile in PROFILES


def requantize(cases: Cases) -> tuple[Array, Array]:
    """Return the codes (n,) int64 and the refused inputs.

    Spec: AQ-FIXED-2 to AQ-FIXED-4, AQ-FIXED-10.
    """
    c = cases.columns
    acc, m, stated = c["acc"], c["multiplier"], c["shift"]
    shift = np.clip(stated, 0, 62)  # a refused one is not computed with
    refused = (m < LEAST[cases.operation.name]) | (m >= 2**31) | (stated != shift)
    if cases.profile in ("exact", "tflite_single"):
        y = _half_up(acc * m, shift)
    else:
        left = acc << np.maximum(31 - shift, 0)
        refused |= (left < -(2**31)) | (left >= 2**31)
        high = _half_up(np.where(refused, 0, left) * m, 31)
        right = np.maximum(shift - 31, 0)
        # half_away is half_up of the absolute value, with the sign
        up = cases.profile == "tflite_up"
        y = _half_up(high, right) if up else np.sign(high) * _half_up(abs(high), right)
    return np.clip(y + c["zero_point"], c["qmin"], c["qmax"]), refused


def _half_up(v: Integers, shift: Integers | int) -> Array:
    """Return floor(v/2^shift + 1/2)."""
    return np.asarray((v + ((1 << np.asarray(shift, np.int64)) >> 1)) >> shift)
