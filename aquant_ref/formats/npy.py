"""The bytes of a `.npy` file: the one place that reads and writes them.

numpy's own reader allocates what the header claims before it looks at the bytes, and its parser of
headers raises exceptions of a dozen types. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError

# The same on every platform: little-endian, no object to pickle, no `long double`.
DTYPES = frozenset(
    ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
)
LARGEST = 1 << 48  # bytes of an array whose other axis is 0: beyond, numpy's own products overflow
PREFIX = {1: 10, 2: 12, 3: 12}  # bytes before the header's text, by version


class Truncated(InputError):
    """There are fewer bytes than an array says that it has."""


def parse_npy(data: bytes, *, foreign: bool = False) -> NDArray[Any]:
    """The array of a `.npy` file, writable.

    Our own files are of version 1.0, in row-major order and of one of DTYPES; with `foreign`, later
    versions, column-major order and big-endian numbers are taken too, and come as they are. Raises
    InputError, which ends the sentence "array 'x' ...".
    """
    shape, fortran_order, dtype, start = _header(data, (1, 2, 3) if foreign else (1,))
    if dtype.hasobject:
        raise InputError("holds pickled objects, which are never loaded")
    portable = dtype.newbyteorder("<") if foreign else dtype
    if portable.str not in DTYPES:
        raise InputError(f"is {dtype}, which is no plain number of the format")
    if fortran_order and not foreign:
        raise InputError("is in an order that the format does not have")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise InputError(f"claims shape {shape}, which is none")
    missing = math.prod(shape) * dtype.itemsize - (len(data) - start)
    if missing:
        kind = Truncated if missing > 0 else InputError
        raise kind(f"claims shape {shape}, which is not the size of its data")
    if math.prod(side for side in shape if side) > LARGEST:
        raise InputError(f"claims shape {shape}, which is too large")
    order: Any = "F" if fortran_order else "C"
    try:
        return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order).copy()
    except ValueError as error:  # more axes than numpy has
        raise InputError(f"claims a shape of {len(shape)} axes ({error})") from error


def npy_bytes(array: NDArray[Any]) -> bytes:
    """A `.npy` file, version 1.0, that never holds a pickle."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _header(data: bytes, versions: tuple[int, ...]) -> tuple[Any, bool, np.dtype[Any], int]:
    """Shape, whether in column-major order, dtype, and where the numbers start."""
    if len(data) < PREFIX[1]:
        raise Truncated(f"ends after {len(data)} bytes")
    version, prefix = data[6], PREFIX.get(data[6], PREFIX[1])
    if not data.startswith(b"\x93NUMPY"):
        raise InputError("lacks the magic bytes of the npy format")
    if version not in versions or data[7]:
        raise InputError(f"is in version {version}.{data[7]} of the npy format, which is not read")
    start = prefix + int.from_bytes(data[8:prefix], "little")
    if len(data) < start:
        raise Truncated("ends inside its header")
    stream = io.BytesIO(data)
    stream.seek(8)
    # version 3.0 is 2.0 with other names of fields, and no fields are taken
    read_1, read_2 = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # as for a header that Python 2 wrote
            shape, fortran_order, dtype = (read_1 if version == 1 else read_2)(stream)
    except Exception as error:  # tokenizer, parser and dtype have a dozen types between them
        reason = str(error).partition("\n")[0][:100]  # numpy goes on with advice
        raise InputError(f"has a damaged header ({type(error).__name__}: {reason})") from error
    return shape, fortran_order, dtype, start
