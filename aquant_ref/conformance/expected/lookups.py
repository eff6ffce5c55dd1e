"""Compute activations of codes, and apply tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected.functions import FUNCTIONS, Bounds, Interval
from aquant_ref.conformance.expected.peers import scale32, single
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor

MOST_DIGITS = 1000  # beyond these a number counts as a tie; only gelu is not proved to have none
LEAST_ERROR = Fraction(1, 2**20)


def lookup(*, x: Tensor, table: Sequence[int], least: int) -> tuple[Tensor]:
    """Spec: AQ-CODES-13."""
    codes = oracle.flatten(x)
    need(min(codes) >= least and max(codes) - least < len(table))
    return (oracle.apply(lambda q: table[q - least], x),)


def activation(
    *,
    function: str,
    x: Sequence[int],
    x_scale: float,
    x_zero: int,
    alpha: float,
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    profile: str = "",
) -> tuple[Any]:
    """Spec: AQ-CODES-14: the exact value, rounded once; or AQ-CODES-15."""
    need(function in FUNCTIONS and min(x_scale, scale) > 0 and 0 <= alpha <= 1)
    need(max(x_scale, scale) < math.inf)
    made = FUNCTIONS[function]
    if not profile:

        def code(q: int) -> int:
            t = (q - x_zero) * Fraction(x_scale)
            return _nearest(
                lambda digits: made(t, Fraction(alpha), digits),
                Fraction(scale),
                zero_point,
                qmin,
                qmax,
            )

        return ([code(q) for q in x],)
    step, size = scale32(x_scale), scale32(scale)

    def codes(q: int) -> tuple[int, int]:
        t = single((q - x_zero) * step)
        low, high = made(t, single(Fraction(alpha)), 30)
        error = LEAST_ERROR * max(Fraction(1), abs(t), abs(low), abs(high))
        ends = (
            math.ceil((low - error) / size - oracle.HALF),
            math.floor((high + error) / size + oracle.HALF),
        )
        least, most = (oracle.clip(each + zero_point, qmin, qmax) for each in ends)
        return least, most

    lows, highs = zip(*map(codes, x), strict=True)
    return (Bounds([*lows], [*highs]),)


def _nearest(
    value: Callable[[int], Interval], scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> int:
    """Return the code of a number that is enclosed as closely as it takes."""
    digits = 30
    while True:
        low, high = (
            oracle.clip(oracle.half_up(end / scale) + zero_point, qmin, qmax)
            for end in value(digits)
        )
        if low == high or digits > MOST_DIGITS:
            return high
        digits *= 2
