"""Wrong steps of a sum of two tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import wrapped
from aquant_ref.typing import Array


def by_branch(change: Callable[[Array, dict[str, Any]], Array]) -> Callable[..., Array]:
    """Each term in steps of the result first."""

    def added(a: Array, b: Array, f: dict[str, Any]) -> Array:
        return (change(a / f["scale"], f) + change(b / f["scale"], f)) * f["scale"]

    return added


ADD: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "each branch rounded",
        "add.branch_rounded",
        "halves",
        {"sum": by_branch(lambda t, f: np.floor(t + 0.5))},
    ),
    (
        "each branch clipped",
        "add.branch_clipped",
        "opposite",
        {
            "sum": by_branch(
                lambda t, f: np.clip(t, f["qmin"] - f["zero_point"], f["qmax"] - f["zero_point"])
            )
        },
    ),
    (
        "one scale",
        "add.one_scale",
        "random",
        {"sum": lambda a, b, f: a + (f["b"] - f["b_zero"]) * f["a_scale"]},
    ),
    (
        "ReLU before the add",
        "add.relu",
        "relu",
        {"sum": lambda a, b, f: np.maximum(a, 0) + np.maximum(b, 0)},
    ),
    (
        "ties down",
        "round.rule",
        "tie",
        {"sum": lambda a, b, f: a + b - f["scale"] * 1e-9},
    ),
    (
        "no zero points",
        "zero_point.missing",
        "random",
        {"term": lambda q, scale, zero: q * scale},
    ),
    (
        "scales in float32",
        "round.float32",
        "close_tie",
        {"term": lambda q, scale, zero: (q - zero) * float(np.float32(scale))},
    ),
    (
        "the sum in float32",
        "round.float32",
        "close_tie",
        {"sum": lambda a, b, f: (a + b).astype(np.float32).astype(np.float64)},
    ),
    (
        "steps in int32",
        "clamp.wrap",
        "far",
        {"clip": lambda s, z, low, high: np.clip(wrapped(s, 32) + z, low, high)},
    ),
]

WRONG = stepwise("add_tensors", ADD)
