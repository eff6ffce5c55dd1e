"""Saturation: what does not fit becomes the nearest value that does; nothing wraps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError

Array = NDArray[Any]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def check_integers(name: str, values: Array) -> Array:
    """`values` as int64; raises InputError for another kind, or for uint64 beyond int64."""
    if values.dtype.kind not in "iu":
        raise InputError(f"{name}: needs integers, got {values.dtype}")
    if values.dtype == np.uint64 and values.size and int(values.max()) > 2**63 - 1:
        raise InputError(f"{name}: {int(values.max())} does not fit int64")
    return values.astype(np.int64)


def check_int32(name: str, values: Array) -> Array:
    """`values` as int64 if all of them fit int32, else InputError."""
    wide = check_integers(name, values)
    if wide.size and (wide.min() < INT32_MIN or wide.max() > INT32_MAX):
        raise InputError(f"{name}: needs values inside int32")
    return wide


def saturate(values: Array, low: int, high: int) -> Array:
    """`values` clipped to low..high, int32.

    Spec: AQ-INT-1. Raises InputError for values that are not integers, or ends outside int32.
    """
    if not INT32_MIN <= low <= high <= INT32_MAX:
        raise InputError(f"saturate: needs int32 ends, low <= high, got {low} and {high}")
    return np.asarray(np.clip(check_integers("saturate", values), low, high).astype(np.int32))
