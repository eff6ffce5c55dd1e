"""Saturation: what does not fit becomes the nearest value that does; nothing wraps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aquant_ref.errors import InputError

Array = NDArray[Any]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def check_integers(name: str, values: ArrayLike) -> Array:
    """`values` as int64; raises InputError for another kind, or for what does not fit int64.

    Spec: AQ-INT-1.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iu":
        raise InputError(f"{name}: needs integers, got {given.dtype}")
    if given.dtype == np.uint64 and given.size and int(given.max()) > 2**63 - 1:
        raise InputError(f"{name}: {int(given.max())} does not fit int64")
    return given.astype(np.int64)


def check_inside(name: str, values: ArrayLike, low: int, high: int) -> Array:
    """`values` as int64 if all of them are in low..high, else InputError.

    Spec: AQ-INT-1.
    """
    wide = check_integers(name, values)
    if wide.size and (wide.min() < low or wide.max() > high):
        worst = int(wide.min() if wide.min() < low else wide.max())
        raise InputError(f"{name}: needs {low} to {high}, got {worst}")
    return wide


def check_int32(name: str, values: ArrayLike) -> Array:
    """`values` as int64 if all of them fit int32, else InputError.

    Spec: AQ-INT-1.
    """
    return check_inside(f"{name} (int32)", values, INT32_MIN, INT32_MAX)


def saturate(values: ArrayLike, low: ArrayLike, high: ArrayLike) -> Array:
    """`values` clipped to low..high, int32; the three broadcast.

    Spec: AQ-INT-1. Raises InputError for what is not an integer, ends outside int32, or low > high.

    >>> saturate([-129, -128, 127, 128], -128, 127).tolist()
    [-128, -128, 127, 127]
    """
    least, largest = check_int32("low", low), check_int32("high", high)
    if bool((least > largest).any()):
        raise InputError("saturate: needs low <= high")
    return np.asarray(np.clip(check_integers("saturate", values), least, largest).astype(np.int32))
