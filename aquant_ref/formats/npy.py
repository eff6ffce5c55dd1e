"""Read and write the bytes of a `.npy` file; no other module does.

numpy's reader allocates the size that the header claims before it reads the data, and its header
parser raises a dozen types of exceptions. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.typing import Array

# The same on every platform: little-endian, no object to pickle, no `long double`.
DTYPES = frozenset(
    ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
)
LARGEST = 1 << 48  # bytes, without the axes of size 0: beyond it numpy's own products overflow
PREFIX = {1: 10, 2: 12, 3: 12}  # bytes before the text of the header, by version


class Truncated(InputError):
    """The data ends before the array that its header describes."""


def parse_npy(data: bytes, *, foreign: bool = False) -> Array:
    """Return the array of a `.npy` file, writable.

    The project's own files have version 1.0, row-major order and one of DTYPES. With `foreign`,
    later versions, column-major order and big-endian numbers are accepted and returned unchanged.
    Raises InputError, which continues the sentence "array 'x' ...".
    """
    shape, fortran_order, dtype, start = _header(data, (1, 2, 3) if foreign else (1,))
    if dtype.hasobject:
        raise InputError("holds pickled objects, which are never loaded")
    portable = dtype.newbyteorder("<") if foreign else dtype
    if portable.str not in DTYPES:
        raise InputError(f"has dtype {dtype}, which is not supported")
    if fortran_order and not foreign:
        raise InputError("is in column-major order, which is not supported")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise InputError(f"claims shape {shape}, which is not a shape")
    missing = math.prod(shape) * dtype.itemsize - (len(data) - start)
    if missing:
        kind = Truncated if missing > 0 else InputError
        raise kind(f"claims shape {shape}, which does not match the size of its data")
    if math.prod(side for side in shape if side) > LARGEST:
        raise InputError(f"claims shape {shape}, which is too large")
    order: Any = "F" if fortran_order else "C"
    try:
        return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order).copy()
    except ValueError as error:  # more axes than numpy has
        raise InputError(f"claims a shape of {len(shape)} axes ({error})") from error


def npy_bytes(array: Array) -> bytes:
    """Return the array as a `.npy` file of version 1.0, which never holds a pickle."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _header(data: bytes, versions: tuple[int, ...]) -> tuple[Any, bool, np.dtype[Any], int]:
    """Return shape, whether the order is column-major, dtype, and the offset of the numbers."""
    if len(data) < PREFIX[1]:
        raise Truncated(f"ends after {len(data)} bytes")
    version, prefix = data[6], PREFIX.get(data[6], PREFIX[1])
    if not data.startswith(b"\x93NUMPY"):
        raise InputError("lacks the magic bytes of the npy format")
    if version not in versions or data[7]:
        raise InputError(f"has npy version {version}.{data[7]}, which is not supported")
    start = prefix + int.from_bytes(data[8:prefix], "little")
    if len(data) < start:
        raise Truncated("ends inside its header")
    stream = io.BytesIO(data)
    stream.seek(8)
    # version 3.0 differs from 2.0 only in the names of fields, and fields are refused
    read_1, read_2 = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns of a header that Python 2 wrote
            shape, fortran_order, dtype = (read_1 if version == 1 else read_2)(stream)
    except Exception as error:  # tokenizer, parser and dtype raise a dozen types
        reason = str(error).partition("\n")[0][:100]  # numpy's advice follows
        raise InputError(f"has a damaged header ({type(error).__name__}: {reason})") from error
    return shape, fortran_order, dtype, start
