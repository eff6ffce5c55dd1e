"""What an implementation declares, and which cases that covers."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.errors import InputError


def test_a_selection_is_covered_if_all_that_it_needs_is_declared() -> None:
    narrow = Capabilities(bits=(8,), signs=("signed",))
    assert narrow.cover(Selection("add", bits=(8,), signs=("signed",)))
    assert not narrow.cover(Selection("add", bits=(4, 8), signs=("signed",)))
    assert not narrow.cover(Selection("requantize", "float32", bits=(8,), signs=("signed",)))
    assert narrow.cover(Selection("clip"))  # which has no bits
    assert not narrow.cover(Selection("clip", rejects=True))


def test_an_operation_is_asked_in_the_variations_declared() -> None:
    declared = Capabilities(requantization=("exact", "float64"), variations=("add:torch",))
    assert declared.choices("requantize") == ["exact", "float64"]
    assert declared.choices("add") == ["torch"]
    assert declared.choices("avg_pool") == ["core-int"]
    assert [each.profile for each in declared.selections("requantize", 3)] == ["exact", "float64"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"bits": (17,)},
        {"signs": ("both",)},
        {"rounding": ()},
        {"requantization": ("fast",)},
        {"rejects": 1},
        {"bits": 8},
        {"by_operation": ["conv2d"]},
        {"by_operation": {"conv2d": (8,)}},
        {"by_operation": {"conv3d": {"bits": (8,)}}},
        {"by_operation": {"conv2d": {"bits": (17,)}}},
        {"by_operation": {"conv2d": {"bit": (8,)}}},
        {"by_operation": {"conv2d": {"bits": 8}}},
        {"by_operation": {"conv2d": {"variations": ("add:tflite",)}}},
        {"by_operation": {"conv2d": {"rejects": "no"}}},
        {"by_operation": {"clip": {"bits": (8,)}}},  # whose cases have none
        {"by_operation": {"add": {"requantization": ("exact",)}}},
        {"by_operation": {"requantize": {"requantization": ("ideal",)}}},  # of layers alone
    ],
)
def test_a_word_that_the_contract_does_not_know_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Capabilities(**wrong)


LITERT = Capabilities(
    bits=(8, 16),
    signs=("signed",),
    requantization=("tflite_away",),
    by_operation={
        "conv2d": {"bits": (8,), "granularity": ("channel",)},
        "linear": {"requantization": ("float64",), "rejects": True},
    },
)


def test_an_operation_may_have_capabilities_of_its_own() -> None:
    assert LITERT.choices("conv2d") == LITERT.choices("requantize") == ["tflite_away"]
    assert LITERT.choices("linear") == ["float64"]
    eight, sixteen = ({"bits": (bits,), "signs": ("signed",)} for bits in (8, 16))
    assert LITERT.cover(Selection("quantize", **sixteen))
    assert LITERT.cover(Selection("conv2d", "tflite_away", **eight, granularity=("channel",)))
    assert not LITERT.cover(Selection("conv2d", "tflite_away", **sixteen, granularity=("channel",)))
    assert not LITERT.cover(Selection("conv2d", "tflite_away", **eight, granularity=("tensor",)))
    assert not LITERT.cover(Selection("conv2d", "float64", **eight, granularity=("channel",)))
    assert LITERT.cover(Selection("linear", "float64", **sixteen, rejects=True))
    assert not LITERT.cover(Selection("depthwise", "tflite_away", **sixteen, rejects=True))
    (asked,) = LITERT.selections("conv2d", 5)
    assert (asked.bits, asked.signs, asked.granularity) == ((8,), ("signed",), ("channel",))
    (asked,) = LITERT.selections("linear", 5)
    assert (asked.bits, asked.profile) == ((8, 16), "float64")


def test_a_wrong_word_of_one_operation_names_it() -> None:
    with pytest.raises(InputError, match="did you mean 'tflite_away'"):
        Capabilities(by_operation={"linear": {"requantization": ("tflite_aways",)}})
    with pytest.raises(InputError, match="bits: .*, for linear"):
        Capabilities(by_operation={"linear": {"bits": (0,)}})
