"""Changes to `.npy` files: their header as a Python literal, and their arrays."""

from __future__ import annotations

import io
import struct
from random import Random

import numpy as np

from tests.fuzz.mutate.raw import raw

DESCRIPTIONS = (
    *(
        "'<f4'",
        "'>f4'",
        "'<f8'",
        "'<f16'",
        "'|O'",
        "'|V8'",
        "'<U5'",
        "'|S0'",
        "'<M8[ns]'",
        "'<c16'",
    ),
    *("'|b1'", "'<i8'", "'<u8'", "'<f2'", "[('a', '<f4')]", "[('a', '<f4', (2,))]", "'f4,f4'"),
    *(
        "[]",
        "()",
        "None",
        "''",
        "'x'",
        "0",
        "{'names': 3}",
        "'<i1'",
        "'=f4'",
        "b'<f4'",
        "'(2,2)f4'",
    ),
)
SHAPES = (
    *(
        "()",
        "(1,)",
        "(0,)",
        "(-1,)",
        "(2**3,)",
        "(9223372036854775808,)",
        "(4294967296, 4294967296)",
    ),
    *(
        "(0, 9223372036854775807)",
        "(True,)",
        "(1.0,)",
        "('2',)",
        "[2, 3]",
        "None",
        "3",
        "(((1,),),)",
    ),
    *(f"({'1, ' * 40})", f"({'1, ' * 3000})", f"({'9' * 5000},)", "(1e3,)", "(1j,)", "(-0,)"),
)
ORDERS = ("True", "False", "1", "0", "None", "'x'", "[]")
PIECES = (
    *(
        "(",
        ")",
        "[",
        "{",
        "}",
        "'",
        '"',
        '"""',
        "\t",
        "\n",
        "\r",
        " ",
        "\x00",
        "\x0c",
        "\\",
        ",",
        ":",
    ),
    *(
        "é",
        "٣",
        "1_0",
        "0x",
        "1L",
        "lambda: 0",
        "__import__('os')",
        "f''",
        "b''",
        "...",
        "# x",
        "-",
    ),
    *(
        "(" * 300,
        "[" * 5000,
        "-" * 5000,
        "not " * 300,
        "1+" * 300 + "1",
        "    ",
        "\n  x",
        "9" * 5000,
    ),
)


def with_header(text: str, version: bytes, data: bytes) -> bytes:
    """A file with this header and data, of the given version."""
    encoded = text.encode("latin-1" if version < b"\3" else "utf-8", "replace")
    if version != b"\1\0":
        return b"\x93NUMPY" + version + struct.pack("<I", len(encoded)) + encoded + data
    return b"\x93NUMPY" + version + struct.pack("<H", len(encoded) % 65536) + encoded + data


def header(rng: Random, data: bytes) -> bytes:
    """A file with another header: other values, other text, another version."""
    length = int.from_bytes(data[8:10], "little")
    text, rest = data[10 : 10 + length].decode("latin-1"), data[10 + length :]
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    values = [repr(array.dtype.str), "False", repr(array.shape)]
    which = rng.randrange(5)
    if which < 3:
        values[which] = rng.choice((DESCRIPTIONS, ORDERS, SHAPES)[which])
    text = "{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}".format(*values)
    if which == 3:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(PIECES) + text[at + rng.choice((0, 0, 1, 5)) :]
    if which == 4:
        keys = (", 'extra': 1}", ", 'descr': '<f8'}", ", 3: 4}", "")
        text = text[:-1] + rng.choice(keys)
    version = rng.choice((b"\1\0", b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\0\0", b"\x09\x09"))
    return with_header(text + rng.choice((" \n", "\n", "")), version, rest)


def changed(rng: Random, array: np.ndarray) -> np.ndarray:
    """Another array: of another type or shape, or with values at the ends of its type."""
    which = rng.randrange(6)
    with np.errstate(all="ignore"):
        if which == 0:
            types = ("?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
            return array.astype(rng.choice(types))
        if which == 1:
            return _reshaped(rng, array)
        if which == 2 and array.size > 1:
            order = array.ravel().tolist()
            rng.shuffle(order)
            return np.array(order, array.dtype).reshape(array.shape)
        out = array.copy()
        flat = out.reshape(-1)
        for _ in range(rng.choice((1, 1, 3, 100))):
            if flat.size:
                flat[rng.randrange(flat.size)] = _value(rng, array.dtype)
        if which == 3:
            out[...] = _value(rng, array.dtype)
        return out


def _reshaped(rng: Random, array: np.ndarray) -> np.ndarray:
    shape = list(array.shape)
    rng.shuffle(shape)
    others = (
        lambda: array.reshape(-1),
        lambda: array.reshape(shape),
        lambda: array[None],
        lambda: array.reshape(-1)[:1].reshape(()) if array.size else array,
        lambda: array[:0],
        lambda: np.concatenate([np.atleast_1d(array)] * 2),
        lambda: array[:-1],
        lambda: np.zeros((0, *array.shape), array.dtype),
        lambda: np.zeros(rng.choice(((), (1,), (3, 0), (1, 1, 1, 1), (70000,))), array.dtype),
    )
    return rng.choice(others)()


def _value(rng: Random, dtype: np.dtype) -> object:
    if dtype.kind == "f":
        least = np.finfo(dtype)
        finite = (0.0, -0.0, 1.0, -1.0, 0.5, 3e-6, least.max, least.min, least.tiny, 1e30, 2.0**31)
        return dtype.type(rng.choice((*finite, np.nan, np.inf, -np.inf)))
    if dtype.kind == "b":
        return rng.random() < 0.5
    ends = np.iinfo(dtype)
    value = rng.choice((0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**30, 2**53, ends.min, ends.max))
    return min(max(value, ends.min), ends.max)


def array(rng: Random, data: bytes) -> bytes:
    """A file with another array in it, of either order."""
    old = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    new = changed(rng, old)
    stream = io.BytesIO()
    order = np.asfortranarray(new) if rng.random() < 0.1 else new
    np.lib.format.write_array(stream, order, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


NPY = (header, header, array, array, raw)
