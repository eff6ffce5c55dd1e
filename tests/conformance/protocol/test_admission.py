"""Every door that an answer comes through, and every kind of value that is none."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.conformance import Capabilities, strategies, vectors, verify
from aquant_ref.conformance.adapters import CommandAdapter, EngineAdapter, PipeAdapter
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import Field, get
from aquant_ref.conformance.protocol import streams
from aquant_ref.conformance.protocol.admission import Inadmissible, admit
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.protocol.check_stream import check
from aquant_ref.conformance.protocol.replies import Replies
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PROTOCOL, Report

Array = Any


class Raises:
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array of me")


def nested(value: Any, times: int) -> Any:
    for _ in range(times):
        value = [value]
    return value


def in_itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def masked(q: Array) -> Any:
    return np.ma.MaskedArray(q, mask=np.ones(q.shape, bool))


# What it makes of right codes, some of which are -128 or 1: to compare by value, or after a cast to
# int64, each would be right.
ODD: dict[str, Callable[[Array], Any]] = {
    "uint64": lambda q: q.astype(np.uint64),
    "complex": lambda q: q.astype(complex),
    "complex64": lambda q: q.astype(np.complex64),
    "float64": lambda q: q.astype(float),
    "float16": lambda q: q.astype(np.float16),
    "longdouble": lambda q: q.astype(np.longdouble),
    "bool": lambda q: q.astype(bool),
    "objects": lambda q: q.astype(object),
    "huge objects": lambda q: q.astype(object) + 2**64,
    "huge integers": lambda q: (q.astype(object) + 2**64).tolist(),
    "text": lambda q: q.astype(str),
    "bytes": lambda q: q.astype(bytes),
    "list of floats": lambda q: q.astype(float).tolist(),
    "list with True": lambda q: [True if each == 1 else float(each) for each in q.ravel()],
    "list of text": lambda q: q.astype(str).tolist(),
    "masked": masked,
    "list of masked": lambda q: [masked(np.asarray(part)) for part in q],
    "structured": lambda q: q.astype([("q", np.int64)]),
    "datetime64": lambda q: q.astype("datetime64[s]"),
    "timedelta64": lambda q: q.astype("timedelta64[s]"),
    "without an axis": lambda q: q.ravel()[0],
    "an axis more": lambda q: q[None],
    "too few": lambda q: q[..., :0],
    "ragged": lambda q: [q.tolist(), [1, [2]]],
    "nested deeply": lambda q: nested(q.tolist(), 5000),
    "nested too deeply": lambda q: nested(q.tolist(), 40),
    "nested in itself": lambda q: in_itself(),
    "None": lambda q: None,
    "generator": lambda q: (each for each in q),
    "dictionary": lambda q: dict(enumerate(q.ravel())),
    "text alone": lambda q: "1",
    "no array": lambda q: Raises(),
    "no result": lambda q: (),
    "two results": lambda q: (q, q),
}
NEGATIVE, ONE = "clip/range_end/8", "clip/random/11"  # -128 and 1
TENSOR = "max_pool2d/low_codes/s8-1"


def right(case: str) -> Array:
    """What the vectors say of a case of `clip` or `max_pool2d`."""
    for group in vectors.load(case.split("/")[0]):
        if case in group.cases.ids:
            return group.expected.low[0][group.cases.ids.index(case)]
    raise AssertionError(case)


def by_method(odd: Callable[[Array], Any]) -> Report:
    class Odd(EngineAdapter):
        def clip(self, **fields: Any) -> Any:
            return odd(super().clip(**fields))

    return verify(Odd(), operations=["clip"], only=[NEGATIVE, ONE], generated=0)


def by_own_answer(odd: Callable[[Array], Any]) -> Report:
    class Odd(EngineAdapter):
        def answer(self, selection: Selection, cases: Cases) -> Any:
            value = odd(super().answer(selection, cases).values[0])
            return Answers(list(value) if isinstance(value, tuple) else [value], {})

    return verify(Odd(), operations=["clip"], only=[NEGATIVE, ONE], generated=0)


def by_method_on_tensors(odd: Callable[[Array], Any]) -> Report:
    class Odd(EngineAdapter):
        def max_pool2d(self, **fields: Any) -> Any:
            return odd(super().max_pool2d(**fields))

    return verify(Odd(), operations=["max_pool2d"], only=[TENSOR], generated=0)


def by_own_answer_on_tensors(odd: Callable[[Array], Any]) -> Report:
    class Odd(EngineAdapter):
        def answer(self, selection: Selection, cases: Cases) -> Any:
            answers = super().answer(selection, cases)
            answers.values[0][0] = odd(answers.values[0][0])
            return answers

    return verify(Odd(), operations=["max_pool2d"], only=[TENSOR], generated=0)


DOORS = [by_method, by_own_answer, by_method_on_tensors, by_own_answer_on_tensors]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_answer_never_passes(kind: str, door: Callable[..., Report]) -> None:
    """Past bug: -128 as 18446744073709551488, and complex numbers, passed with a claim."""
    report = door(ODD[kind])
    found = report.total()
    assert report.exit_code == (EXIT_PROTOCOL if found["error"] else EXIT_MISMATCH)
    assert report.claim == "claim: none"
    fine = kind == "uint64" and "tensors" not in door.__name__  # of the case of 1
    assert found["pass"] == fine
    assert found["fail"] + found["error"] == found["total"] - fine


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "same",
    [
        lambda q: q.astype(np.int16),
        lambda q: q.astype(">i8"),
        lambda q: np.asfortranarray(q),
        lambda q: q.view(np.ndarray)[::1],
        lambda q: q.tolist(),
    ],
    ids=["int16", "big-endian", "column-major", "view", "list"],
)
def test_integers_of_any_kind_are_answers(
    same: Callable[[Array], Any], door: Callable[..., Report]
) -> None:
    found = door(same).total()
    assert found["pass"] == found["total"] > 0


@pytest.mark.parametrize("kind", ["uint64", "complex", "float64", "bool", "None"])
def test_the_smallest_failure_of_what_is_no_answer_is_found(kind: str) -> None:
    class Odd(EngineAdapter):
        def clip(self, **fields: Any) -> Any:
            return ODD[kind](super().clip(**fields))

    assert strategies.smallest_failure(Odd(), Selection("clip")) is not None


NPY = ["uint64", "complex", "float64", "float16", "longdouble", "bool", "text", "structured"]


@pytest.mark.parametrize("kind", [*NPY, "datetime64", "an axis more", "without an axis"])
def test_what_is_no_answer_in_a_file_never_passes(kind: str, tmp_path: Path) -> None:
    odd = tmp_path / "odd.npy"
    np.save(odd, ODD[kind](right(TENSOR)))
    script = f"cp $0/in_x.npy $0/out_y.npy; cp {shlex.quote(str(odd))} $0/out_q.npy"
    kernel = CommandAdapter(f"sh -c {shlex.quote(script)} {{case}}")
    report = verify(kernel, operations=["max_pool2d"], only=[TENSOR], generated=0)
    assert report.exit_code == EXIT_PROTOCOL
    assert report.total()["error"] == 1


# Reals


REAL = Field("r", "f64")


@pytest.mark.parametrize(
    "value",
    [
        np.array([1.5, -0.0, np.inf], np.float32),
        np.array([1.5, 0.1, np.nan]),
        np.array([1.5, 2.0**-1074], np.longdouble),
        np.array([2**53, -(2**53)]),
        np.array([3], np.uint8),
        [1.5, 2, np.float32(0.5), np.int8(3)],
    ],
)
def test_a_real_is_any_number_that_float64_has(value: Any) -> None:
    assert np.array_equal(admit(REAL, value), np.asarray(value, float), equal_nan=True)


@pytest.mark.parametrize(
    "value",
    [
        np.array([1.5], complex),
        np.array([True]),
        np.array([2**53 + 1]),
        np.array([2**64 - 1], np.uint64),
        [1.5, True],
        [1.5, 2**53 + 1],
        [2**70],
        ["1.5"],
        pytest.param(
            np.nextafter(np.longdouble(1), np.longdouble(2))[None],
            marks=pytest.mark.skipif(
                np.finfo(np.longdouble).nmant <= 52, reason="long double is double"
            ),
        ),
        np.ma.MaskedArray([1.5], mask=[True]),
    ],
)
def test_what_a_float64_would_round_is_no_real(value: Any) -> None:
    with pytest.raises(Inadmissible, match=r"^r: returned "):
        admit(REAL, value)


DTYPES = tuple("?befdgFD") + (
    "u1",
    *["<i2", ">u2", "<i4", ">i4", "<u4", "<i8", ">i8", "<u8", ">u8"],
    *["M8[s]", "m8[s]", "S8", "U2", "V4"],
)


@given(
    field=st.sampled_from([Field("q", "i32"), Field("q", "i64"), REAL]),
    dtype=st.sampled_from(DTYPES),
    data=st.sampled_from([bytes(32), b"\xff" * 32]) | st.binary(min_size=32, max_size=32),
)
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # of long doubles that are none
def test_what_is_admitted_is_what_came(field: Field, dtype: str, data: bytes) -> None:
    """Compared as Python's own numbers, which are exact."""
    value = np.frombuffer(data, dtype)
    with suppress(Inadmissible):
        same(field, admit(field, value), value)


def same(field: Field, admitted: Array, value: Array) -> None:
    assert admitted.shape == value.shape
    kinds = (int, float) if field.type == "f64" else (int,)
    for got, came in zip(admitted.ravel().tolist(), value.ravel().tolist(), strict=True):
        exact = float(came) if isinstance(came, np.longdouble) else came
        assert type(exact) in kinds
        assert got == came or (got != got and came != came)


# Lines of a stream


@given(
    data=st.lists(st.sampled_from(["é", "\n", "\r", "\x0b", "\u2028", "0 1", "😀"])),
    k=st.integers(),
)
def test_lines_are_the_same_in_whatever_pieces_they_arrive(data: list[str], k: int) -> None:
    """Past bugs: half a character at the end of a piece, and other ends of lines than "\\n"."""
    whole = "".join(data).encode()
    size = k % 5 + 1
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    lines = [line for some in streams.split(pieces) for line in some]
    assert "".join(lines).encode() == whole
    assert all(line.index("\n") == len(line) - 1 for line in lines[:-1])


@given(
    reply=st.lists(
        st.sampled_from([b"0 ", b"1 ", b"error ", b"-128", b"\n", b"\r", b"\0"]) | st.binary()
    )
)
def test_any_reply_has_a_verdict(reply: list[bytes]) -> None:
    replies = Replies(["0", "1"], (Field("q", "i32"),), "# aquant-ref")
    for lines in streams.split([b"".join(reply)]):
        replies.read(lines)
    replies.finish()
    answers = replies.answers(0, 2)
    answered = replies.answered - sum(what != "missing" for what, _ in answers.other.values())
    assert answered + len(answers.other) == 2
    assert all("\n" not in text and text.isprintable() for text in replies.problems.first)


def spoken(tmp_path: Path, reply: bytes, operation: str) -> Report:
    """What `check` says of a reply to case 0 of `clip` or `dequantize`, to which 0 is right."""
    path = tmp_path / "reply"
    path.write_bytes(reply)
    with path.open("rb") as stream:
        return check(Selection(operation), [0], stream, timeout=5)


@pytest.mark.parametrize(
    "word",
    ["0", "-0", "+0", "0000", "0\r", "0 ", "\t0"],
)
def test_an_integer_may_be_written_in_several_ways(word: str, tmp_path: Path) -> None:
    assert spoken(tmp_path, f"0 {word}\n".encode(), "clip").total()["pass"] == 1


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"0 1_0",
            b"0 0_0",
            b"0 0x0",
            b"0 0e0",
            b"0 0.0",
            b"0 --0",
            b"0 +",
            b"0 0\x00",
            b"0 zero",
        ),
        *(b"0 " + b"0" * 100_000, b"0 1" + b"0" * 100_000, b"0 18446744073709551616"),
        *(b"0 0" + b" 0" * 100_000, b"0", b"0 nan", b"0 True", b"0 (0)", b"0 0j"),
        *("0 \u0660".encode(), "0\u00a00".encode(), "0 0\u2028".encode(), b"0 0\xff", b"0 \xff"),
        *(b"0\x0b0", b"0\x0c0", b"0\x1c0", b"0 0\x1d", "0\x850".encode(), b"0 0\r0", b"0\r0"),
        *("\ufeff0 0".encode(), b"\x000 0", b"-0 0", b"00 0", "\u0660 0".encode(), b"1 0", b"-1 0"),
        *(b"", b" ", b"\t", b"0 0\x1b[0m", b"0 error\x0b0 0"),
    ],
    ids=lambda line: ascii(line[:20]),
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_that_is_no_integer_has_a_verdict(line: bytes, end: bytes, tmp_path: Path) -> None:
    report = spoken(tmp_path, line + end, "clip")
    assert report.exit_code == EXIT_PROTOCOL
    found = report.total()
    assert found["error"] + found["missing"] == found["total"] == 1
    assert all(len(text) < 600 and "\n" not in text for text in report.problems.first)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, "pass") for word in ("0", "-0", "0.000", "0e99999999999", "0x0p0", "0X0P+9")),
        *((word, "fail") for word in ("inf", "-INF", "nan", "1", "1e-300", "0x1p-1074")),
        *(
            (word, "error")
            for word in ("1_0.0", "0.0.0", "0j", "infinity", "nan(0)", ".", "0x", "0xp")
        ),
        # past bug: 0, which it is not, or infinity
        *((word, "error") for word in ("1e-400", "0x1p-1075", "0x1p-16000", "1e400", "0x1p1024")),
        # past bug: a long double that is rounded to the right one
        *((word, "error") for word in ("0x1.00000000000001p0", "0x1.8p-1074")),
        *((word, "error") for word in ("\u0660", "0\u0661", "1" * 100_000, "0x" + "0" * 100_000)),
    ],
    ids=lambda word: ascii(word[:20]),
)
def test_a_real_is_read_as_it_is_written(word: str, status: str, tmp_path: Path) -> None:
    report = spoken(tmp_path, f"0 {word}\n".encode(), "dequantize")
    assert report.total()[status] == 1
    assert bool(report.problems) == (status == "error")


def test_only_a_line_feed_ends_a_reason(tmp_path: Path) -> None:
    """Past bug: each of these did, and the rest was a line that answers nothing."""
    odd = "a\vb\fc\rd\x1ce\x1df\x1eg\x85h\u2028i\u2029j"
    report = spoken(tmp_path, f"0 error {odd}\n".encode(), "clip")
    assert not report.problems
    assert report.failures[0].got == r"error: a\x0bb\x0cc\rd\x1ce\x1df\x1eg\x85h\u2028i\u2029j"


def test_a_garbled_line_or_a_wrong_type_is_no_refusal() -> None:
    """Past bug: each was an error, which is what an input outside the contract has to give."""

    class Odd(EngineAdapter):
        def clip(self, *, v: Any, low: Any, high: Any) -> Any:
            return np.full(v.shape, 0.5)

    echo = "while read id rest; do echo $id zero; done"
    rejects = Capabilities(rejects=True)
    for adapter in (Odd(), PipeAdapter(f"sh -c {shlex.quote(echo)}", capabilities=rejects)):
        report = verify(adapter, operations=["clip"], generated=0)
        assert report.total(flag="no_range")["pass"] == 0
        assert report.total(flag="no_range")["error"] == 24


@pytest.mark.parametrize(
    "huge", [np.broadcast_to(np.int64(0), (10**12,)), np.broadcast_to(np.int64(0), (9, 10**5, 5))]
)
def test_far_more_than_an_answer_is_refused_before_it_is_copied(huge: Array) -> None:
    """Past bug: 8 GB were copied before the shape was looked at, which hung."""
    field = get("max_pool2d").result[0]
    with pytest.raises(Inadmissible, match="q: returned [0-9]* elements, more than the 4194304"):
        admit(field, huge)
