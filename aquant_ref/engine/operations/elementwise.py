"""`add`, `plus` and `mul`: two tensors of one shape, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.engine.operations.operation import Operation, check_held, same_shape

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Bounds, Instruction, Shape


def _add_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    """Compute with Python's integers, since nothing has said yet that int64 holds the sum."""
    a, b = (each.arrays[key].astype(object) for key in ("multiplier_a", "multiplier_b"))
    low, high = (a * one + b * other for one, other in zip(*inputs, strict=True))
    bound = low, high
    check_held(each, bound, "int64", "sum")
    return bound


def _plus_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    """Refuse terms that could saturate at int32, although a border would clip them anyway."""
    for term in inputs:
        check_held(each, term, "int32", "sum")
    (low, high), (other_low, other_high) = inputs
    bound = low + other_low, high + other_high
    check_held(each, bound, "int32", "sum")
    return bound


def _mul_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    """Look at the products of the ends: those of the interval are among them."""
    (low, high), (other_low, other_high) = (
        tuple(end - each.arrays[key].astype(np.int64) for end in ends)
        for ends, key in zip(inputs, ("zero_point_a", "zero_point_b"), strict=True)
    )
    corners = [low * other_low, low * other_high, high * other_low, high * other_high]
    return np.minimum.reduce(corners), np.maximum.reduce(corners)


OPERATIONS = {
    "add": Operation(
        same_shape,
        _add_bounds,
        {"multiplier_a": ("int64",), "multiplier_b": ("int64",)},
        inputs=2,
        held_in=lambda _inputs: "int64",
    ),
    "plus": Operation(same_shape, _plus_bounds, inputs=2),
    "mul": Operation(
        same_shape,
        _mul_bounds,
        {"zero_point_a": ("int32",), "zero_point_b": ("int32",)},
        inputs=2,
        reads_codes=True,
    ),
}
