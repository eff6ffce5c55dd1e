from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer import PROFILES, accumulate, requantize, saturate, shift_right
from aquant_ref.integer.fixed_point import scale_accumulator

ROUNDINGS = ("half_even", "half_up", "half_away", "floor", "ceil", "trunc")


@st.composite
def near_ties(draw: st.DrawFn) -> tuple[int, int]:
    """(value, shift): an exact tie, one beside it, or a type end."""
    shift = draw(st.sampled_from([0, 1, 2, 9, 30, 31, 32, 61, 62]))
    whole = draw(st.sampled_from([-3, -2, -1, 0, 1, 2, 5, -(2**20), 2**20 + 1]))
    value = whole * 2**shift + 2**shift // 2 + draw(st.integers(-1, 1))
    value = draw(st.sampled_from([value, -(2**63), 2**63 - 1, -(2**62)]))
    return max(min(value, 2**63 - 1), -(2**63)), shift


@pytest.mark.parametrize("rounding", ROUNDINGS)
@given(case=near_ties())
def test_a_rounding_shift_equals_the_oracle_at_ties_and_type_ends(
    rounding: str, case: tuple[int, int]
) -> None:
    value, shift = case
    expected = oracle.ROUNDINGS[rounding](Fraction(value, 2**shift))
    assert shift_right(np.array([value]), shift, rounding=rounding).tolist() == [expected]


@pytest.mark.parametrize("shift", [-1, 63])
def test_a_shift_out_of_range_is_refused(shift: int) -> None:
    with pytest.raises(InputError, match="shift"):
        shift_right(np.array([1]), shift, rounding="floor")


def test_floats_are_refused_where_integers_belong() -> None:
    with pytest.raises(InputError, match="float64"):
        shift_right(np.array([1.0]), 1, rounding="floor")
    with pytest.raises(InputError, match="float64"):
        saturate(np.array([1.0]), 0, 1)


@st.composite
def requantizations(draw: st.DrawFn) -> tuple[int, int, int]:
    """(acc, multiplier, shift) whose product is a tie, beside one, or extreme."""
    m = draw(st.sampled_from([2**30, 2**31 - 1, 3 * 2**29, 2**30 + 1, 1518500250]))
    shift = draw(st.sampled_from([30, 31, 32, 33, 40, 47, 62]))
    tie = (2 * draw(st.integers(-5, 5)) + 1) * 2**shift // (2 * m)
    acc = draw(
        st.sampled_from(
            [tie - 1, tie, tie + 1, -(2**31), 2**31 - 1, 0, 2**29, -(2**29) - 1, 3 * 2**20]
        )
    )
    return max(min(acc, 2**31 - 1), -(2**31)), m, shift


@pytest.mark.parametrize("profile", PROFILES)
@given(case=requantizations())
@example(case=(-(2**31), 2**31 - 1, 31))
@example(case=(1, 2**30, 31))
@example(case=(-1, 2**30, 31))
def test_each_profile_equals_the_oracle(profile: str, case: tuple[int, int, int]) -> None:
    acc, m, shift = case
    left = 2 ** max(31 - shift, 0)
    if profile in ("tflite_up", "tflite_away") and not -(2**31) <= acc * left < 2**31:
        with pytest.raises(InputError, match="int32"):
            scale_accumulator(np.array([acc]), m, shift, profile=profile)
        return
    expected = oracle.scale_accumulator(acc, m, shift, profile)
    assert scale_accumulator(np.array([acc]), m, shift, profile=profile).tolist() == [expected]


def test_the_profiles_do_differ() -> None:
    acc = np.arange(-2000, 2000)
    results = {p: scale_accumulator(acc, 2**30 + 12345, 35, profile=p) for p in PROFILES}
    assert (results["exact"] == results["tflite_single"]).all()
    away, up, exact = results["tflite_away"], results["tflite_up"], results["exact"]
    ties = np.array([-(2**3), -(2**3) * 3])
    assert (
        scale_accumulator(ties, 2**30, 34, profile="tflite_away")
        != scale_accumulator(ties, 2**30, 34, profile="tflite_up")
    ).all()
    assert (abs(away - exact) <= 1).all()
    assert (abs(up - exact) <= 1).all()


@given(case=requantizations(), zero_point=st.sampled_from([-128, -7, 0, 3, 127]))
def test_requantize_adds_the_zero_point_after_rounding_and_clips_last(
    case: tuple[int, int, int], zero_point: int
) -> None:
    acc, m, shift = case
    scaled = oracle.scale_accumulator(acc, m, shift, "exact")
    expected = oracle.requantize(scaled, zero_point, -128, 127)
    result = requantize(np.array([acc]), m, shift, zero_point=zero_point, qmin=-128, qmax=127)
    assert result.dtype == np.int32
    assert result.tolist() == [expected]


@given(
    accs=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=2, max_size=20),
    profile=st.sampled_from(PROFILES),
)
def test_requantize_is_monotone_in_acc(accs: list[int], profile: str) -> None:
    result = requantize(
        np.array(sorted(accs)), 3 * 2**29, 40, qmin=-(2**15), qmax=2**15 - 1, profile=profile
    )
    assert (np.diff(result) >= 0).all()


@pytest.mark.parametrize("m", [2**30 - 1, 2**31, 0, -5])
def test_a_multiplier_that_is_not_normalised_is_refused(m: int) -> None:
    with pytest.raises(InputError, match="multiplier"):
        requantize(np.array([1]), m, 31, qmin=0, qmax=1)


def test_an_accumulator_beyond_int32_is_refused() -> None:
    with pytest.raises(InputError, match="int32"):
        requantize(np.array([2**31]), 2**30, 31, qmin=0, qmax=1)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="cuda"):
        requantize(np.array([1]), 2**30, 31, qmin=0, qmax=1, profile="cuda")


def test_saturation_never_wraps() -> None:
    values = np.array([-(2**63), -129, -128, 127, 128, 2**63 - 1])
    assert saturate(values, -128, 127).tolist() == [-128, -128, -128, 127, 127, 127]


def test_minus_128_squared_is_positive() -> None:
    product = accumulate(np.array([[-128]], np.int8), np.array([[-128]], np.int8), layer="conv")
    assert product.tolist() == [[16384]]


def test_int16_pairs_do_not_saturate() -> None:
    weight, codes = np.full((1, 2), 127, np.int8), np.full((2, 1), 255, np.uint8)
    assert accumulate(weight, codes, layer="conv").tolist() == [[64770]]


def test_an_overflow_is_refused_with_layer_and_value_and_never_wraps() -> None:
    weight, codes = np.full((1, 1), 2**15, np.int64), np.full((1, 1), 2**16, np.int64)
    with pytest.raises(AccumulatorOverflow, match=r"conv7.*2147483648.*int32"):
        accumulate(weight, codes, layer="conv7")
    huge = np.full((1, 1), 2**62, np.int64)
    with pytest.raises(AccumulatorOverflow, match=r"conv7.*int64"):
        accumulate(huge, np.array([[4]]), layer="conv7")


def test_the_bias_is_added_before_the_check() -> None:
    one = np.ones((1, 1), np.int64)
    assert accumulate(one * (2**31 - 2), one, np.array([1]), layer="c").tolist() == [[2**31 - 1]]
    with pytest.raises(AccumulatorOverflow):
        accumulate(one * (2**31 - 1), one, np.array([1]), layer="c")
