"""The process that calls a library: what it writes to a result, and what it answers."""

from __future__ import annotations

import ctypes
import io
import json
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from aquant_ref.conformance.adapters.library.host import HEAD, Result, serve


def test_what_is_written_behind_a_result_is_seen() -> None:
    result = Result("i32", 2, 0)
    result.data[:8] = struct.pack("<ii", 5, 6)
    assert not result.wrote_behind()
    assert bytes(result.filled() or b"") == struct.pack("<ii", 5, 6)
    result.data[8] = 0
    assert result.wrote_behind()


@pytest.mark.parametrize(
    ("shape", "size"), [((1, 3), 12), ((0, 9), 0), ((2, 3), None), ((-1, 1), None), ((4, 2), None)]
)
def test_a_tensor_has_the_elements_of_its_shape_if_there_is_room(
    shape: tuple[int, int], size: int | None
) -> None:
    result = Result("i32", 4, 2)
    result.shape[:] = list(shape)
    filled = result.filled()
    assert (None if filled is None else len(filled)) == size


def doubled(n: Any, variation: bytes, v: Any, q: Any) -> int:
    """A function of a library, in Python: it refuses 7."""
    assert variation == b"core-int"
    values = (ctypes.c_int32 * n.value).from_address(v.value)
    if 7 in values:
        return 3
    (ctypes.c_int32 * n.value).from_address(q.value)[:] = [2 * value for value in values]
    return 0


@pytest.mark.parametrize(
    ("each", "values", "answers"),
    [
        (False, [1, 2], [(0, [2, 4])]),
        (False, [1, 7], [(3, [])]),
        (True, [1, 7, 2], [(0, [2]), (3, []), (0, [4])]),
    ],
)
def test_calls_are_answered_together_or_one_by_one(
    each: bool, values: list[int], answers: list[tuple[int, list[int]]]
) -> None:
    count = len(values)
    arguments = [["text", "core-int"], ["array", "i32", count], ["result", "i32", count, 0]]
    call = {"symbol": "doubled", "n": count, "each": each, "arguments": arguments}
    asked = json.dumps(call).encode() + b"\n" + struct.pack(f"<{count}i", *values)
    said = io.BytesIO()
    library: Any = SimpleNamespace(doubled=doubled)
    serve(library, io.BytesIO(asked), said)
    assert said.getvalue() == b"".join(
        HEAD.pack(status, False) + struct.pack(f"<{len(codes)}i", *codes)
        for status, codes in answers
    )
