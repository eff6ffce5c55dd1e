"""Saturation: what does not fit becomes the nearest value that does; nothing wraps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aquant_ref.errors import InputError

Array = NDArray[Any]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MAX = 2**63 - 1


def as_array(name: str, values: ArrayLike) -> Array:
    """`values` as an array; raises InputError for lists that are none. Spec: AQ-INT-1."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name}: needs an array, got rows of several lengths") from error


def check_integers(name: str, values: ArrayLike) -> Array:
    """`values` as int64; raises InputError for another kind, or for what does not fit int64.

    Spec: AQ-INT-1. In lists, which have no dtype, every number has to be an integer.
    """
    given = as_array(name, values)
    if given.dtype.kind not in "iu":
        given = _listed(name, values, given)
    if given.dtype == np.uint64 and given.size and int(given.max()) > INT64_MAX:
        raise InputError(f"{name}: {int(given.max())} does not fit int64")
    return given.astype(np.int64)


def _listed(name: str, values: ArrayLike, given: Array) -> Array:
    """Python's integers, of which numpy makes objects or floats where some do not fit int64."""
    listed = [] if hasattr(values, "dtype") else np.asarray(values, object).ravel().tolist()
    whole = [value for value in listed if isinstance(value, int | np.integer)]
    if hasattr(values, "dtype") or len(whole) < len(listed) or given.dtype.kind == "b":
        raise InputError(f"{name}: needs integers, got {given.dtype}")
    for value in whole:
        if not -INT64_MAX - 1 <= value <= INT64_MAX:
            raise InputError(f"{name}: {value} does not fit int64")
    return np.array(whole, np.int64).reshape(given.shape)


def check_meet(name: str, *arrays: Array) -> None:
    """Raise InputError unless the shapes broadcast. Spec: AQ-INT-1."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError as error:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise InputError(f"{name}: shapes {shapes} do not meet") from error


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raise InputError, which lists the `known` names, for another. Spec: AQ-INT-1."""
    if not isinstance(name, str) or name not in known:
        raise InputError(f"{what}: there is no {name!r}; there are {', '.join(known)}")


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
    least, largest = check_ends(low, high)
    wide = check_integers("saturate", values)
    check_meet("saturate", wide, least, largest)
    return np.asarray(np.clip(wide, least, largest).astype(np.int32))


def check_ends(low: ArrayLike, high: ArrayLike) -> tuple[Array, Array]:
    """The two as int64 if they fit int32 and low <= high, else InputError. Spec: AQ-INT-1."""
    least, largest = check_int32("low", low), check_int32("high", high)
    check_meet("low and high", least, largest)
    if bool((least > largest).any()):
        raise InputError("saturate: needs low <= high")
    return least, largest
