"""Wrong ways to give codes another scale and zero point.

Each starts with the right steps of its variation, in floats of Python, and goes wrong in one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, away, clip, even, packed, up, wrap
from aquant_ref.conformance.faults.fault import of_alternatives

Steps = Callable[..., int]  # of the result, from the steps of the input and the scales


def recoded(steps: Steps, code: Steps | None = None, *, single: bool = True) -> Steps:
    """`rescale_codes` by position, from steps of v, both scales and the zero point."""

    def function(x: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
        scales = (packed(sx), packed(s)) if single else (sx, s)
        return (code or clip)(steps(x - zx, *scales, z), low, high)

    return function


def rescaled(n: int, m: float, nearest: Callable[[F], int]) -> int:
    """Twice rounded, after a left shift where M >= 1; the last rounding is the given one."""
    f, e = math.frexp(m)
    mantissa = up(F(f) * 2**31)
    return nearest(up(F((n << max(e, 0)) * mantissa, 2**31)) * F(2) ** min(e, 0))


def exact(v: int, sx: float, s: float, z: int) -> int:
    return up(v * F(sx) / F(s)) + z


def of_tflite(v: int, sx: float, s: float, z: int) -> int:
    return rescaled(v, sx / s, away) + z


def of_tflite_up(v: int, sx: float, s: float, z: int) -> int:
    return rescaled(v, sx / s, up) + z


def of_xnnpack(v: int, sx: float, s: float, z: int) -> int:
    return ((v * round(256 * packed(sx / s)) + 128) >> 8) + z


def through_float32(v: int, sx: float, s: float, z: int) -> int:
    return even(packed(packed(v * sx) / s)) + z


RESCALED: dict[str, Steps] = {
    "": exact,
    "tflite": of_tflite,
    "tflite_up": of_tflite_up,
    "xnnpack": of_xnnpack,
    "float32": through_float32,
}


def recoded_in(profile: str, code: Steps | None = None) -> Steps:
    return recoded(RESCALED[profile], code, single=bool(profile))


def rounded(rule: Callable[[F], int]) -> Steps:
    return recoded(lambda v, sx, s, z: rule(v * F(sx) / F(s)) + z, single=False)


def low_of_relu(q: int, low: int, high: int) -> int:
    return clip(q, 0 if low > -(2**7) else low, high)


# (name, what the code becomes, defect, flag): for each variation
ENDS: list[tuple[str, Steps, str, str]] = [
    ("ReLU at 0", low_of_relu, "clamp.relu", "relu"),
    ("ReLU dropped", lambda q, low, high: clip(q, -(2**15), high), "clamp.dropped", "relu"),
    ("a level too many", lambda q, low, high: clip(q, low, high + 1), "clamp.levels", "range_end"),
    (
        "wraps",
        lambda q, low, high: (q - low) % (high - low + 1) + low,
        "clamp.wrap",
        "range_end",
    ),
]


def of_every_variation(profile: str) -> list[tuple[str, Steps, str, str]]:
    right, single = RESCALED[profile], bool(profile)
    return [
        *((name, recoded_in(profile, code), defect, flag) for name, code, defect, flag in ENDS),
        (
            "no zero point of the input",
            lambda x, sx, zx, *rest: recoded_in(profile)(x, sx, 0, *rest),
            "zero_point.missing",
            "same_scale",
        ),
        (
            "no zero point of the result",
            recoded(lambda v, sx, s, z: right(v, sx, s, 0), single=single),
            "zero_point.missing",
            "same_scale",
        ),
        (
            "clipped before the zero point",
            lambda x, sx, zx, s, z, low, high: (
                clip(right(x - zx, packed(sx), packed(s), 0), low, high) + z
            ),
            "zero_point.clip",
            "range_end",
        ),
        (
            "codes taken for int8",
            lambda x, sx, zx, *rest: recoded_in(profile)(wrap(x, 8), sx, wrap(zx, 8), *rest),
            "zero_point.offset",
            "same_scale",
        ),
        (
            "the ratio upside down",
            recoded(lambda v, sx, s, z: right(v, s, sx, z), single=single),
            "scale.swapped",
            "random",
        ),
        (
            "one step up",
            recoded(lambda v, sx, s, z: right(v + 1, sx, s, z), single=single),
            "zero_point.missing",
            "same_scale",
        ),
    ]


OWN: list[tuple[str, Steps, str, str]] = [
    (
        "the ratio of the scales in float64",
        recoded(lambda v, sx, s, z: math.floor(v * (sx / s) + 0.5) + z, single=False),
        "round.float64",
        "misjudged_tie",
    ),
    ("half to even", rounded(even), "round.rule", "tie"),
    ("half away", rounded(away), "round.rule", "tie"),
    ("floor", rounded(math.floor), "round.cast", "random"),
    ("cast", rounded(int), "round.cast", "random"),
    (
        "1/2 added, then truncated",
        rounded(lambda t: int(t + F(1, 2))),
        "round.truncation",
        "random",
    ),
    (
        "rounded to quarters first",
        rounded(lambda t: up(F(up(4 * t), 4))),
        "round.twice",
        "two_roundings",
    ),
    (
        "zero point before the rounding to even",
        recoded(lambda v, sx, s, z: even(v * F(sx) / F(s) + z), single=False),
        "zero_point.order",
        "tie",
    ),
    ("as LiteRT", recoded(of_tflite), "round.twice", "two_roundings"),
    ("as XNNPACK", recoded(of_xnnpack), "multiplier.range", "beside_tie"),
    ("in float32", recoded(through_float32), "round.float32", "in_float32"),
]
OF_PEERS: list[tuple[str, str, Steps, str, str]] = [
    ("tflite", "rounded once", recoded(exact), "round.twice", "two_roundings"),
    ("tflite", "half up at the end", recoded(of_tflite_up), "round.rule", "two_roundings"),
    (
        "tflite",
        "half to even at the end",
        recoded(lambda v, sx, s, z: rescaled(v, sx / s, even) + z),
        "round.rule",
        "tie",
    ),
    (
        "tflite",
        "the last shift floors",
        recoded(lambda v, sx, s, z: rescaled(v, sx / s, math.floor) + z),
        "round.truncation",
        "tie",
    ),
    ("tflite_up", "rounded once", recoded(exact), "round.twice", "two_roundings"),
    ("tflite_up", "half away at the end", recoded(of_tflite), "round.rule", "two_roundings"),
    ("xnnpack", "the exact ratio", recoded(exact), "multiplier.range", "beside_tie"),
    (
        "xnnpack",
        "a multiplier of 9 bits",
        recoded(lambda v, sx, s, z: ((v * round(512 * packed(sx / s)) + 256) >> 9) + z),
        "multiplier.range",
        "beside_tie",
    ),
    (
        "xnnpack",
        "a multiplier that is floored",
        recoded(lambda v, sx, s, z: ((v * int(256 * packed(sx / s)) + 128) >> 8) + z),
        "round.twice",
        "beside_tie",
    ),
    (
        "xnnpack",
        "without 1/2",
        recoded(lambda v, sx, s, z: ((v * round(256 * packed(sx / s))) >> 8) + z),
        "round.constant",
        "beside_tie",
    ),
    ("float32", "exact", recoded(exact), "round.rule", "tie"),
    (
        "float32",
        "in float64",
        recoded(lambda v, sx, s, z: even(v * sx / s) + z),
        "round.float64",
        "in_float64",
    ),
    (
        "float32",
        "by the reciprocal",
        recoded(lambda v, sx, s, z: even(packed(packed(v * sx) * packed(1 / s))) + z),
        "round.reciprocal",
        "reciprocal",
    ),
    (
        "float32",
        "by one multiplier",
        recoded(lambda v, sx, s, z: even(packed(v * packed(sx / s))) + z),
        "round.twice",
        "one_multiplier",
    ),
    (
        "float32",
        "zero point first",
        recoded(lambda v, sx, s, z: even(packed(packed(packed(v * sx) / s) + z))),
        "zero_point.order",
        "tie",
    ),
]

WRONG = of_alternatives(
    "rescale_codes",
    [
        *((profile, *row) for profile in RESCALED for row in of_every_variation(profile)),
        *(("", *row) for row in OWN),
        *OF_PEERS,
    ],
)
