"""`sum`, what an average pool becomes, and `max_pool`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aquant_ref.engine.instruction import Bounds, Instruction, Shape, need
from aquant_ref.engine.operations.operation import (
    WINDOW,
    Operation,
    centred,
    check_channels,
    passed,
    unchanged,
    window_sizes,
)
from aquant_ref.engine.windows import Windows


def _shape(each: Instruction, shape: Shape) -> Shape:
    sizes = window_sizes(each, shape)
    counts = Windows.of(each).counts(shape[1:])
    need(each.name, bool(counts.all()), "has a window that meets nothing but padding")
    return (shape[0], *sizes)


def _sum_shape(each: Instruction, shape: Shape) -> Shape:
    made = _shape(each, shape)
    check_channels(each, shape[0], "zero_point")
    factor = each.arrays["factor"].shape
    need(each.name, factor == made[1:], f"its factor has shape {factor}, not {made[1:]}")
    return made


def _sum_bounds(each: Instruction, inputs: Sequence[Bounds], shape: Shape) -> Bounds:
    """Compute with Python's integers, since nothing has said yet that int64 holds the sum."""
    low, high = centred(each, *inputs[0])
    pixels = Windows.of(each).counts(shape[1:]) * each.arrays["factor"]
    ends = np.array([[int(pixels.min())], [int(pixels.max())]], object)
    return (ends * low).min(axis=0), (ends * high).max(axis=0)


OPERATIONS = {
    "sum": Operation(
        _sum_shape,
        _sum_bounds,
        {"zero_point": ("int32",), "factor": ("int32",)},
        attributes=WINDOW,
        axes=(3,),
        reads_codes=True,
    ),
    "max_pool": Operation(
        _shape, unchanged, attributes=WINDOW, axes=(3,), reads_codes=True, codes=passed
    ),
}
