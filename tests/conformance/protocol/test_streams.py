"""Lines of a stream, and what arrives on one."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.protocol import streams
from aquant_ref.errors import InputError


def pieces(parts: Iterable[bytes]) -> list[list[str]]:
    return list(streams.split(parts))


def test_lines_are_put_together_from_pieces_and_the_last_may_have_no_end() -> None:
    assert pieces([b"0 1\n1", b" 2\n2 ", b"3"]) == [["0 1\n"], ["1 2\n"], ["2 3"]]
    assert pieces([b"a\nb\n"]) == [["a\n", "b\n"]]
    assert pieces([]) == []


def test_only_a_line_feed_ends_a_line() -> None:
    assert pieces(["0 1\u2028\r\n".encode()]) == [["0 1\u2028\r\n"]]
    assert pieces([b"\xff\n"]) == [["\ufffd\n"]]


def test_a_line_without_an_end_is_too_much_at_some_point() -> None:
    long = b"x" * (streams.LONGEST + 1)
    assert pieces([long + b"\n"]) == [[long.decode() + "\n"]]
    with pytest.raises(streams.Endless, match="a line of more than 1048576 characters"):
        pieces([long])


def test_a_tensor_has_no_line() -> None:
    with pytest.raises(InputError, match="conv2d: a stream has no tensors"):
        streams.header(Selection("conv2d"), 1)


def test_a_case_is_its_id_and_its_fields_in_the_order_of_the_contract() -> None:
    """The code and the zero point of the first case are the end 0 of 2 bits, the scale is 1."""
    (cases,) = streams.blocks(Selection("dequantize"), range(1))
    inputs = cases.inputs(0)
    by_hand = f"0 {inputs['q']} {inputs['scale'].hex()} {inputs['zero_point']}\n"
    assert streams.lines(cases) == by_hand


def test_blocks_are_no_longer_than_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK", 4)
    found = list(streams.blocks(Selection("clip"), range(3, 12)))
    assert [list(cases.ids) for cases in found] == [
        ["3", "4", "5", "6"],
        ["7", "8", "9", "10"],
        ["11"],
    ]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 86401.0, float("inf")])
def test_a_time_that_cannot_be_waited_is_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="timeout: needs more than 0 seconds"):
        streams.Patience(seconds)


def test_patience_ends_unless_it_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    patience = streams.Patience(2)
    now[0] = 101.5
    assert patience.left() == 0.5
    patience.renew()
    assert patience.left() == 2
    now[0] = 103.5
    with pytest.raises(streams.Silence):
        patience.left()


def test_what_arrives_is_handed_on_until_the_end() -> None:
    read, write = os.pipe()
    os.write(write, b"0 1\n")
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        assert b"".join(streams.chunks(stream, streams.Patience(30))) == b"0 1\n"
    with pytest.raises(InputError, match="the answers cannot be read"):
        next(streams.chunks(stream, streams.Patience(30)))  # it is closed
