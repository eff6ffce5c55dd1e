"""Compute activations in float64, and make tables of them for the engine. Spec: AQ-CODES-14."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.quant.rounding import half_up
from aquant_ref.typing import Array, Codes, Reals


def sigmoid(t: float) -> float:
    """Return 1/(1 + exp(-t)), without overflow."""
    small = math.exp(-abs(t))
    return 1 / (1 + small) if t >= 0 else small / (1 + small)


def hard_sigmoid(t: float) -> float:
    """Return (t + 3)/6, between 0 and 1."""
    return min(max((t + 3) / 6, 0.0), 1.0)


def gelu(t: float) -> float:
    """Return t times the normal distribution at t, without cancellation."""
    return t / 2 * math.erfc(-t / math.sqrt(2))


def exp(t: float) -> float:
    """Return exp(t); beyond float64 it is infinite."""
    return math.exp(t) if t < 709 else math.inf


FUNCTIONS: dict[str, Callable[[float, float], float]] = {
    "sigmoid": lambda t, _alpha: sigmoid(t),
    "tanh": lambda t, _alpha: math.tanh(t),
    "silu": lambda t, _alpha: t * sigmoid(t),
    "gelu": lambda t, _alpha: gelu(t),
    "elu": lambda t, alpha: t if t >= 0 else alpha * math.expm1(t),
    "exp": lambda t, _alpha: exp(t),
    "hard_sigmoid": lambda t, _alpha: hard_sigmoid(t),
    "hard_swish": lambda t, _alpha: t * min(max(t + 3, 0.0), 6.0) / 6,
    "leaky_relu": lambda t, alpha: t if t >= 0 else alpha * t,
}


# What a function never reaches: float64 has it where t is far from zero.
LIMITS: dict[str, Callable[[float, float], float]] = {
    "sigmoid": lambda _t, _alpha: 1.0,
    "tanh": lambda t, _alpha: math.copysign(1.0, t),
    "silu": lambda t, _alpha: t,
    "gelu": lambda t, _alpha: t,
    "elu": lambda t, alpha: -alpha if t < 0 else math.inf,
}


def value(function: str, t: float, alpha: float) -> float:
    """Return f(t), or a number nearer to zero than the limit that float64 would make of it."""
    found = FUNCTIONS[function](t, alpha)
    if t and function in LIMITS and found == LIMITS[function](t, alpha):
        return math.nextafter(math.nextafter(found, 0), 0)  # one is lost where it is divided
    return found


def table(
    function: str,
    codes: Codes,
    *,
    x_scale: float,
    x_zero: int,
    alpha: float,
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
) -> Array:
    """Return the code of the function's value for each of the codes."""
    if function not in FUNCTIONS or not (x_scale > 0 and scale > 0 and 0 <= alpha <= 1):
        raise InputError("activation: needs a known function, scales above 0, alpha from 0 to 1")
    real: Reals = np.array([value(function, (q - x_zero) * x_scale, alpha) for q in codes.tolist()])
    steps = np.clip(half_up(real / scale), -(2.0**40), 2.0**40)
    return np.clip(steps + zero_point, qmin, qmax).astype(np.int64)
