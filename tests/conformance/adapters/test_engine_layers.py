"""The engine's layers, tables and programs as an adapter."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters.engine_layers import EngineLayers, code
from aquant_ref.errors import InputError
from tests.conformance.adapters.by_hand import TENSORS, answer


@pytest.mark.parametrize("operation", TENSORS)
def test_tensors_are_answered_as_by_hand(operation: str) -> None:
    fields, right = TENSORS[operation]
    assert answer(EngineLayers(), operation, fields) == right


@pytest.mark.parametrize(("profile", "right"), [("exact", [4]), ("float32", [3])])
def test_a_tie_is_rounded_as_the_variation_says(profile: str, right: list[int]) -> None:
    """5 units of 1/2 step are 2.5, which float32 rounds to even; and 1 more."""
    fields, _ = TENSORS["linear"]
    assert answer(EngineLayers(), "linear", {**fields, "profile": profile}) == right


@pytest.mark.parametrize(
    ("operation", "changed", "said"),
    [
        ("linear", {"bias": np.array([0.1])}, "bias: 0.1 is not a whole number of units"),
        ("linear", {"bias": np.array([0.25 * 2**31])}, "accumulator: overflows int32"),
        ("avg_pool2d", {"padding": (1, 0, 0, 0)}, "covers nothing but padding"),
        ("max_pool2d", {"kernel": (2, 2)}, "max"),
    ],
)
def test_what_is_outside_the_contract_is_an_input_error(
    operation: str, changed: dict[str, Any], said: str
) -> None:
    fields, _ = TENSORS[operation]
    with pytest.raises(InputError, match=said):
        answer(EngineLayers(), operation, {**fields, **changed})


@pytest.mark.parametrize(("acc", "right"), [(-99, 0), (-2, 0), (-1, 1), (0, 1), (1, 2), (99, 3)])
def test_a_code_counts_the_thresholds_that_are_reached(acc: int, right: int) -> None:
    """A unit is half a step: half_up(acc / 2), 1 more, and at most 3."""
    ends = {"scale": 1.0, "zero_point": 1, "qmin": 0, "qmax": 3}
    assert code(acc, Fraction(1, 2), Fraction(0), **ends) == right
