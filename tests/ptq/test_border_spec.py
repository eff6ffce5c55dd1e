"""Forms of borders as they are written (ptq/border_spec.py)."""

from __future__ import annotations

from itertools import product

import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq import BorderSpec
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS, CHOICES

EVERY = [
    BorderSpec(*words, feedback, errors)
    for *words, errors in product(*CHOICES.values())
    for feedback in (0, 1, 8, ALL_DIRECTIONS)
    if not (words[3] == "window" if feedback else errors == "rounding")
    and (words[2] != "mixed" or (*words[3:], feedback) == ("off", "zero", 0))
]


@pytest.mark.parametrize("form", EVERY, ids=str)
def test_a_form_is_read_back_from_what_it_writes(form: BorderSpec) -> None:
    assert BorderSpec.parse(str(form)) == form


def test_words_come_in_any_order_and_what_is_left_out_is_the_default() -> None:
    assert BorderSpec.parse("") == BorderSpec()
    assert BorderSpec.parse("row/linear") == BorderSpec("linear", "sigmoid", "row")
    assert BorderSpec.parse("linear/row") == BorderSpec("linear", "sigmoid", "row")
    assert BorderSpec.parse("row", BorderSpec(squash="clip")) == BorderSpec(
        squash="clip", granularity="row"
    )
    assert BorderSpec.parse("sigmoid", BorderSpec(squash="clip")).squash == "sigmoid"
    assert BorderSpec.parse("feedback").feedback == ALL_DIRECTIONS
    assert BorderSpec.parse("feedback8", BorderSpec(feedback=ALL_DIRECTIONS)).feedback == 8
    assert BorderSpec.parse("feedback").errors == "clipping"
    assert BorderSpec.parse("feedback/rounding").errors == "rounding"


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
        ("feedback/clipping/rounding", "'rounding' contradicts"),
        ("row/rounding", "'rounding' says what feedback feeds back; there is none"),
    ],
)
def test_words_that_are_unknown_or_contradict_each_other_are_refused(text: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        BorderSpec.parse(text)


def test_the_known_words_are_named() -> None:
    with pytest.raises(InputError, match=r"constant.*clip.*row.*window.*closed.*feedback<r>"):
        BorderSpec.parse("cubic")


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
    assert BorderSpec.parse(text).windowed is windowed


def test_a_family_has_as_many_coefficients_as_its_name_says() -> None:
    assert [BorderSpec(family).columns for family in CHOICES["family"]] == [1, 2, 3]
