from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant.multiplier import REAL_PROFILES, multiplier, requantize_real

mantissas = st.one_of(
    st.sampled_from([2**52, 2**53 - 1, 2**52 + 1, 3 * 2**51, (2**31 - 1) * 2**22 + 2**21]),
    st.integers(2**52, 2**53 - 1),
)
reals = st.builds(
    lambda m, e: float(Fraction(m) * Fraction(2) ** e), mantissas, st.integers(-80, -30)
)


@given(m=reals)
@example(m=1 - 2.0**-40)  # the mantissa rounds to 2^31 and is carried
@example(m=1 - 2.0**-31)  # the largest mantissa that is not
@example(m=2.0**-32)
@example(m=3.5)
@example(m=float(np.nextafter(1, 0)))
def test_the_multiplier_equals_the_oracle_and_is_normalised(m: float) -> None:
    """Spec: AQ-FIXED-1."""
    mantissa, shift = multiplier(m)
    assert (mantissa, shift) == oracle.multiplier(Fraction(m))
    assert 2**30 <= mantissa < 2**31
    assert abs(Fraction(mantissa, 2**shift) / Fraction(m) - 1) <= Fraction(1, 2**31)


@pytest.mark.parametrize("shift", range(63))
def test_every_shift_is_reached_and_the_carry_keeps_it_in_range(shift: int) -> None:
    least = Fraction(2**30, 2**shift)
    assert multiplier(least) == (2**30, shift)
    assert multiplier(least * 2 - Fraction(1, 2**shift)) == (2**31 - 1, shift)
    half = Fraction(1, 2 ** (shift + 1))  # of the last place: a tie, and just below it
    assert multiplier(least + half) == oracle.multiplier(least + half) == (2**30 + 1, shift)
    assert multiplier(least + half * (1 - Fraction(1, 2**60))) == (2**30, shift)
    carried = least - Fraction(1, 2**90)  # its mantissa is 2^31 - 1/2 or more
    assert multiplier(carried) == oracle.multiplier(carried) == (2**30, shift)


def test_a_multiplier_is_taken_from_any_kind_of_number() -> None:
    expected = oracle.multiplier(Fraction(3, 2))
    for m in (1.5, Fraction(3, 2), np.float64(1.5), np.float32(1.5)):
        assert multiplier(m) == expected
    assert multiplier(3) == oracle.multiplier(3)


def test_a_multiplier_derived_in_float32_is_another_one() -> None:
    m = 0.1 * 0.2 / 0.3
    single = float(np.float32(0.1) * np.float32(0.2) / np.float32(0.3))
    assert multiplier(m) == oracle.multiplier(Fraction(m)) != multiplier(single)


@pytest.mark.parametrize("m", [0.0, -1.0, np.nan, np.inf, 2.0**-33, 5e-324, 2.0**31, 1e308])
def test_a_real_multiplier_without_an_integer_form_is_refused(m: float) -> None:
    with pytest.raises(InputError, match=r"multiplier|shift"):
        multiplier(m)


accumulators = st.one_of(
    st.sampled_from([0, 1, -1, 2**24 + 1, -(2**24) - 1, 2**31 - 1, -(2**31), 3, -3, 5]),
    st.integers(-(2**31), 2**31 - 1),
)


@pytest.mark.parametrize("profile", REAL_PROFILES)
@given(acc=accumulators, m=st.one_of(st.sampled_from([0.5, 0.25, 0.1, 1.5]), reals))
@example(acc=1, m=1e300)  # beyond float32
@example(acc=0, m=1e300)
@example(acc=-1, m=1e-300)
@example(acc=-(2**31), m=1e308)
@example(acc=5, m=0.5)  # a tie: half_even, half_away, and with the zero point before it
@example(acc=-5, m=0.5)
def test_real_requantization_equals_the_oracle(profile: str, acc: int, m: float) -> None:
    """Spec: AQ-FIXED-5 to AQ-FIXED-7."""
    ends = {"zero_point": 3, "qmin": -128, "qmax": 127}
    expected = oracle.requantize_real(acc, Fraction(m), profile, **ends)
    assert requantize_real([acc], m, profile=profile, **ends).tolist() == [expected]


def test_the_zero_point_before_a_half_even_rounding_moves_the_ties() -> None:
    """Spec: AQ-FIXED-7."""
    acc, ends = [-3, -1, 1, 3, 5], {"zero_point": 1, "qmin": -9, "qmax": 9}
    results = {p: requantize_real(acc, 0.5, profile=p, **ends).tolist() for p in REAL_PROFILES}
    assert results == {
        "float32": [-1, 1, 1, 3, 3],
        "float64": [-1, 0, 2, 3, 4],
        "float64_onnx": [0, 0, 2, 2, 4],
    }


def test_each_channel_may_have_its_own_real_multiplier() -> None:
    result = requantize_real(
        np.full((1, 2, 3), 10), [[0.5], [0.25]], qmin=0, qmax=9, profile="float64"
    )
    assert result.tolist() == [[[5] * 3, [3] * 3]]


@pytest.mark.parametrize("m", [0.0, -0.5, np.nan, np.inf])
def test_a_real_multiplier_that_is_none_is_refused(m: float) -> None:
    with pytest.raises(InputError, match="multiplier"):
        requantize_real([1], m, qmin=0, qmax=1, profile="float32")


@pytest.mark.parametrize("acc", [[0.5], [2**31]])
def test_what_is_not_an_int32_accumulator_is_refused(acc: list[float]) -> None:
    with pytest.raises(InputError, match="accumulator"):
        requantize_real(acc, 0.5, qmin=0, qmax=1, profile="float32")


def test_float32_rounds_the_accumulator_before_the_product() -> None:
    acc = np.array([2**24 + 1])
    kwargs = {"qmin": -(2**31), "qmax": 2**31 - 1}
    single = requantize_real(acc, 1.0, profile="float32", **kwargs)
    double = requantize_real(acc, 1.0, profile="float64", **kwargs)
    assert (single.tolist(), double.tolist()) == ([2**24], [2**24 + 1])


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="float16"):
        requantize_real(np.array([1]), 0.5, qmin=0, qmax=1, profile="float16")
