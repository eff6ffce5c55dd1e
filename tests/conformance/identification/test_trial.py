from __future__ import annotations

import pytest

from aquant_ref.conformance import Capabilities
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.identification.trial import Part, Trial, declared_for, tried


def part(bits: int, sign: str, passed: int, answered: int) -> Part:
    words = {"bits": frozenset([bits]), "signs": frozenset([sign]), "rounding": frozenset(["x"])}
    return Part(words, passed, answered)


def trial(*parts: Part) -> Trial:
    return Trial("requantize", "exact", [*parts])


def test_it_fits_if_something_was_answered_and_all_of_it_is_right() -> None:
    assert trial(part(8, "signed", 3, 3), part(4, "signed", 0, 0)).fits
    assert not trial(part(8, "signed", 3, 4)).fits
    assert not trial(part(8, "signed", 0, 0)).fits
    assert trial(part(8, "signed", 3, 4), part(4, "signed", 5, 5)).share == "8 of 9"


def test_it_is_narrowed_to_the_codes_with_the_most_right_answers() -> None:
    parts = [
        part(8, "signed", 30, 30),
        part(8, "unsigned", 2, 30),
        part(4, "signed", 40, 40),
        part(4, "unsigned", 1, 30),
    ]
    assert trial(*parts).narrowed() == ({"signs": ("signed",)}, 70)


@pytest.mark.parametrize(("right", "count"), [(19, 0), (20, 20)])
def test_few_right_answers_narrow_nothing(right: int, count: int) -> None:
    less, found = trial(part(8, "signed", right, right), part(4, "signed", 0, 9)).narrowed()
    assert found == count
    assert less == ({"bits": (8,)} if count else {})


def test_one_variation_of_an_operation_is_declared_and_those_of_others_stay() -> None:
    given = Capabilities(variations=("add:tflite", "quantize:float32"), rejects=True)
    declared = declared_for(given, "add", "xnnpack")
    assert set(declared.variations) == {"quantize:float32", "add:xnnpack"}
    assert not declared.rejects
    of_layer = declared_for(given, "conv2d", "tflite_up")
    assert of_layer.by_operation["conv2d"]["requantization"] == ("tflite_up",)


def test_a_right_variation_is_asked_generated_cases_too_and_a_wrong_one_is_not() -> None:
    engine = Asked(EngineAdapter())

    def asked(profile: str, operation: str = "clip") -> Trial:
        declared = declared_for(Capabilities(), operation, profile)
        return tried(engine, declared, operation, profile, 10, 1)

    right = asked("core-int")
    assert right.fits
    stored = sum(len(group.cases) for group in right.groups)
    assert right.answered == stored + 10
