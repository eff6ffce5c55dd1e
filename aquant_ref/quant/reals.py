"""Real numbers as they are given: read by value, or refused; never rounded on the way."""

from __future__ import annotations

from fractions import Fraction
from operator import index
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import as_array

Array = NDArray[Any]

EXACT = 2**53  # integers up to here are float64s, all of them


def check_reals(name: str, values: ArrayLike) -> Array:
    """`values` in their own float dtype, or integers as float64; raises InputError.

    Spec: AQ-AFFINE-1. Refused are other kinds, and integers beyond 2^53, which float64 would round.
    """
    given = as_array(name, values)
    if given.dtype.kind == "f":
        return given.astype(given.dtype.newbyteorder("="), copy=False)
    if given.dtype.kind not in "iu":
        raise InputError(f"{name}: needs real numbers, got {given.dtype}")
    if given.size and (int(given.max()) > EXACT or int(given.min()) < -EXACT):
        raise InputError(f"{name}: needs integers up to 2^53, which float64 holds")
    return given.astype(np.float64)


def check_float64(name: str, values: ArrayLike) -> Array:
    """`values` as float64; raises InputError as `check_reals`, and for what float64 would round.

    Spec: AQ-AFFINE-1.
    """
    given = check_reals(name, values)
    with np.errstate(over="ignore", under="ignore"):
        wide = given.astype(np.float64)
    if given.dtype.itemsize > 8 and not np.array_equal(wide, given, equal_nan=True):
        raise InputError(f"{name}: needs float64, got a {given.dtype} that it does not hold")
    return wide


def check_fraction(name: str, value: Any) -> Fraction:
    """One finite real number, exact; raises InputError. Spec: AQ-FIXED-1."""
    try:
        if isinstance(value, SupportsIndex) and not isinstance(value, bool):
            return Fraction(index(value))
        return Fraction(*value.as_integer_ratio())
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"{name}: needs one finite real number, got {value!r}") from error
