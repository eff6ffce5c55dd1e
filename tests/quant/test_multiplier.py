from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant.multiplier import multiplier, requantize_real

mantissas = st.one_of(
    st.sampled_from([2**52, 2**53 - 1, 2**52 + 1, 3 * 2**51, (2**31 - 1) * 2**22 + 2**21]),
    st.integers(2**52, 2**53 - 1),
)
reals = st.builds(
    lambda m, e: float(Fraction(m) * Fraction(2) ** e), mantissas, st.integers(-80, -30)
)


@given(m=reals)
@example(m=1 - 2.0**-40)  # the mantissa rounds to 2^31 and is carried
@example(m=2.0**-32)
@example(m=3.5)
@example(m=float(np.nextafter(1, 0)))
def test_the_multiplier_equals_the_oracle_and_is_normalised(m: float) -> None:
    mantissa, shift = multiplier(m)
    assert (mantissa, shift) == oracle.multiplier(Fraction(m))
    assert 2**30 <= mantissa < 2**31
    assert abs(Fraction(mantissa, 2**shift) / Fraction(m) - 1) <= Fraction(1, 2**31)


@pytest.mark.parametrize("m", [0.0, -1.0, np.nan, np.inf, 2.0**-40, 2.0**40])
def test_a_real_multiplier_without_an_integer_form_is_refused(m: float) -> None:
    with pytest.raises(InputError, match=r"multiplier|shift"):
        multiplier(m)


accumulators = st.one_of(
    st.sampled_from([0, 1, -1, 2**24 + 1, -(2**24) - 1, 2**31 - 1, -(2**31), 3, -3, 5]),
    st.integers(-(2**31), 2**31 - 1),
)


@pytest.mark.parametrize("profile", ["float32", "float64"])
@given(acc=accumulators, m=st.one_of(st.sampled_from([0.5, 0.25, 0.1, 1.5]), reals))
def test_real_requantization_equals_the_oracle(profile: str, acc: int, m: float) -> None:
    scaled = oracle.scale_accumulator_real(acc, Fraction(m), profile)
    expected = oracle.requantize(scaled, 3, -128, 127)
    result = requantize_real(np.array([acc]), m, zero_point=3, qmin=-128, qmax=127, profile=profile)
    assert result.tolist() == [expected]


def test_float32_rounds_the_accumulator_before_the_product() -> None:
    acc = np.array([2**24 + 1])
    kwargs = {"qmin": -(2**31), "qmax": 2**31 - 1}
    single = requantize_real(acc, 1.0, profile="float32", **kwargs)
    double = requantize_real(acc, 1.0, profile="float64", **kwargs)
    assert (single.tolist(), double.tolist()) == ([2**24], [2**24 + 1])


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="float16"):
        requantize_real(np.array([1]), 0.5, qmin=0, qmax=1, profile="float16")
