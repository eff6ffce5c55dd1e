"""Check integers, and saturate: a value out of range becomes the nearest end; nothing wraps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.errors import InputError
from aquant_ref.typing import Accumulators, Array, Codes, Integers

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MAX = 2**63 - 1


def as_array(name: str, values: ArrayLike) -> Array:
    """Return `values` as an array; raise InputError for rows of several lengths.

    Spec: AQ-INT-1.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name}: needs an array, got rows of several lengths") from error


def check_integers(name: str, values: ArrayLike) -> Accumulators:
    """Return `values` as int64; raise InputError for other kinds and what does not fit int64.

    Spec: AQ-INT-1. In a list, which has no dtype, every number must be an integer.
    """
    array = as_array(name, values)
    if array.dtype.kind not in "iu":
        return _from_list(name, values, array)
    if array.dtype == np.uint64 and array.size and int(array.max()) > INT64_MAX:
        raise InputError(f"{name}: {int(array.max())} does not fit int64")
    return array.astype(np.int64)


def _from_list(name: str, values: ArrayLike, array: Array) -> Accumulators:
    """Return a list of Python integers as int64.

    numpy turns such a list into objects or floats if one of its numbers does not fit int64.
    """
    is_list = not hasattr(values, "dtype")
    numbers = np.asarray(values, object).ravel().tolist() if is_list else []
    integers = [number for number in numbers if isinstance(number, int | np.integer)]
    if not is_list or len(integers) < len(numbers) or array.dtype.kind == "b":
        raise InputError(f"{name}: needs integers, got {array.dtype}")
    for integer in integers:
        if not -INT64_MAX - 1 <= integer <= INT64_MAX:
            raise InputError(f"{name}: {integer} does not fit int64")
    return np.array(integers, np.int64).reshape(array.shape)


def check_meet(name: str, *arrays: Array) -> None:
    """Raise InputError unless the shapes broadcast. Spec: AQ-INT-1."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError as error:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise InputError(f"{name}: shapes {shapes} do not broadcast") from error


def check_inside(name: str, values: ArrayLike, low: int, high: int) -> Accumulators:
    """Return `values` as int64; raise InputError unless all of them are in low..high.

    Spec: AQ-INT-1.
    """
    integers = check_integers(name, values)
    if integers.size and (integers.min() < low or integers.max() > high):
        worst = int(integers.min() if integers.min() < low else integers.max())
        raise InputError(f"{name}: needs {low} to {high}, got {worst}")
    return integers


def check_int32(name: str, values: ArrayLike) -> Accumulators:
    """Return `values` as int64; raise InputError unless all of them fit int32.

    Spec: AQ-INT-1.
    """
    return check_inside(f"{name} (int32)", values, INT32_MIN, INT32_MAX)


def saturate(values: ArrayLike, low: ArrayLike, high: ArrayLike) -> Codes:
    """Clip `values` to low..high, int32; the three broadcast.

    Spec: AQ-INT-1. Raise InputError for anything but integers, ends outside int32, or low > high.

    >>> saturate([-129, -128, 127, 128], -128, 127).tolist()
    [-128, -128, 127, 127]
    """
    least, largest = check_ends(low, high)
    integers = check_integers("saturate", values)
    check_meet("saturate", integers, least, largest)
    return np.asarray(np.clip(integers, least, largest).astype(np.int32))


def check_ends(low: ArrayLike, high: ArrayLike) -> tuple[Integers, Integers]:
    """Return both ends as int64; raise InputError unless they fit int32 and low <= high.

    Spec: AQ-INT-1.
    """
    least, largest = check_int32("low", low), check_int32("high", high)
    check_meet("low and high", least, largest)
    if bool((least > largest).any()):
        raise InputError("saturate: needs low <= high")
    return least, largest
