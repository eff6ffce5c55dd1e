from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Instruction
from aquant_ref.engine.instruction import NEVER_LIFT
from aquant_ref.errors import AccumulatorOverflow, InputError
from tests.engine.rows import bounds, instruction, row

HALF = 2**30  # shifted by 31: one half


def rescale(op: str = "rescale", profile: str = "exact", **arrays: Any) -> Instruction:
    numbers = {"left": [0], "bias": [0], "multiplier": [HALF], "shift": [31]}
    return instruction(op, {"profile": profile}, **{**numbers, **arrays})


NUMBERS = {
    "fraction_bits": 1,
    "zero_point": 2,
    "least": 0,
    "largest": 7,
    "low": -4,
    "high": 9,
    "multiplier": HALF,
    "shift": 30,
}


def border(
    coefficients: Any = ((0, 0, 0),), lift: Any = (NEVER_LIFT, 0), **changed: Any
) -> Instruction:
    return instruction("border", {**NUMBERS, **changed}, coefficients=coefficients, lift=lift)


def test_a_rescaled_accumulator_is_bounded_by_the_ends_with_the_bias_rescaled() -> None:
    """(-100*2 + 10)/2 = -95 and (30*2 + 10)/2 = 35.

    Spec: AQ-FIXED-8.
    """
    each = rescale(left=[1], bias=[10])
    assert row(each).shape(each, (1, 2, 3)) == (1, 2, 3)
    assert bounds(each, ([-100], [30])) == ([-95], [35])
    assert row(each).saturates


def test_an_accumulator_that_leaves_int32_with_the_fraction_of_its_bias_is_refused() -> None:
    each = rescale(left=[8], bias=[1])
    with pytest.raises(AccumulatorOverflow, match=f"^it: .* can reach {2**31 + 1}, beyond int32"):
        bounds(each, ([0], [2**23]))


@pytest.mark.parametrize(
    "changed",
    [
        {"left": [-1]},
        {"left": [32]},
        {"multiplier": [HALF - 1]},
        {"shift": [-1]},
        {"shift": [1000]},
    ],
)
def test_numbers_of_a_rescaling_that_no_shift_has_are_refused(changed: dict[str, Any]) -> None:
    row(rescale()).check(rescale())
    each = rescale(**changed)
    (key,) = changed
    with pytest.raises(InputError, match=f"^it: its {key} is not in "):
        row(each).check(each)


@pytest.mark.parametrize("multiplier", [0.0, -1.0, np.inf, np.nan])
def test_a_real_multiplier_is_a_finite_number_above_0(multiplier: float) -> None:
    for value in (0.25, multiplier):
        each = instruction(
            "rescale_float", {"profile": "x"}, left=[0], bias=[0], multiplier=np.array([value])
        )
        if value == 0.25:
            row(each).check(each)
    with pytest.raises(InputError, match="^it: its multiplier is not a finite number above 0"):
        row(each).check(each)


def test_a_border_makes_the_codes_between_its_rounded_ends() -> None:
    """With one fraction bit -4 is -2 steps and 9 rounds up to 5; the zero point is 2.

    Spec: AQ-FIXED-9.
    """
    each = border()
    row(each).check(each)
    assert row(each).codes(each, None) == (0, 7)
    assert bounds(each, ([-99, -99], [99, 99])) == ([0, 0], [7, 7])
    assert row(each).shape(each, (3, 2, 2)) == (3, 2, 2)
    with pytest.raises(InputError, match="^it: has 2 rows for 3 channels"):
        row(each).shape(border([[0, 0, 0]] * 2), (3, 2, 2))


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"fraction_bits": 17}, "fraction_bits"),
        ({"high": 2**31}, "low and high"),
        ({"low": 10}, "low"),
        ({"largest": 6}, "code"),
        ({"least": 1}, "code"),
        ({"largest": 2**16}, "largest"),
        ({"multiplier": 2**31}, "multiplier"),
        ({"shift": -1}, "shift"),
        ({"shift": 0}, "tau"),
        ({"coefficients": [[2**29, 1, 0]]}, "coefficients"),
        ({"lift": [0, 0]}, "lift of 0"),
    ],
)
def test_numbers_that_no_border_has_are_refused(changed: dict[str, Any], key: str) -> None:
    each = border(**changed)
    with pytest.raises(InputError, match=f"^it: its {key} is not in "):
        row(each).check(each)


def test_a_border_has_three_coefficients_and_a_lift_for_each_fraction() -> None:
    for each, message in (
        (border([[0, 0]]), r"its coefficients have shape \(1, 2\)"),
        (border(lift=[NEVER_LIFT]), r"its lift has shape \(1,\)"),
    ):
        with pytest.raises(InputError, match=f"^it: {message}"):
            row(each).check(each)
