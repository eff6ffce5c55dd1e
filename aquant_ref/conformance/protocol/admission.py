"""Admit an answer by its type and range, before it is converted. Spec: AQ-CONF-3.

Every answer goes through `admit`, whether a method or `answer` of an adapter returns it or a file
holds it. A stream has no types; `replies` reads only texts that are an integer or a real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import DTYPES
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Field

INT64 = np.iinfo(np.int64)
MOST_ELEMENTS = 1 << 22  # of an answer to a case; those of the contract's are below a tenth
EXACT = 2**53  # every integer up to here is a float64


class Inadmissible(ValueError):
    """Say that what came back is no answer: a wrong type, or an impossible number."""


def admit(field: Field, value: Any, count: int = 1) -> Array:
    """Return what came back for `field` as a new array of the dtype that verdicts compare.

    Integers of any width and byte order are admitted, and floats for an f64. No value changes.
    Raises Inadmissible for any other type (bool, complex, object, masked, ...), for integers beyond
    int64, or beyond 2^53 for an f64, and for floats that float64 cannot represent; also, before any
    copy is made, for far more elements than answers to `count` cases have.
    """
    try:
        _check_size(value, max(count, MOST_ELEMENTS))
        listed = isinstance(value, list | tuple | int | float)
        array = _listed(field, value) if listed else _array(value)
        kinds, wanted = ("iuf", "reals") if field.type == "f64" else ("iu", "integers")
        if array.dtype.kind not in kinds:
            raise Inadmissible(f"returned {array.dtype}, not {wanted}")
        if array.dtype.kind in "iu" and array.size:
            _check_range(field, int(array.min()), int(array.max()))
        with np.errstate(all="ignore"):
            admitted = array.astype(DTYPES[field.type])
            if array.dtype.itemsize > 8 and not ((admitted == array) | (array != array)).all():
                raise Inadmissible(f"returned {array.dtype} that no float64 is")
    except Inadmissible as error:
        raise Inadmissible(f"{field.name}: {error}") from None
    return admitted


def _check_size(value: Any, most: int) -> None:
    if isinstance(value, np.ndarray):
        size = value.size
    else:
        size = len(value) if isinstance(value, list | tuple) else 0
    if size > most:
        raise Inadmissible(f"returned {size} elements, more than the {most} of any answer")


def _check_range(field: Field, least: int, most: int) -> None:
    low, high = (-EXACT, EXACT) if field.type == "f64" else (INT64.min, INT64.max)
    if least < low or most > high:
        beyond = "2^53, up to where a float64 is exact" if field.type == "f64" else "int64"
        raise Inadmissible(f"returned {least if least < low else most}, beyond {beyond}")


def _array(value: Any) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        raise Inadmissible("returned a masked array")
    try:
        return np.asarray(value)
    except Exception as error:
        reason = f"returned {type(value).__name__}, which is no array"
        raise Inadmissible(f"{reason} ({type(error).__name__})") from error


def _listed(field: Field, value: Any) -> Array:
    """Convert a number, or numbers in lists, without numpy's silent conversions.

    numpy turns True beside integers into 1, and rounds integers beside a large one.
    """
    try:
        numbers = np.array(value, object)
        items = numbers.ravel().tolist()
    except (ValueError, RuntimeError) as error:  # of different lengths, or nested too deeply
        raise Inadmissible("returned lists that are no array") from error
    integers = [
        int(n) for n in items if isinstance(n, int | np.integer) and not isinstance(n, bool)
    ]
    if integers:
        _check_range(field, min(integers), max(integers))
    reals = sum(isinstance(n, float | np.floating) for n in items)
    if len(integers) + reals < len(items) or (reals and field.type != "f64"):
        names = ", ".join(sorted({type(n).__name__ for n in items}))
        raise Inadmissible(f"returned {names}")
    if _masks(value):
        raise Inadmissible("returned a masked array")
    return numbers.astype(np.longdouble if reals else np.int64)


def _masks(value: Any) -> bool:
    """Tell whether lists hold a masked array; numpy would take the masked values."""
    if isinstance(value, list | tuple):
        return any(map(_masks, value))
    return isinstance(value, np.ma.MaskedArray)
