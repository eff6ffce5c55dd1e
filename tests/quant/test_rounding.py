from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant import rounding

TABLE = {
    "half_even": [-2, -2, 0, 0, 2, 2],
    "half_up": [-2, -1, 0, 1, 2, 3],
    "half_away": [-3, -2, -1, 1, 2, 3],
    "floor": [-3, -2, -1, 0, 1, 2],
    "ceil": [-2, -1, 0, 1, 2, 3],
    "trunc": [-2, -1, 0, 0, 1, 2],
}
TIES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
# Ties, their float neighbours, and what adding 1/2 in float gets wrong.
HARD = [
    *(np.nextafter(t, s) for t in TIES for s in (-9.0, t, 9.0)),
    0.49999999999999994,
    -0.49999999999999994,
    2.0**52 + 1,
    2.0**52 - 0.5,
    -(2.0**52) + 0.5,
    2.0**53 - 1,
    5e-324,
    -5e-324,
    1e300,
    -0.0,
]
hard = st.one_of(
    st.sampled_from(HARD),
    st.builds(lambda k, s: float(np.nextafter(k / 2, s)), st.integers(-99, 99), st.just(np.inf)),
    st.builds(lambda k, s: float(np.nextafter(k / 2, s)), st.integers(-99, 99), st.just(-np.inf)),
    st.integers(-99, 99).map(lambda k: k / 2),
    st.floats(-(2.0**54), 2.0**54),
)


@pytest.mark.parametrize("name", TABLE)
def test_each_rule_gives_its_table_at_ties(name: str) -> None:
    assert rounding.rule(name)(TIES).tolist() == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_the_oracle_gives_the_same_table(name: str) -> None:
    assert [oracle.ROUNDINGS[name](Fraction(t)) for t in TIES] == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_each_rule_keeps_float32_and_equals_the_oracle_at_its_own_neighbours(name: str) -> None:
    ties = np.arange(-9, 10, dtype=np.float32) / 2
    t = np.concatenate([ties, np.nextafter(ties, np.float32(99)), np.nextafter(ties, -ties - 9)])
    result = rounding.rule(name)(t)
    assert result.dtype == np.float32
    assert result.tolist() == [oracle.ROUNDINGS[name](Fraction(float(v))) for v in t]


@pytest.mark.parametrize("name", TABLE)
@given(t=hard)
def test_each_rule_equals_the_oracle_at_ties_and_beside_them(name: str, t: float) -> None:
    """Spec: AQ-ROUND-1."""
    assert Fraction(float(rounding.rule(name)(t))) == oracle.ROUNDINGS[name](Fraction(t))


borders = st.one_of(
    st.sampled_from([0.5, 1.0, 5e-324, float(np.nextafter(1, 0)), float(np.nextafter(0.5, 1))]),
    st.floats(0, 1, exclude_min=True),
)


@given(t=hard, b=borders)
def test_border_rounding_equals_the_oracle(t: float, b: float) -> None:
    """Spec: AQ-ROUND-2."""
    expected = oracle.border_round(Fraction(t), Fraction(b))
    assert Fraction(float(rounding.border_round(t, b))) == expected


@given(k=st.integers(-99, 99), b=borders)
def test_border_rounding_goes_up_from_the_border_on(k: int, b: float) -> None:
    t = k + b  # exact or rounded: either way its true fraction decides
    for near in (np.nextafter(t, -np.inf), t, np.nextafter(t, np.inf)):
        expected = oracle.border_round(Fraction(float(near)), Fraction(b))
        assert float(rounding.border_round(near, b)) == expected


@given(t=st.floats(-0.5, 0, exclude_min=True), dtype=st.sampled_from([np.float32, np.float64]))
def test_border_rounding_is_exact_where_the_fraction_has_more_bits_than_t(
    t: float, dtype: type
) -> None:
    """Between -1/2 and 0 the difference t - floor(t) is rounded, here to exactly the border."""
    for near in (dtype(t), np.nextafter(dtype(t), dtype(-1)), np.nextafter(dtype(t), dtype(0))):
        b = float(dtype(1) + dtype(t))
        expected = oracle.border_round(Fraction(float(near)), Fraction(b))
        assert float(rounding.border_round(near, b)) == expected
        assert float(rounding.border_round(near, dtype(b))) == expected


def test_a_float64_border_is_not_rounded_to_float32() -> None:
    b = 1 - 2.0**-30
    t = np.array([-(2.0**-40), -(2.0**-26), -(2.0**-20), 1 - 2.0**-24], np.float32)
    expected = [oracle.border_round(Fraction(float(v)), Fraction(b)) for v in t]
    result = rounding.border_round(t, b)
    assert (result.tolist(), result.dtype) == (expected, np.float32)


@given(t=st.floats(-1e6, 1e6), b=borders, c=borders)
def test_border_rounding_is_antitone_in_the_border_and_within_one(
    t: float, b: float, c: float
) -> None:
    low, high = sorted((b, c))
    first, second = float(rounding.border_round(t, low)), float(rounding.border_round(t, high))
    assert second <= first
    assert first in (np.floor(t), np.floor(t) + 1)
    assert abs(Fraction(first) - Fraction(t)) <= 1
    assert rounding.border_round(first, low) == first  # idempotent


@pytest.mark.parametrize("b", [0.0, -0.1, 1.0000001, np.nan])
def test_a_border_outside_zero_to_one_is_refused(b: float) -> None:
    with pytest.raises(InputError, match="border"):
        rounding.border_round(0.3, b)


def test_infinity_stays_infinity() -> None:
    for name in TABLE:
        assert rounding.rule(name)([np.inf, -np.inf]).tolist() == [np.inf, -np.inf]


def test_float32_keeps_its_dtype_and_its_ties() -> None:
    for name, expected in TABLE.items():
        result = rounding.rule(name)(np.array(TIES, np.float32))
        assert result.dtype == np.float32
        assert result.tolist() == expected


def test_an_unknown_rule_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="nearest"):
        rounding.rule("nearest")
