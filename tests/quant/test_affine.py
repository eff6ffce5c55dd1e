from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant import QParams, dequantize, fake_quantize, quantize

ROUNDINGS = ("half_even", "half_up", "half_away", "floor", "ceil", "trunc")


# 0.1 and 1/3: multiplying by the reciprocal instead of dividing shows at ties of these
scales = st.sampled_from([1.0, 0.5, 0.1, 1 / 3, 1e-8, 2.0**-20, 3.7, 2.0**40])


@st.composite
def cases(draw: st.DrawFn) -> tuple[float, QParams]:
    bits, signed = draw(st.integers(1, 16)), draw(st.booleans())
    low = -(2 ** (bits - 1)) if signed else 0
    zero_point = draw(st.sampled_from([low, low + 2**bits - 1, low + 2**bits // 3]))
    scale = draw(scales)
    steps = draw(st.sampled_from([low, low + 2**bits - 1, 0, 7])) - zero_point
    halves = draw(st.sampled_from([-0.5, 0.0, 0.5]))
    r = (steps + halves) * scale
    r = draw(st.sampled_from([r, float(np.nextafter(r, np.inf)), float(np.nextafter(r, -np.inf))]))
    return r, QParams(scale, zero_point, bits, signed)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@given(case=cases())
def test_quantize_divides_rounds_adds_and_clips_as_the_oracle(
    rounding: str, case: tuple[float, QParams]
) -> None:
    """Spec: AQ-AFFINE-3."""
    r, q = case
    scale, zero_point = Fraction(float(q.scale)), int(q.zero_point)
    expected = oracle.quantize(Fraction(r), scale, zero_point, q.qmin, q.qmax, rounding=rounding)
    assert int(quantize(r, q, rounding=rounding)) == expected


def test_division_is_not_multiplication_by_a_reciprocal() -> None:
    scale, r = 0.1, 0.35
    assert r / scale != r * (1 / scale)
    assert int(quantize(r, QParams(scale, 0, 4))) == oracle.half_up(Fraction(r / scale))


def test_the_quotient_is_float64s_even_where_the_exact_one_is_beside_a_tie() -> None:
    scale, r = 0.1, 0.25
    assert Fraction(r) / Fraction(scale) < Fraction(5, 2)
    assert r / scale == 2.5
    q = QParams(scale, 0, 4)
    for rounding in ("half_even", "half_up", "ceil", "floor"):
        expected = oracle.quantize(Fraction(r), Fraction(scale), 0, 0, 15, rounding=rounding)
        assert int(quantize(r, q, rounding=rounding)) == expected


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_float32_values_are_divided_in_float64(rounding: str) -> None:
    scale = 0.1
    r = np.arange(-40, 60, dtype=np.float32) * np.float32(0.05)
    expected = [
        oracle.quantize(Fraction(float(v)), Fraction(scale), 9, 0, 15, rounding=rounding) for v in r
    ]
    assert quantize(r, QParams(scale, 9, 4), rounding=rounding).tolist() == expected


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 2.0**1000])
@pytest.mark.parametrize("r", [5e-324, -5e-324, 1.0, -1.0, 1.7e308, -1.7e308, -0.0])
def test_extreme_quotients_saturate_or_vanish(scale: float, r: float) -> None:
    q = QParams(scale, -1, 8, signed=True)
    for rounding in ROUNDINGS:
        expected = oracle.quantize(Fraction(r), Fraction(scale), -1, -128, 127, rounding=rounding)
        assert int(quantize(r, q, rounding=rounding)) == expected


@given(case=cases())
def test_codes_are_fixed_points(case: tuple[float, QParams]) -> None:
    code = quantize(case[0], case[1])
    assert quantize(dequantize(code, case[1]), case[1]) == code


def test_infinity_saturates_and_nan_is_refused() -> None:
    q = QParams(0.5, 3, 4)
    assert quantize([np.inf, -np.inf, 1e300], q).tolist() == [15, 0, 15]
    with pytest.raises(InputError, match="NaN"):
        quantize([np.nan], q)


def test_zero_is_exactly_the_zero_point_for_an_odd_zero_point() -> None:
    q = QParams(0.3, -7, 5, signed=True)
    assert int(quantize(0.0, q)) == -7
    assert float(fake_quantize(0.0, q)) == 0.0


def test_scales_belong_to_the_channel_axis_not_the_last_one() -> None:
    r = np.ones((1, 2, 2, 2))  # channels == width hides a broadcast on the last axis
    r[0, 1] = 4
    q = QParams(np.array([1.0, 4.0]), np.array([0, 1]), 4)
    assert quantize(r, q).tolist() == [[[[1, 1], [1, 1]], [[2, 2], [2, 2]]]]


def test_one_zero_point_serves_every_channel() -> None:
    q = QParams(np.array([1.0, 2.0]), 3, 4)
    assert quantize(np.full((1, 2), 4.0), q).tolist() == [[7, 5]]
    assert dequantize(np.array([[7, 5]]), q).tolist() == [[4.0, 4.0]]


def test_dequantize_is_rounded_once() -> None:
    """Spec: AQ-AFFINE-3."""
    q = QParams(0.1, 7, 8)
    expected = [float(oracle.dequantize(c, Fraction(0.1), 7)) for c in (0, 7, 255)]
    assert dequantize(np.array([0, 7, 255]), q).tolist() == expected


@pytest.mark.parametrize("codes", [np.array([16]), np.array([-1]), np.array([1.5])])
def test_codes_that_are_none_are_refused(codes: np.ndarray) -> None:
    with pytest.raises(InputError, match="dequantize"):
        dequantize(codes, QParams(1.0, 0, 4))
