"""Wrong ways to evaluate a border in fixed point."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, clip, single, up, wrap
from aquant_ref.conformance.faults.fault import scalar


def fixed(
    wrong: Callable[[int, int, int], int] = lambda v, m, n: (v * m) >> n,
    *,
    up: Callable[[int, int, int], bool] = lambda rest, lift, p: rest > 0 and lift >= p,
    steps: Callable[[int, int], int] = lambda t, f: t,
    clipped: bool = True,
    floor: Callable[[int, int], tuple[int, int]] = divmod,
    zero: int = 1,
) -> Callable[..., int]:
    """The border in integers; `wrong` multiplies and shifts, `steps` is what tau is taken of."""

    def function(t: int, low: int, high: int, f: int, m: int, n: int, *rest: int) -> int:
        c0, c1, c2, lift, z = rest
        inside = clip(t, low, high)
        tau = (steps(inside if clipped else t, f) * m) >> n
        p = wrong(wrong(c2, tau, 15) + c1, tau, 15) + c0
        whole, fraction = floor(inside, 1 << f)
        return whole + zero * z + up(fraction, lift, p)

    return function


def toward_zero(v: int, size: int) -> tuple[int, int]:
    whole = int(F(v, size))
    return whole, abs(v - whole * size)


BORDER = [
    ("> for >=", fixed(up=lambda rest, lift, p: rest > 0 and lift > p), "border.strict", "at_lift"),
    (
        "no polynomial",
        fixed(up=lambda rest, lift, p: rest > 0 and lift >= 0),
        "border.half",
        "at_lift",
    ),
    (
        "its complement",
        fixed(up=lambda rest, lift, p: rest > 0 and lift >= -p),
        "border.half",
        "random",
    ),
    (
        "products toward zero",
        fixed(lambda v, m, n: int(F(v * m, 2**n))),
        "border.coefficients",
        "below_lift",
    ),
    (
        "products rounded",
        fixed(lambda v, m, n: up(F(v * m, 2**n))),
        "border.coefficients",
        "at_lift",
    ),
    (
        "products in int32",
        fixed(lambda v, m, n: wrap(v * m, 32) >> n),
        "accumulator.wrap",
        "large_products",
    ),
    (
        "products in float32",
        fixed(lambda v, m, n: math.floor(single(single(v) * single(m)) / 2**n)),
        "round.float32",
        "large_products",
    ),
    ("tau of T before the clip", fixed(clipped=False), "border.clip", "outside"),
    ("tau of the code", fixed(steps=lambda t, f: t >> f << f), "border.argument", "at_lift"),
    ("tau of the fraction", fixed(steps=lambda t, f: t % (1 << f)), "border.argument", "at_lift"),
    ("floor toward zero", fixed(floor=toward_zero), "round.truncation", "random"),
    ("zero point forgotten", fixed(zero=0), "zero_point.missing", "whole"),
    (
        "whole T goes up",
        fixed(up=lambda rest, lift, p: rest == 0 or lift >= p),
        "round.integer",
        "whole",
    ),
    (
        "whole T goes up where its lift says so",
        fixed(up=lambda rest, lift, p: lift >= p),
        "round.integer",
        "whole_with_lift",
    ),
]

WRONG = scalar("border", BORDER)
