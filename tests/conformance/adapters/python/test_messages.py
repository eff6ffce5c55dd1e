"""What two processes send each other comes back as it was."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import vectors
from aquant_ref.conformance.adapters.python.messages import (
    cases_of,
    message,
    of_cases,
    received,
)
from aquant_ref.conformance.cases.family import objects, plain
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.errors import InputError


def sent(value: Any) -> Any:
    stream = io.BytesIO(b"".join(map(bytes, message(value))))
    back = received(stream.readline(), lambda count: bytearray(stream.read(count)))
    assert stream.read() == b""
    return back


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, -(2**63)]),
        np.array([[0.1, np.inf], [np.nan, -0.0]]),
        np.zeros((0, 3), np.int64),
        np.array(5),
        objects([None, 0.1, [1, {"a": [2.5]}], "text"]),
        {"a": [np.arange(4)[::2], np.arange(4.0)[::-1]], "b": None},
    ],
    ids=repr,
)
def test_values_come_back_as_they_were(value: Any) -> None:
    np.testing.assert_equal(sent(value), value)


@pytest.mark.parametrize("name", OPERATIONS)
def test_cases_of_every_operation_come_back_as_they_were(name: str) -> None:
    selection = Selection(name, seed=3)
    stored = vectors.load(name)[0]
    for asked, cases in (
        (selection, generate(selection, range(12))),
        (stored.selection, stored.cases),
    ):
        again, back = cases_of(sent(of_cases(asked, cases)))
        assert again == asked
        assert (back.ids, back.flags) == (list(cases.ids), list(cases.flags))
        assert (back.operation, back.profile) == (cases.operation, cases.profile)
        assert np.array_equal(back.kind, cases.kind)
        for field, column in cases.columns.items():
            texts = isinstance(column[0], str)  # as an array of texts or of objects
            assert texts or back.columns[field].dtype == column.dtype
            for got, given in zip(back.columns[field], column, strict=True):
                np.testing.assert_equal(plain(got), plain(given))


@pytest.mark.parametrize(
    "line",
    [
        b"\x80\x04N.",
        b"",
        b"[1",
        b'{"a": NaN}',
        b'{"<reals>": [-1]}',
        b'{"<reals>": [999999999999]}',
    ],
)
def test_what_is_no_message_is_refused_and_never_unpickled(line: bytes) -> None:
    with pytest.raises(InputError):
        received(line, lambda count: bytearray(count))
