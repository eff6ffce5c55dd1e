from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.integer import shift_right
from aquant_ref.integer.shift import ROUNDINGS

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


@st.composite
def near_ties(draw: st.DrawFn) -> tuple[int, int]:
    """(value, shift): an exact tie, an exact quotient, one beside either, or a type end."""
    shift = draw(st.sampled_from([0, 1, 2, 9, 30, 31, 32, 61, 62]))
    whole = draw(st.sampled_from([-3, -2, -1, 0, 1, 2, 5, -(2**20), 2**20 + 1]))
    value = whole * 2**shift + draw(st.sampled_from([0, 2**shift // 2])) + draw(st.integers(-1, 1))
    value = draw(st.sampled_from([value, INT64_MIN, INT64_MAX, -(2**62), 2**62]))
    return oracle.clip(value, INT64_MIN, INT64_MAX), shift


@pytest.mark.parametrize("rounding", ROUNDINGS)
@given(case=near_ties())
def test_a_rounding_shift_equals_the_oracle_at_ties_and_type_ends(
    rounding: str, case: tuple[int, int]
) -> None:
    """Spec: AQ-INT-2."""
    value, shift = case
    expected = oracle.ROUNDINGS[rounding](Fraction(value, 2**shift))
    assert shift_right(np.array([value]), shift, rounding=rounding).tolist() == [expected]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_halves_of_both_signs(rounding: str) -> None:
    halves = np.arange(-9, 10)
    expected = [oracle.ROUNDINGS[rounding](Fraction(int(h), 2)) for h in halves]
    assert shift_right(halves, 1, rounding=rounding).tolist() == expected


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_each_element_may_have_its_own_shift(rounding: str) -> None:
    cases = [(-6, 0), (-6, 2), (6, 2), (2**62, 62), (3 * 2**8, 9), (-3 * 2**8, 9)]
    values, shifts = np.array(cases).T
    expected = [oracle.ROUNDINGS[rounding](Fraction(v, 2**n)) for v, n in cases]
    assert shift_right(values, shifts, rounding=rounding).tolist() == expected


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_narrow_types_are_widened_before_anything_is_added(dtype: type) -> None:
    largest = np.iinfo(dtype).max
    result = shift_right(np.array([largest], dtype), 1, rounding="half_up")
    assert result.tolist() == [oracle.half_up(Fraction(int(largest), 2))]


@pytest.mark.parametrize("shift", [-1, 63, 64])
def test_a_shift_out_of_range_is_refused(shift: int) -> None:
    with pytest.raises(InputError, match="shift"):
        shift_right(np.array([1]), shift, rounding="floor")


def test_floats_and_unknown_rules_are_refused() -> None:
    with pytest.raises(InputError, match="float64"):
        shift_right(np.array([1.0]), 1, rounding="floor")
    with pytest.raises(InputError, match="nearest"):
        shift_right(np.array([1]), 1, rounding="nearest")
