"""What a kernel answers is taken in line by line."""

from __future__ import annotations

import math

import pytest

from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.protocol.replies import SPARE, Problems, Replies
from aquant_ref.conformance.protocol.streams import Endless

HEADER = "# aquant-ref stream 1 op=clip"


def replies(operation: str = "clip", count: int = 3) -> Replies:
    return Replies([str(k) for k in range(count)], OPERATIONS[operation].result, HEADER)


def test_answers_come_in_any_order_and_with_any_spaces() -> None:
    got = replies()
    assert got.read([f"{HEADER}\n", "2 7\n", " 0\t-5 \n", "1 skip no range\r\n"]) == 3
    got.finish()
    answers = got.answers(0, 3)
    assert answers.values[0].tolist() == [-5, 0, 7]
    assert answers.other == {1: ("skip", "no range")}
    assert not got.problems


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("0 1.5\n", "garbled"),
        ("0\n", "garbled"),
        ("0 1 2\n", "garbled"),
        ("0 9223372036854775808\n", "garbled"),
        ("7 1\n", "unknown id"),
        ("\n", "garbled"),
        ("0 1", "truncated"),
        ("# aquant-ref stream 1 op=round\n", "other arguments"),
    ],
)
def test_a_line_that_breaks_the_protocol_is_counted_by_its_kind(line: str, kind: str) -> None:
    got = replies()
    got.read([line])
    assert got.problems.counts == {kind: 1}


def test_the_first_answer_counts() -> None:
    got = replies()
    assert got.read(["0 4\n", "0 5\n"]) == 1
    assert got.problems.counts == {"duplicate": 1}
    assert got.answers(0, 1).values[0].tolist() == [4]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "missing: no case is answered"),
        (["0 1\n"], "missing: the stream ends after 1 of 3 cases"),
        (["1 1\n"], "missing: 2 of 3 cases, 0, 2 among them"),
    ],
)
def test_what_is_not_answered_is_missing_and_said(lines: list[str], said: str) -> None:
    got = replies()
    got.read(lines)
    got.finish()
    assert got.problems.first == [said]
    assert {what for what, _ in got.answers(0, 3).other.values()} == {"missing"}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("0x1.8p+1", 3.0),
        ("-2.5e1", -25.0),
        ("inf", math.inf),
        ("0.1", 0.1),
        ("0x1p-1074", 5e-324),
    ],
)
def test_reals_are_hexadecimal_or_decimal(word: str, value: float) -> None:
    got = replies("dequantize", 1)
    assert got.read([f"0 {word}\n"]) == 1
    assert got.answers(0, 1).values[0].tolist() == [value]
    assert not got.problems


@pytest.mark.parametrize(
    "word", ["0x1p-1075", "0x1.00000000000001p0", "1e999", "1e-999", "1_0", "0x", "."]
)
def test_reals_that_no_float64_is_are_garbled(word: str) -> None:
    got = replies("dequantize", 1)
    got.read([f"0 {word}\n"])
    assert got.problems.counts == {"garbled": 1}
    assert got.answers(0, 1).other[0][0] == "invalid"


def test_far_more_lines_than_cases_are_not_read_to_their_end() -> None:
    with pytest.raises(Endless, match="lines that answer nothing"):
        replies().read(["# still here\n"] * (SPARE + 4))


def test_the_first_problem_of_each_kind_is_kept() -> None:
    problems = Problems(most=2)
    for kind in ("a", "a", "a", "b"):
        problems.add(kind, "\x1b")
    assert problems.counts == {"a": 3, "b": 1}
    assert len(problems.first) == 3
    assert "\x1b" not in "".join(problems.first)
    copied = problems.copy()
    copied.add("c", "")
    assert "c" not in problems.counts
