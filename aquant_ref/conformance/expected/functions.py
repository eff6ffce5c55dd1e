"""Enclose the functions of activations by rationals, as closely as asked. Spec: AQ-CODES-14.

No result depends on a floating-point library. `exp` of the module decimal is correctly rounded, so
its neighbours enclose it; the error function is an alternating series of integers.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from math import isqrt
from typing import Any, NamedTuple


class Interval(NamedTuple):
    """Enclose a number between two, both included."""

    low: Fraction
    high: Fraction


class Bounds(NamedTuple):
    """Hold the least and the largest right answer of each element of a result. Spec: AQ-CONF-3."""

    low: Any
    high: Any


def _only(value: Fraction) -> Interval:
    return Interval(value, value)


def exp(t: Fraction, digits: int) -> Interval:
    """Enclose exp(t)."""
    if not t:
        return _only(Fraction(1))
    with localcontext() as context:
        context.prec = digits
        top, bottom = Decimal(t.numerator), Decimal(t.denominator)  # exact, at any precision
        context.rounding = ROUND_FLOOR
        low = (top / bottom).exp().next_minus()
        context.rounding = ROUND_CEILING
        high = (top / bottom).exp().next_plus()
    return Interval(Fraction(low), Fraction(high))


def sigmoid(t: Fraction, digits: int) -> Interval:
    """Enclose 1/(1 + exp(-t))."""
    low, high = exp(-t, digits)
    return Interval(1 / (1 + high), 1 / (1 + low))


def tanh(t: Fraction, digits: int) -> Interval:
    """Enclose the hyperbolic tangent."""
    low, high = exp(2 * t, digits)
    return Interval(1 - 2 / (low + 1), 1 - 2 / (high + 1))


def erf_part(t: Fraction, digits: int) -> Interval:
    """Enclose erf(t/sqrt(2)) = t*sqrt(2/pi)*(the sum of (-t^2/2)^n/(n!*(2n + 1)))."""
    square = t * t / 2
    rest = exp(-square, digits).high  # the distance of erf from 1 is below exp(-t^2/2)
    if square > 100 and digits <= 40:
        size = Interval(1 - rest, Fraction(1))
    else:
        low, high = _erf_series(square, digits)
        root = _root_of_two_over_pi(digits + 5)
        size = Interval(
            max(abs(t) * low * root.low, 1 - rest), min(abs(t) * high * root.high, Fraction(1))
        )
    return size if t > 0 else Interval(-size.high, -size.low)


def _erf_series(square: Fraction, digits: int) -> Interval:
    one = 10 ** (digits + int(square) + 5)  # terms grow to exp(t^2/2) before they fall
    p, q = square.numerator, square.denominator
    least = most = one  # of the term, in units of 1/one
    low = high = 0
    n = 0
    while True:
        part = least // (2 * n + 1), -(-most // (2 * n + 1))
        low, high = (
            (low + part[0], high + part[1]) if n % 2 == 0 else (low - part[1], high - part[0])
        )
        n += 1
        least, most = least * p // (q * n), -(-most * p // (q * n))
        if most <= 1 and p < q * n:  # the rest of an alternating series that falls
            break
    return Interval(Fraction(low - 1, one), Fraction(high + 1, one))


def _root_of_two_over_pi(digits: int) -> Interval:
    one = 10 ** (digits + 10)
    pi_low, pi_high = _pi(one)
    square_low, square_high = 2 * one * one // pi_high, -(-2 * one * one // pi_low)
    return Interval(
        Fraction(isqrt(square_low * one), one), Fraction(isqrt(square_high * one) + 1, one)
    )


def _pi(one: int) -> tuple[int, int]:
    """Enclose pi*one by Machin's formula, 16*arctan(1/5) - 4*arctan(1/239)."""

    def arctan(k: int) -> tuple[int, int]:
        total, n, power = 0, 0, one // k
        error = 1
        while power:
            total += (power // (2 * n + 1)) * (-1) ** n
            power, n, error = power // (k * k), n + 1, error + 2
        return total - error, total + error

    (a, b), (c, d) = arctan(5), arctan(239)
    return 16 * a - 4 * d, 16 * b - 4 * c


def _times(t: Fraction, by: Interval) -> Interval:
    return Interval(t * by.low, t * by.high) if t >= 0 else Interval(t * by.high, t * by.low)


def _silu(t: Fraction, _alpha: Fraction, digits: int) -> Interval:
    return _times(t, sigmoid(t, digits))


def _gelu(t: Fraction, _alpha: Fraction, digits: int) -> Interval:
    low, high = erf_part(t, digits) if t else _only(Fraction(0))
    return _times(t / 2, Interval(1 + low, 1 + high))


def _elu(t: Fraction, alpha: Fraction, digits: int) -> Interval:
    low, high = exp(t, digits) if t < 0 else _only(Fraction(1))
    return _only(t) if t >= 0 else Interval(alpha * (low - 1), alpha * (high - 1))


def _hard_sigmoid(t: Fraction) -> Fraction:
    return min(max(t / 6 + Fraction(1, 2), Fraction(0)), Fraction(1))


FUNCTIONS: dict[str, Callable[[Fraction, Fraction, int], Interval]] = {
    "sigmoid": lambda t, _alpha, digits: sigmoid(t, digits),
    "tanh": lambda t, _alpha, digits: tanh(t, digits),
    "silu": _silu,
    "gelu": _gelu,
    "elu": _elu,
    "exp": lambda t, _alpha, digits: exp(t, digits),
    "hard_sigmoid": lambda t, _alpha, _digits: _only(_hard_sigmoid(t)),
    "hard_swish": lambda t, _alpha, _digits: _only(t * _hard_sigmoid(t)),
    "leaky_relu": lambda t, alpha, _digits: _only(t if t >= 0 else alpha * t),
}
