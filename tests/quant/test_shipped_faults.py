"""Faults that real projects shipped, each beside a case where it shows.

`wrong` is the fault as somebody would write it. On its case it must differ from the oracle, or the
case shows nothing; and this package must not.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.quant import QParams, border, quantize, rounding
from aquant_ref.quant.multiplier import multiplier, requantize_real

# Rounding, by name


@pytest.mark.parametrize(
    ("rule", "t", "wrong"),
    [
        pytest.param("half_up", 2.5, round, id="half_even taken for half_up"),
        pytest.param("half_up", -2.5, oracle.half_away, id="half_away taken for half_up"),
        pytest.param("half_even", 0.5, oracle.half_up, id="half_up taken for half_even"),
        pytest.param("half_away", -0.5, oracle.half_up, id="half_up taken for half_away"),
        pytest.param("floor", -0.25, int, id="truncation taken for floor"),
        pytest.param("half_up", -0.75, lambda t: int(t + 0.5), id="half added, then truncated"),
        pytest.param(
            "half_up", 0.49999999999999994, lambda t: np.floor(t + 0.5), id="half added in float"
        ),
        pytest.param(
            "half_up", 2.0**52 + 1, lambda t: np.floor(t + 0.5), id="half added to an integer"
        ),
    ],
)
def test_rounding(rule: str, t: float, wrong: Callable[[float], float]) -> None:
    expected = oracle.ROUNDINGS[rule](Fraction(t))
    assert float(rounding.rule(rule)(t)) == expected
    assert wrong(t) != expected


# Real number to code

BITS, ZERO_POINT = 4, 5  # codes 0..15


def steps(t: float) -> float:
    return float(np.floor(t + 0.5))


def clipped(q: float) -> float:
    return float(np.clip(q, 0, 15))


@pytest.mark.parametrize(
    ("r", "scale", "wrong"),
    [
        pytest.param(
            0.35,
            0.1,
            lambda r, s: clipped(steps(r * (1 / s)) + ZERO_POINT),
            id="reciprocal instead of division",
        ),
        pytest.param(
            99.0,
            1.0,
            lambda r, s: clipped(steps(r / s)) + ZERO_POINT,
            id="clipped before the zero point",
        ),
        pytest.param(
            -3.0,
            1.0,
            lambda r, s: clipped(max(steps(r / s), 0) + ZERO_POINT),
            id="ReLU at 0 instead of the zero point",
        ),
        pytest.param(
            99.0,
            1.0,
            lambda r, s: float(np.clip(steps(r / s) + ZERO_POINT, 0, 16)),
            id="2^bits levels and one",
        ),
        pytest.param(
            20.0, 1.0, lambda r, s: (steps(r / s) + ZERO_POINT) % 16, id="wrapped, not saturated"
        ),
        pytest.param(
            3e9,
            1.0,
            lambda r, s: clipped(
                float(np.int64(r / s).astype(np.int32).astype(np.float64)) + ZERO_POINT
            ),
            id="int32 wraps before the clip",
        ),
        pytest.param(
            0.75, 1.0, lambda r, s: clipped(int(r / s) + ZERO_POINT), id="cast without rounding"
        ),
    ],
)
def test_quantize(r: float, scale: float, wrong: Callable[[float, float], float]) -> None:
    expected = oracle.quantize(Fraction(r), Fraction(scale), ZERO_POINT, 0, 15)
    assert int(quantize(r, QParams(scale, ZERO_POINT, BITS))) == expected
    assert wrong(r, scale) != expected


def test_an_odd_zero_point_added_before_half_even_moves_the_tie() -> None:
    expected = oracle.quantize(1, 2, ZERO_POINT, 0, 15, rounding="half_even")
    assert int(quantize(1.0, QParams(2.0, ZERO_POINT, BITS), rounding="half_even")) == expected
    assert np.rint(1.0 / 2.0 + ZERO_POINT) != expected


def test_a_scale_on_the_last_axis_is_hidden_by_a_square_and_shown_here() -> None:
    scale = np.array([1.0, 2.0])
    r = np.array([[[3.0, 3.0], [3.0, 3.0]]])  # (N, C, W) with C == W
    expected = [[[oracle.quantize(3, Fraction(s), 0, 0, 15)] * 2 for s in scale.tolist()]]
    assert quantize(r, QParams(scale, 0, BITS)).tolist() == expected
    assert np.floor(r / scale + 0.5).tolist() != expected


# The border, at 2 bits: B = 1/2 + b1*tau, t = x/s, tau = t/3, in (0, 1]

SCALE, SLOPE, QMAX = 0.25, 0.3, 3


def linear(tau: float) -> float:
    return float(np.clip(0.5 + SLOPE * tau, 1e-6, 1))


@pytest.mark.parametrize(
    ("x", "wrong"),
    [
        pytest.param(
            1.57 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= linear(t * SCALE / QMAX)),
            id="border of x, not of x/s",
        ),
        pytest.param(
            1.63 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= linear(np.floor(t) / QMAX)),
            id="border of the code",
        ),
        pytest.param(
            1.6 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= linear(t % 1 / QMAX)),
            id="border of the fraction",
        ),
        pytest.param(
            0.6 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= linear(t)),
            id="tau not divided by qmax",
        ),
        pytest.param(
            2.72 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= 0.5),
            id="border dropped",
        ),
        pytest.param(
            1.65 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= 0.5 + int(SLOPE * 8) / 8 * t / QMAX),
            id="coefficients truncated",
        ),
        pytest.param(
            9 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= linear(t / QMAX)),
            id="not clipped",
        ),
        pytest.param(
            -0.25 * SCALE,
            lambda t: np.floor(t) + (t % 1 >= 2 * linear(t / QMAX)),
            id="not clipped below",
        ),
    ],
)
def test_border(x: float, wrong: Callable[[float], float]) -> None:
    t, coefficients = x / SCALE, np.array([[0.0, SLOPE]])
    b = oracle.clip_border(Fraction(t), [0, Fraction(SLOPE)], QMAX, Fraction(1e-6))
    expected = oracle.border_code(Fraction(t), b, QMAX)
    at = np.array([[t]])
    assert border.bordered_codes(at, coefficients, 2, squash="clip") == expected
    assert border.codes(at, border.crossings(coefficients, 2, squash="clip")) == expected
    assert wrong(t) != expected


def test_at_the_border_itself_t_goes_up() -> None:
    t, coefficients = np.array([[1.75]]), np.array([[0.25]])  # B = 3/4
    expected = oracle.border_code(Fraction(7, 4), Fraction(3, 4), QMAX)
    assert border.bordered_codes(t, coefficients, 2, squash="clip") == expected
    assert border.codes(t, border.crossings(coefficients, 2, squash="clip")) == expected
    assert int(1.75) + (1.75 % 1 > 0.75) != expected  # > for >=


def test_a_border_of_zero_would_lift_padding() -> None:
    lowest = np.array([[-1e3]])
    assert border.codes(np.zeros((1, 1)), border.crossings(lowest, 2)).tolist() == [[0]]
    assert np.floor(0.0 - 0.0) + 1 != 0  # what floor(t - B) + 1 gives for B = 0


# The multiplier


def test_multiplier_carry() -> None:
    m = 1 - 2.0**-40
    mantissa, exponent = np.frexp(m)
    assert multiplier(m) == oracle.multiplier(Fraction(m)) == (2**30, 30)
    assert round(mantissa * 2**31) == 2**31  # without the carry: does not fit int32
    assert exponent == 0


def test_multiplier_rounded_not_truncated() -> None:
    m = (2**30 + 0.75) / 2**31
    assert multiplier(m) == oracle.multiplier(Fraction(m)) == (2**30 + 1, 31)
    assert int(m * 2**31) != 2**30 + 1


def test_multipliers_of_one_and_more_are_supported() -> None:
    assert [multiplier(m) for m in (1.0, 1.5, 2.0**30)] == [
        oracle.multiplier(Fraction(m)) for m in (1.0, 1.5, 2.0**30)
    ]


def test_float32_requantization_is_no_integer_requantization() -> None:
    """The accumulator does not fit float32, and a tie goes to the even code."""
    m, ends = 2.0**-20, {"qmin": -(2**15), "qmax": 2**15 - 1}
    acc = 2**29 + 2**19 - 1  # just below a tie, which float32 rounds it to
    exact = oracle.half_up(Fraction(acc) * Fraction(m))
    single = oracle.requantize_real(acc, Fraction(m), "float32", **ends)
    assert requantize_real(acc, m, profile="float32", **ends) == single
    assert exact == 512
    assert (single, oracle.requantize_real(acc + 2**20, Fraction(m), "float32", **ends)) == (
        512,
        514,
    )
