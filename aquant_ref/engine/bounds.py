"""How large the integers of a program can become, from its weights alone, before any image.

Codes are 0..qmax, so the accumulator of output channel o is largest where every positive weight
meets qmax and every negative one 0. No partial sum, in whatever order, is outside the bounds. So:

* inside int32, the accumulator of the contract holds it;
* below 2^24 (2^53) in absolute value, a float32 (float64) product of the integers is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.program import IMAGE, Instruction, Program
from aquant_ref.errors import AccumulatorOverflow

Array = NDArray[Any]

INT32_MAX = 2**31 - 1
ACCUMULATES = ("conv2d", "linear", "sum")  # what the contract keeps in int32
EXACT_BELOW = {"float32": 2**24, "float64": 2**53}

Bounds = tuple[Array, Array]  # least and largest value of each channel, int64


def bounds(program: Program) -> dict[str, Bounds]:
    """For each tensor the least and the largest value of each channel, (C,) int64.

    Raises AccumulatorOverflow, which names the layer and the bound, where an accumulator could
    leave int32 or an add could leave 2^53.
    """
    channels, height, width = program.input_shape
    known: dict[str, Bounds] = {IMAGE: (np.zeros(channels, np.int64), np.full(channels, 255))}
    sizes = {IMAGE: height * width}
    for each in program.instructions:
        known[each.name] = _bounds(each, [known[name] for name in each.inputs], sizes)
        limit = INT32_MAX if each.op in ACCUMULATES else EXACT_BELOW["float64"]
        largest = magnitude(known[each.name])
        if largest > limit:
            raise AccumulatorOverflow(
                f"{each.name}: its accumulator can reach {largest}, beyond {limit}"
            )
    return known


def magnitude(bound: Bounds) -> int:
    """The largest absolute value over all channels."""
    return int(max(abs(int(bound[0].min())), abs(int(bound[1].max()))))


def product_type(bound: Bounds) -> str:
    """The cheapest type in which a product with these bounds is exact."""
    for name, limit in EXACT_BELOW.items():
        if magnitude(bound) < limit:
            return name
    return "integer"


def _bounds(each: Instruction, inputs: list[Bounds], sizes: dict[str, int]) -> Bounds:
    low, high = inputs[0]
    if each.op == "threshold":
        thresholds = each.arrays["thresholds"]
        return np.zeros(len(low), np.int64), np.full(len(low), thresholds.shape[1], np.int64)
    if each.op == "add":
        (other_low, other_high) = inputs[1]
        a, b = each.arrays["multiplier_a"], each.arrays["multiplier_b"]
        return a * low + b * other_low, a * high + b * other_high
    if each.op == "sum":
        positions = each.attributes["positions"]
        return low * positions, high * positions
    if each.op == "flatten":
        positions = each.attributes["positions"]
        return np.repeat(low, positions), np.repeat(high, positions)
    if each.op == "max_pool":
        return low, high
    return _product_bounds(each, low, high)


def _product_bounds(each: Instruction, low: Array, high: Array) -> Bounds:
    weight = each.arrays["weight"].astype(np.int64)
    zero_point = each.arrays["zero_point"].astype(np.int64)
    # 0 is what a padded pixel contributes
    low, high = np.minimum(low - zero_point, 0), np.maximum(high - zero_point, 0)
    outputs = len(weight)
    groups = each.attributes.get("groups", 1)
    # the channel that each weight meets, then one row per output channel
    members = len(low) // groups
    first = np.arange(outputs) // (outputs // groups) * members
    channel = first[:, None] + np.arange(members)
    shape = (*channel.shape, *(1,) * (weight.ndim - 2))
    low, high = (bound[channel].reshape(shape) for bound in (low, high))
    rest = tuple(range(1, weight.ndim))
    bias = each.arrays.get("bias", np.zeros(outputs, np.int64)).astype(np.int64)
    least = np.minimum(weight * low, weight * high).sum(axis=rest) + bias
    largest = np.maximum(weight * low, weight * high).sum(axis=rest) + bias
    return least, largest
