"""Forms of borders as they are written (ptq/border_spec.py)."""

from __future__ import annotations

from itertools import product

import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq import Border
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS, CHOICES

EVERY = [
    Border(*words, feedback)
    for words in product(*CHOICES.values())
    for feedback in (0, 1, 8, ALL_DIRECTIONS)
    if not (feedback and words[3] == "window")
]


@pytest.mark.parametrize("form", EVERY, ids=str)
def test_a_form_is_read_back_from_what_it_writes(form: Border) -> None:
    assert Border.parse(str(form)) == form


def test_words_come_in_any_order_and_what_is_left_out_is_the_default() -> None:
    assert Border.parse("") == Border()
    assert Border.parse("row/linear") == Border("linear", "sigmoid", "row")
    assert Border.parse("linear/row") == Border("linear", "sigmoid", "row")
    assert Border.parse("row", Border(squash="clip")) == Border(squash="clip", granularity="row")
    assert Border.parse("sigmoid", Border(squash="clip")).squash == "sigmoid"
    assert Border.parse("feedback").feedback == ALL_DIRECTIONS
    assert Border.parse("feedback8", Border(feedback=ALL_DIRECTIONS)).feedback == 8


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("cubic", "cubic"),
        ("row,linear", "row,linear"),
        ("Row", "Row"),
        ("feedback0", "feedback0"),
        ("feedback-1", "feedback-1"),
        ("feedback1.5", "feedback1.5"),
        ("linear/quadratic", "'quadratic' contradicts"),
        ("linear/linear", "'linear' contradicts"),
        ("sigmoid/clip", "'clip' contradicts"),
        ("row/channel", "'channel' contradicts"),
        ("off/window", "'window' contradicts"),
        ("feedback2/feedback4", "'feedback4' contradicts"),
        ("window/feedback", "window fusion or feedback, not both"),
        ("feedback1/row/window", "window fusion or feedback, not both"),
    ],
)
def test_words_that_are_unknown_or_contradict_each_other_are_refused(text: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        Border.parse(text)


def test_the_known_words_are_named() -> None:
    with pytest.raises(InputError, match=r"constant.*clip.*row.*window.*closed.*feedback<r>"):
        Border.parse("cubic")


@pytest.mark.parametrize(
    ("text", "windowed"),
    [
        ("", False),
        ("tensor", False),
        ("constant/clip/channel/off/closed", False),
        ("row", True),
        ("window", True),
        ("tensor/window", True),
        ("feedback1", True),
    ],
)
def test_rows_fusion_and_feedback_round_in_windows(text: str, windowed: bool) -> None:
    assert Border.parse(text).windowed is windowed


def test_a_family_has_as_many_coefficients_as_its_name_says() -> None:
    assert [Border(family).columns for family in CHOICES["family"]] == [1, 2, 3]
