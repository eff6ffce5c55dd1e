from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.integer import PROFILES, requantize, scale_accumulator

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


@st.composite
def requantizations(draw: st.DrawFn) -> tuple[int, int, int]:
    """(acc, multiplier, shift) whose product is a tie, beside one, or extreme."""
    m = draw(st.sampled_from([2**30, 2**31 - 1, 3 * 2**29, 2**30 + 1, 1518500250]))
    shift = draw(st.sampled_from([0, 1, 29, 30, 31, 32, 33, 40, 47, 62]))
    tie = (2 * draw(st.integers(-5, 5)) + 1) * 2**shift // (2 * m)
    ends = [INT32_MIN, INT32_MAX, 0, 2**29, -(2**29) - 1, 3 * 2**20]
    acc = draw(st.sampled_from([tie - 1, tie, tie + 1, *ends]))
    return oracle.clip(acc, INT32_MIN, INT32_MAX), m, shift


def leaves_int32(acc: int, shift: int, profile: str) -> bool:
    left = 2 ** max(31 - shift, 0)
    return profile in ("tflite_up", "tflite_away") and not INT32_MIN <= acc * left <= INT32_MAX


@pytest.mark.parametrize("profile", PROFILES)
@given(case=requantizations())
@example(case=(INT32_MIN, 2**31 - 1, 31))
@example(case=(INT32_MIN, 2**31 - 1, 62))
@example(case=(1, 2**30, 31))
@example(case=(-1, 2**30, 31))
@example(case=(1, 2**31 - 1, 0))
def test_each_profile_equals_the_oracle(profile: str, case: tuple[int, int, int]) -> None:
    """Spec: AQ-FIXED-2 to AQ-FIXED-4."""
    acc, m, shift = case
    if leaves_int32(acc, shift, profile):
        with pytest.raises(InputError, match="int32"):
            scale_accumulator(acc, m, shift, profile=profile)
        return
    expected = oracle.scale_accumulator(acc, m, shift, profile)
    assert int(scale_accumulator(acc, m, shift, profile=profile)) == expected


@pytest.mark.parametrize("profile", PROFILES)
def test_a_negative_half_shows_which_rule_it_is(profile: str) -> None:
    """-1/2 after an exact first step: only `tflite_away` goes to -1."""
    acc, m, shift = -(2**4), 2**30, 35
    assert oracle.scale_accumulator(acc, m, shift, "tflite_away") == -1
    expected = oracle.scale_accumulator(acc, m, shift, profile)
    assert int(scale_accumulator(acc, m, shift, profile=profile)) == expected
    assert expected == (-1 if profile == "tflite_away" else 0)


def test_rounding_twice_is_not_rounding_once() -> None:
    """0.49999...: the first step makes it a half, the second a whole.

    Spec: AQ-FIXED-3, AQ-FIXED-4.
    """
    acc, m, shift = 1, 2**31 - 1, 32
    results = {p: int(scale_accumulator(acc, m, shift, profile=p)) for p in PROFILES}
    assert results == {p: oracle.scale_accumulator(acc, m, shift, p) for p in PROFILES}
    assert (results["exact"], results["tflite_up"]) == (0, 1)


@given(
    case=requantizations(),
    zero_point=st.sampled_from([-128, -7, 0, 3, 127]),
    profile=st.sampled_from(PROFILES),
)
def test_requantize_adds_the_zero_point_after_rounding_and_clips_last(
    case: tuple[int, int, int], zero_point: int, profile: str
) -> None:
    acc, m, shift = case
    if leaves_int32(acc, shift, profile):
        return
    scaled = oracle.scale_accumulator(acc, m, shift, profile)
    expected = oracle.requantize(scaled, zero_point, -128, 127)
    result = requantize(
        [acc], m, shift, zero_point=zero_point, qmin=-128, qmax=127, profile=profile
    )
    assert (result.tolist(), result.dtype) == ([expected], np.int32)


def test_a_fused_relu_clips_at_the_zero_point_not_at_zero() -> None:
    result = requantize([-5, 0, 5], 2**30, 30, zero_point=-7, qmin=-7, qmax=127)
    assert result.tolist() == [oracle.requantize(max(a, 0), -7, -128, 127) for a in (-5, 0, 5)]


@pytest.mark.parametrize("profile", PROFILES)
def test_each_channel_may_have_its_own_multiplier_and_shift(profile: str) -> None:
    acc = np.arange(-30, 30).reshape(1, 3, 4, 5)  # three channels: no other axis has that length
    m, shift = np.array([2**30, 2**31 - 1, 3 * 2**29]), np.array([31, 34, 30])
    shape = (-1, 1, 1)
    scaled = scale_accumulator(acc, m.reshape(shape), shift.reshape(shape), profile=profile)
    for channel, (mc, nc) in enumerate(zip(m.tolist(), shift.tolist(), strict=True)):
        expected = [
            oracle.scale_accumulator(a, mc, nc, profile) for a in acc[0, channel].ravel().tolist()
        ]
        assert scaled[0, channel].ravel().tolist() == expected


@given(
    accs=st.lists(st.integers(INT32_MIN, INT32_MAX), min_size=2, max_size=20),
    profile=st.sampled_from(PROFILES),
)
def test_requantize_is_monotone_in_acc(accs: list[int], profile: str) -> None:
    result = requantize(sorted(accs), 3 * 2**29, 40, qmin=-(2**15), qmax=2**15 - 1, profile=profile)
    assert (np.diff(result) >= 0).all()


@pytest.mark.parametrize("m", [2**30 - 1, 2**31, 0, -5])
def test_a_multiplier_that_is_not_normalised_is_refused(m: int) -> None:
    with pytest.raises(InputError, match="multiplier"):
        requantize([1], m, 31, qmin=0, qmax=1)


@pytest.mark.parametrize("shift", [-1, 63])
def test_a_shift_out_of_range_is_refused(shift: int) -> None:
    with pytest.raises(InputError, match="shift"):
        requantize([1], 2**30, shift, qmin=0, qmax=1)


def test_what_is_not_an_int32_accumulator_is_refused() -> None:
    with pytest.raises(InputError, match="int32"):
        requantize([2**31], 2**30, 31, qmin=0, qmax=1)
    with pytest.raises(InputError, match="float64"):
        requantize([0.5], 2**30, 31, qmin=0, qmax=1)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="cuda"):
        requantize([1], 2**30, 31, qmin=0, qmax=1, profile="cuda")
