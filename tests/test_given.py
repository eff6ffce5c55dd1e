from __future__ import annotations

import math

import pytest

from aquant_ref import given
from aquant_ref.errors import InputError


@pytest.mark.parametrize("text", ["8", "-8", "+08", "9" * 40])
def test_an_integer_is_read(text: str) -> None:
    assert given.integer(text) == int(text)


@pytest.mark.parametrize("text", ["", " 8", "1_000", "٨", "8.0", "0x8", "9" * 41, "--8"])
def test_what_python_alone_takes_for_an_integer_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="needs an integer such as 8"):
        given.integer(text)


def test_a_number_is_read_and_may_be_infinite() -> None:
    assert given.number("-2.5e1") == -25
    assert given.number("INF") == math.inf
    for text in ("", "1_0", "٢", "2,5", "e", "1 "):
        with pytest.raises(InputError, match="needs a number such as 2.5"):
            given.number(text)


def test_lists_have_no_holes_and_nothing_twice() -> None:
    assert given.words("--bits", "a,b") == ("a", "b")
    assert given.integers("--seeds", "2,0,1") == (2, 0, 1)
    for function, text, words in (
        (given.words, "a,,b", "has an empty place"),
        (given.words, "a,b,a", "has 'a' twice"),
        (given.integers, "1,x", "is not a list of integers"),
        (given.integers, "1,01", "has 1 twice"),
    ):
        with pytest.raises(InputError, match=rf"^--option: .*{words}"):
            function("--option", text)
