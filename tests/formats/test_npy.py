from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats.npy import Truncated, npy_bytes, parse_npy


def header(text: str, version: int = 1, data: bytes = b"") -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text.encode()))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def claim(descr: str = "'<f4'", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


HEADERS = {
    "nothing": "",
    "token": "{'descr': '<f4",
    "indentation": "  {\n 1",
    "syntax": "{'descr': ]",
    "parentheses": "(" * 9000,
    "minuses": "-" * 9000 + "1",
    "long": claim() + " " * 20_000,
    "no dictionary": "[1, 2]",
    "no keys": "{}",
    "unhashable": "{[]: 1}",
    "Python 2": claim(shape="(2L,)"),
    "escape": claim(descr=r"'\d'"),
    "null byte": claim() + "\0",
    "bool": claim(shape="(True, 2)"),
    "float": claim(shape="(2.0,)"),
    "negative": claim(shape="(-2, -1)"),
    "huge": claim(shape="(10**18,)"),
    "very huge": claim(shape=f"({'9' * 4000},)"),
    "empty but huge": claim(shape="(0, 4611686018427387904, 4)"),
    "many axes": claim(shape=f"({'1, ' * 99})"),
    "no tuple": claim(shape="[2]"),
    "no bool": claim(order="2"),
    "structure": claim(descr="[('a', '<f4')]"),
    "odd structure": claim(descr="[('a', '<f4', -1)]"),
    "tuple": claim(descr="('<f4', (2, 2))"),
    "nested": claim(descr="('<f4', " * 30 + "2" + ")" * 30),
    "object": claim(descr="'|O'"),
    "text": claim(descr="'<U2'"),
    "void of a gigabyte": claim(descr="'|V2147483647'"),
    "date": claim(descr="'<M8[D]'"),
    "complex": claim(descr="'<c8'"),
    "list": claim(descr="[[[]]]"),
    "number": claim(descr="7"),
    "long double": claim(descr="'<f16'"),
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_header_that_is_not_that_of_plain_numbers_is_refused(text: str, version: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for foreign in (False, True):
            with pytest.raises(InputError):
                parse_npy(header(text, version, bytes(8)), foreign=foreign)


def test_every_truncation_of_an_array_is_called_one() -> None:
    data = npy_bytes(np.arange(3))
    for length in range(len(data)):
        with pytest.raises(Truncated):
            parse_npy(data[:length])
    with pytest.raises(InputError, match="which does not match the size of its data"):
        parse_npy(data + b"x")


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (2, 0, 3), (4,), (2, 3, 4)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">i8", "|b1"])
def test_what_numpy_writes_is_read(
    shape: tuple[int, ...], version: tuple[int, int], dtype: str
) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for each in (array, np.asfortranarray(array)):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, each, version=version)
        read = parse_npy(stream.getvalue(), foreign=True)
        assert read.dtype == array.dtype
        assert read.shape == each.shape
        assert read.tolist() == each.tolist()
        assert read.flags.writeable
