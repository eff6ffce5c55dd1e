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
    ],
)
def test_a_word_that_the_contract_does_not_know_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Capabilities(**wrong)
