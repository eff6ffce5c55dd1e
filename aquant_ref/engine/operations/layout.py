"""`concat` and `flatten`, which move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from aquant_ref.engine.instruction import Bounds, Instruction, Shape, need
from aquant_ref.engine.operations.operation import Operation, passed, whole


def _concat_shape(each: Instruction, *shapes: Shape) -> Shape:
    fit = all(shape[1:] == shapes[0][1:] for shape in shapes)
    need(each.name, fit, f"its inputs have shapes {shapes}")
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def _concat_bounds(_each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    lows, highs = zip(*inputs, strict=True)
    return np.concatenate(lows), np.concatenate(highs)


def _concat_held(inputs: Sequence[str]) -> str:
    return "int64" if "int64" in inputs else "int32"


def _flatten_shape(each: Instruction, shape: Shape) -> Shape:
    positions = prod(shape[1:])
    need(each.name, each.attributes["positions"] == positions, f"has {positions} positions")
    return (shape[0] * positions,)


def _flatten_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    low, high = inputs[0]
    positions = each.attributes["positions"]
    return np.repeat(low, positions), np.repeat(high, positions)


OPERATIONS = {
    "concat": Operation(
        _concat_shape, _concat_bounds, inputs=None, codes=passed, held_in=_concat_held
    ),
    "flatten": Operation(
        _flatten_shape, _flatten_bounds, attributes={"positions": whole(1)}, codes=passed
    ),
}
