"""Enclosures of functions: around values that are known to many digits, and within one another."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest

from aquant_ref.conformance.expected.functions import FUNCTIONS, erf_part, exp

# Published digits: Abramowitz and Stegun, tables 4.4 and 7.1, and OEIS A001113, A019745
E = Fraction("2.71828182845904523536028747135266249775724709369995")
TANH_1 = Fraction("0.76159415595576488811945828260479359041276859725794")
NORMAL_1 = Fraction("0.68268949213708589717046509126407584495582593345319")  # erf(1/sqrt(2))
HALF = Fraction(1, 2)


def test_known_digits_are_enclosed() -> None:
    for digits in (20, 30, 45):
        for value, (low, high) in (
            (E, exp(Fraction(1), digits)),
            (1 / E, exp(Fraction(-1), digits)),
            (TANH_1, FUNCTIONS["tanh"](Fraction(1), HALF, digits)),
            (1 / (1 + E), FUNCTIONS["sigmoid"](Fraction(-1), HALF, digits)),
            (NORMAL_1, erf_part(Fraction(1), digits)),
            (-NORMAL_1, erf_part(Fraction(-1), digits)),
        ):
            assert low <= value <= high
            assert high - low < Fraction(1, 10 ** (digits - 3))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_closer_enclosure_is_inside_and_near_what_floats_say(name: str) -> None:
    floats: dict[str, Callable[[float], float]] = {
        "sigmoid": lambda t: 1 / (1 + math.exp(-t)),
        "tanh": math.tanh,
        "silu": lambda t: t / (1 + math.exp(-t)),
        "gelu": lambda t: t / 2 * math.erfc(-t / math.sqrt(2)),
        "elu": lambda t: t if t >= 0 else math.expm1(t) / 4,
        "exp": math.exp,
        "hard_sigmoid": lambda t: min(max(t / 6 + 0.5, 0), 1),
        "hard_swish": lambda t: t * min(max(t / 6 + 0.5, 0), 1),
        "leaky_relu": lambda t: t if t >= 0 else t / 4,
    }
    for t in (-40.0, -15.5, -14.0, -3.0, -0.125, 0.0, 0.5, 2.75, 14.0, 15.5, 40.0):
        wide, close = (FUNCTIONS[name](Fraction(t), Fraction(1, 4), digits) for digits in (25, 60))
        assert wide.low <= close.low <= close.high <= wide.high
        assert math.isclose(float(wide.low), floats[name](t), rel_tol=1e-14, abs_tol=1e-15)


def test_zero_is_exact() -> None:
    at_zero = {name: function(Fraction(0), HALF, 25) for name, function in FUNCTIONS.items()}
    ends = {name: {low, high} for name, (low, high) in at_zero.items()}
    halves, ones = ("sigmoid", "hard_sigmoid"), ("exp",)
    for name, values in ends.items():
        assert values == {HALF if name in halves else 1 if name in ones else 0}
