"""Wrong ways to compute a function of codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import away, even, packed, up
from aquant_ref.conformance.faults.fault import of_tensors
from aquant_ref.typing import Array

Real = Callable[[float, float], float]


def sigmoid(t: float, _alpha: float = 0) -> float:
    return 1 / (1 + math.exp(-t)) if t > -700 else 0.0


def hard_sigmoid(t: float, _alpha: float = 0) -> float:
    return min(max((t + 3) / 6, 0.0), 1.0)


RIGHT: dict[str, Real] = {
    "sigmoid": sigmoid,
    "tanh": lambda t, _: math.tanh(t),
    "silu": lambda t, _: t * sigmoid(t),
    "gelu": lambda t, _: 0.5 * t * math.erfc(-t / math.sqrt(2)),
    "elu": lambda t, alpha: t if t >= 0 else alpha * math.expm1(t),
    "exp": lambda t, _: math.exp(min(t, 700.0)),
    "hard_sigmoid": hard_sigmoid,
    "hard_swish": lambda t, _: t * min(max(t + 3, 0.0), 6.0) / 6,
    "leaky_relu": lambda t, alpha: t if t >= 0 else alpha * t,
}


def computed(
    *,
    rounding: Callable[[float], int] = up,
    change: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    real: Callable[[float], float] = float,
    offset: int = 0,
    wraps: bool = False,
    **functions: Real,
) -> Callable[..., Array]:
    """The function code by code, with some other functions or steps."""
    known = {**RIGHT, **functions}

    def activation(**given: Any) -> Array:
        f = change(given)

        def code(q: int) -> int:
            t = real((q - f["x_zero"]) * real(f["x_scale"]))
            steps = real(real(known[f["function"]](t, f["alpha"])) / real(f["scale"]))
            y = rounding(min(max(steps, -1e9), 1e9)) + f["zero_point"] + offset
            if wraps:
                return (y - f["qmin"]) % (f["qmax"] - f["qmin"] + 1) + f["qmin"]
            return min(max(y, f["qmin"]), f["qmax"])

        return np.array([code(q) for q in f["x"].tolist()])

    return activation


def with_zero(**zeros: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda f: {**f, **zeros}


def in_int8(f: dict[str, Any]) -> dict[str, Any]:
    """Codes taken for signed ones, the zero point left as it is."""
    return {**f, "x": (f["x"] + 128) % 256 - 128}


def beyond_eight(t: float, _alpha: float) -> float:
    """A table from -8 to 8, and the straight line of its last step beyond."""
    inside = min(max(t, -8.0), 8.0)
    return math.tanh(inside) + (t - inside) * 2.0**-7


def overflowing(t: float, _alpha: float) -> float:
    """exp(t)/(1 + exp(t)), where exp overflows at 16 bits."""
    power = math.exp(min(t, 700.0))
    return power / (1 + power) if power < 65504 else 0.0


ROWS: list[tuple[str, Callable[..., Array], str, str]] = [
    ("half to even", computed(rounding=even), "round.rule", "tie"),
    ("half away", computed(rounding=away), "round.rule", "tie"),
    ("in float32", computed(real=packed), "round.float32", "beside_tie"),
]
EVERYWHERE: list[tuple[str, Callable[..., Array], str, str]] = [
    ("cast", computed(rounding=int), "round.cast", "spread"),
    (
        "sigmoid in straight lines",
        computed(sigmoid=hard_sigmoid),
        "function.approximation",
        "spread",
    ),
    (
        "tanh by a fraction",
        computed(tanh=lambda t, _: min(max(t * (27 + t * t) / (27 + 9 * t * t), -1.0), 1.0)),
        "function.approximation",
        "spread",
    ),
    (
        "gelu by sigmoid",
        computed(gelu=lambda t, _: t * sigmoid(1.702 * t)),
        "function.approximation",
        "spread",
    ),
    (
        "swish for hard_swish",
        computed(hard_swish=lambda t, _: t * sigmoid(t)),
        "function.approximation",
        "spread",
    ),
    (
        "hard_sigmoid with a slope of 0.2",
        computed(hard_sigmoid=lambda t, _: min(max(0.2 * t + 0.5, 0.0), 1.0)),
        "function.approximation",
        "spread",
    ),
    (
        "exp by four terms",
        computed(exp=lambda t, _: max(1 + t + t * t / 2 + t**3 / 6, 0.0)),
        "function.approximation",
        "spread",
    ),
    ("tanh beyond its table", computed(tanh=beyond_eight), "function.approximation", "saturation"),
    ("exp overflows in sigmoid", computed(sigmoid=overflowing), "function.overflow", "saturation"),
    ("wraps", computed(wraps=True), "clamp.wrap", "saturation"),
    (
        "alpha of leaky_relu ignored",
        computed(leaky_relu=lambda t, _: max(t, 0.01 * t)),
        "function.alpha",
        "random",
    ),
    (
        "alpha of elu ignored",
        computed(elu=lambda t, _: t if t >= 0 else math.expm1(t)),
        "function.alpha",
        "random",
    ),
    (
        "alpha on the wrong side",
        computed(leaky_relu=lambda t, alpha: alpha * t if t >= 0 else t),
        "function.alpha",
        "random",
    ),
    (
        "no zero point of the input",
        computed(change=with_zero(x_zero=0)),
        "zero_point.missing",
        "zero",
    ),
    (
        "no zero point of the result",
        computed(change=with_zero(zero_point=0)),
        "zero_point.missing",
        "zero",
    ),
    ("unsigned codes taken for signed ones", computed(change=in_int8), "zero_point.offset", "zero"),
    (
        "the neighbouring entry",
        computed(change=lambda f: {**f, "x": f["x"] + 1}),
        "table.index",
        "spread",
    ),
]

WRONG = of_tensors(
    "activation",
    [
        *(("", *row) for row in (*ROWS, *EVERYWHERE)),
        *(("float32", *row) for row in EVERYWHERE),
    ],
)
