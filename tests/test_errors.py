from __future__ import annotations

import pytest

from aquant_ref.errors import (
    LONGEST,
    AccumulatorOverflow,
    InputError,
    check_text,
    nearest,
    printable,
    unknown,
)


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\x85", "\u2028", "\u202e", "\ud800", "\0"])
def test_what_does_not_print_is_escaped_and_what_prints_stays(sign: str) -> None:
    shown = printable(f"é{sign}ß")
    assert shown.isprintable()
    assert shown.startswith("é\\")
    assert shown.endswith("ß")


def test_a_text_is_cut_to_its_limit_and_not_before() -> None:
    assert printable("12345678", 8) == "12345678"
    assert printable("123456789", 8) == "12345..."
    assert printable("123456789", 2) == "..."


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    message = str(InputError("a.npz: one\ntwo\x07" + "x" * 2 * LONGEST))
    assert message.startswith("a.npz: one two\\x07x")
    assert len(message) == LONGEST


def test_an_overflow_is_bad_input_and_an_overflow() -> None:
    with pytest.raises(OverflowError):
        raise AccumulatorOverflow("layer: beyond int32")
    assert issubclass(AccumulatorOverflow, InputError)
    assert issubclass(InputError, ValueError)


def test_the_nearest_word_is_suggested_and_a_far_one_is_not() -> None:
    assert nearest("CHANEL", ["tensor", "channel"]) == " (did you mean 'channel'?)"
    assert nearest("xyz", ["tensor", "channel"]) == ""
    assert nearest(7, ["7"]) == ""
    assert unknown("border", "rwo", ["row", "", "window"]) == (
        "unknown border 'rwo'; choose from row, window (did you mean 'row'?)"
    )


@pytest.mark.parametrize(
    ("text", "words"), [(3, "got int"), ("a\0b", "null character"), ("\udce9", "not in UTF-8")]
)
def test_a_name_that_no_result_can_hold_is_refused(text: str, words: str) -> None:
    check_text("out", "é")
    with pytest.raises(InputError, match=rf"^out: .*{words}"):
        check_text("out", text)
