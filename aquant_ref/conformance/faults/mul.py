"""Wrong ways to multiply two codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from aquant_ref.conformance.faults.arithmetic import F, away, clip, even, packed, up, wrap
from aquant_ref.conformance.faults.fault import of_alternatives
from aquant_ref.conformance.faults.rescale_codes import ENDS, Steps, rescaled

# The steps of the result, from those of both factors, the three scales and the zero point


def multiplied(steps: Steps, code: Steps | None = None, *, single: bool = True) -> Steps:
    """`mul` by position."""

    def function(
        a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, *ends: int
    ) -> int:
        z, low, high = ends
        scales = [packed(each) if single else each for each in (sa, sb, s)]
        return (code or clip)(steps(a - za, b - zb, *scales, z), low, high)

    return function


def product(v: int, w: int, sa: float, sb: float, s: float, z: int) -> int:
    return up(v * w * F(sa) * F(sb) / F(s)) + z


def m32(sa: float, sb: float, s: float) -> float:
    return packed(packed(sa * sb) / s)


PRODUCTS: dict[str, Steps] = {
    "": product,
    "tflite": lambda v, w, *s: rescaled(v * w, m32(*s[:3]), away) + s[3],
    "xnnpack": lambda v, w, *s: even(packed(v * w * m32(*s[:3]))) + s[3],
    "float32": lambda v, w, a, b, s, z: even(packed(packed(packed(v * a) * packed(w * b)) / s)) + z,
    "onnxruntime": lambda v, w, *s: even(packed(packed(v * w * m32(*s[:3])) + s[3])),
    "torch": lambda v, w, a, b, s, z: (
        even(packed(v * w * packed(packed(a * b) * packed(1 / s)))) + z
    ),
}


SATURATED = {"range_end": "saturation"}  # where products are sure to be beyond the range


def products_of_every_variation(profile: str) -> list[tuple[str, Steps, str, str]]:
    right, single = PRODUCTS[profile], bool(profile)

    def other(wrong: Callable[..., tuple[Any, ...]]) -> Steps:
        """With other arguments."""
        return multiplied(lambda *given: right(*wrong(*given)), single=single)

    def without(name: str) -> Steps:
        def function(a: int, sa: float, za: int, b: int, sb: float, zb: int, *rest: Any) -> int:
            zeros = (0 if name == "a" else za), (0 if name == "b" else zb)
            return multiplied(right, single=single)(a, sa, zeros[0], b, sb, zeros[1], *rest)

        return function

    return [
        *(
            (name, multiplied(right, code, single=single), defect, SATURATED.get(flag, flag))
            for name, code, defect, flag in ENDS
        ),
        ("no zero point of a", without("a"), "zero_point.missing", "zero"),
        ("no zero point of b", without("b"), "zero_point.missing", "zero"),
        (
            "no zero point of the result",
            other(lambda v, w, a, b, s, z: (v, w, a, b, s, 0)),
            "zero_point.missing",
            "zero",
        ),
        (
            "a product of int16",
            other(lambda v, w, *rest: (wrap(v * w, 16), 1, *rest)),
            "accumulator.narrow",
            "range_end",
        ),
        (
            "a product saturated to int16",
            other(lambda v, w, *rest: (clip(v * w, -(2**15), 2**15 - 1), 1, *rest)),
            "accumulator.pairs",
            "range_end",
        ),
        (
            "one scale for both",
            other(lambda v, w, a, b, *rest: (v, w, a, a, *rest)),
            "add.one_scale",
            "random",
        ),
    ]


OWN_PRODUCTS: list[tuple[str, Steps, str, str]] = [
    (
        "one multiplier in float64",
        multiplied(
            lambda v, w, a, b, s, z: math.floor(v * w * (a * b / s) + 0.5) + z, single=False
        ),
        "round.float64",
        "misjudged_tie",
    ),
    *(
        (
            name,
            multiplied(
                lambda v, w, a, b, s, z, rule=rule: rule(v * w * F(a) * F(b) / F(s)) + z,
                single=False,
            ),
            defect,
            flag,
        )
        for name, rule, defect, flag in (
            ("half to even", even, "round.rule", "tie"),
            ("half away", away, "round.rule", "tie"),
            ("cast", int, "round.cast", "random"),
            ("1/2 added, then truncated", lambda t: int(t + F(1, 2)), "round.truncation", "random"),
        )
    ),
    ("as LiteRT", multiplied(PRODUCTS["tflite"]), "round.twice", "two_roundings"),
    ("in float32", multiplied(PRODUCTS["float32"]), "round.float32", "in_float32"),
    ("as XNNPACK", multiplied(PRODUCTS["xnnpack"]), "multiplier.float32", "one_multiplier"),
]
PRODUCTS_OF_PEERS: list[tuple[str, str, Steps, str, str]] = [
    (
        "tflite",
        "the multiplier in float64",
        multiplied(lambda v, w, a, b, s, z: rescaled(v * w, a * b / s, away) + z),
        "round.float64",
        "float64_multiplier",
    ),
    ("tflite", "rounded once", multiplied(product), "round.twice", "two_roundings"),
    (
        "tflite",
        "half up at the end",
        multiplied(lambda v, w, *s: rescaled(v * w, m32(*s[:3]), up) + s[3]),
        "round.rule",
        "two_roundings",
    ),
    *(
        (p, f"as {other}", multiplied(PRODUCTS[other]), defect, flag)
        for p, other, defect, flag in (
            ("xnnpack", "float32", "round.twice", "in_float32"),
            ("xnnpack", "torch", "round.reciprocal", "reciprocal"),
            ("xnnpack", "onnxruntime", "zero_point.order", "zero_first"),
            ("float32", "xnnpack", "round.twice", "one_multiplier"),
            ("float32", "onnxruntime", "zero_point.order", "tie"),
            ("onnxruntime", "xnnpack", "zero_point.order", "tie"),
            ("torch", "xnnpack", "multiplier.float32", "one_multiplier"),
            ("torch", "float32", "round.twice", "in_float32"),
            ("torch", "onnxruntime", "zero_point.order", "zero_first"),
        )
    ),
    *(
        (p, "exact", multiplied(product), "round.rule", "tie")
        for p in ("xnnpack", "float32", "onnxruntime", "torch")
    ),
    (
        "float32",
        "in float64",
        multiplied(lambda v, w, a, b, s, z: even(v * a * (w * b) / s) + z),
        "round.float64",
        "in_float64",
    ),
    (
        "onnxruntime",
        "a fused multiply-add",
        multiplied(lambda v, w, *s: even(F(m32(*s[:3])) * v * w + s[3])),
        "round.twice",
        "fused",
    ),
    (
        "onnxruntime",
        "in float64",
        multiplied(lambda v, w, a, b, s, z: even(v * a * (w * b) / s + z)),
        "round.float64",
        "in_float64",
    ),
    (
        "xnnpack",
        "in float64",
        multiplied(lambda v, w, a, b, s, z: even(v * a * (w * b) / s) + z),
        "round.float64",
        "in_float64",
    ),
    (
        "onnxruntime",
        "the zero point added last",
        multiplied(PRODUCTS["xnnpack"]),
        "zero_point.order",
        "one_multiplier",
    ),
]

WRONG = of_alternatives(
    "mul",
    [
        *((profile, *row) for profile in PRODUCTS for row in products_of_every_variation(profile)),
        *(("", *row) for row in OWN_PRODUCTS),
        *PRODUCTS_OF_PEERS,
    ],
)
