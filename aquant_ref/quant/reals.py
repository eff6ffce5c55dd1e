"""Read real numbers by value; refuse those that float64 would round."""

from __future__ import annotations

from fractions import Fraction
from operator import index
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import as_array
from aquant_ref.typing import Reals

EXACT = 2**53  # float64 represents every integer up to here


def check_reals(name: str, values: ArrayLike) -> Reals:
    """Return floats in their own dtype and integers as float64.

    Spec: AQ-AFFINE-1. Raise InputError for other kinds, and for integers beyond 2^53, which float64
    would round.
    """
    array = as_array(name, values)
    if array.dtype.kind == "f":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name}: needs real numbers, got {array.dtype}")
    if array.size and (int(array.max()) > EXACT or int(array.min()) < -EXACT):
        raise InputError(f"{name}: needs integers up to 2^53, because float64 rounds larger ones")
    return array.astype(np.float64)


def check_float64(name: str, values: ArrayLike) -> Reals:
    """Return `values` as float64; raise InputError as `check_reals`, and if float64 would round.

    Spec: AQ-AFFINE-1.
    """
    reals = check_reals(name, values)
    with np.errstate(over="ignore", under="ignore"):
        doubles = reals.astype(np.float64)
    if reals.dtype.itemsize > 8 and not np.array_equal(doubles, reals, equal_nan=True):
        raise InputError(f"{name}: needs float64, got a {reals.dtype} that float64 would round")
    return doubles


def check_fraction(name: str, value: Any) -> Fraction:
    """Return one finite real number exactly; raise InputError for anything else.

    Spec: AQ-FIXED-1.
    """
    try:
        if isinstance(value, SupportsIndex) and not isinstance(value, bool):
            return Fraction(index(value))
        return Fraction(*value.as_integer_ratio())
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"{name}: needs one finite real number, got {value!r}") from error
