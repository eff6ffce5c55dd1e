"""How large the integers of a program can become, from its weights alone, before any image.

The product of output channel o is largest where every positive weight meets the largest code and
every negative one the smallest. No partial sum, in whatever order, is outside its bounds. So:

* below 2^24 (2^53) in absolute value, a float32 (float64) product of the integers is exact;
* an accumulator (of conv2d, linear, sum) is int32: the product, and then the product plus a bias;
* an add is in int64 and stays within 2^53 (AQ-LOWER-2);
* a rescaled term saturates at int32, which a border after it clips anyway; a `plus` of two of them
  is refused where either, before it saturates, or their sum could leave int32 (AQ-LOWER-10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.fast.fixed_point import rescaled
from aquant_ref.engine.instruction import (
    CONVOLUTIONS,
    IMAGE,
    NEVER_LIFT,
    TWO_INPUTS,
    WINDOWED,
    Instruction,
    Shape,
    shape_of,
)
from aquant_ref.engine.validate_fixed_point import RESCALES, code_range
from aquant_ref.engine.windows import Windows
from aquant_ref.errors import AccumulatorOverflow, InputError

if TYPE_CHECKING:
    from aquant_ref.engine.program import Program

Array = NDArray[Any]

PRODUCTS = (*CONVOLUTIONS, "linear")
EXACT_BELOW = {"float32": 2**24, "float64": 2**53}

INT64_MAX = 2**63 - 1
LIMITS = {"int32": 2**31 - 1, "int64": 2**53}  # of the integers in either type

Bounds = tuple[Array, Array]  # least and largest value of each channel, int64


def bounds(program: Program) -> dict[str, Bounds]:
    """For each tensor the least and the largest value of each channel, (C,) int64.

    Raises AccumulatorOverflow, which names the layer and the bound, where an accumulator could
    leave int32 or an add could leave 2^53.

    Spec: AQ-LOWER-2, AQ-LOWER-5.
    """
    channels = program.input_shape[0]
    known: dict[str, Bounds] = {IMAGE: (np.zeros(channels, np.int64), np.full(channels, 255))}
    shapes: dict[str, Shape] = {IMAGE: program.input_shape}
    held = held_in(program)
    for each in program.instructions:
        read = [shapes[name] for name in each.inputs]
        shapes[each.name] = shape_of(each, *read)
        inputs = [known[name] for name in each.inputs]
        if each.op in RESCALES:
            known[each.name] = _rescaled_bounds(each, *inputs[0])
            continue
        bound = _bounds(each, inputs, read[0])
        _check(each, bound, held[each.name])
        if "bias" in each.arrays:
            bias = each.arrays["bias"].astype(np.int64)
            bound = bound[0] + bias, bound[1] + bias
            _check(each, bound, held[each.name])
        known[each.name] = bound[0].astype(np.int64), bound[1].astype(np.int64)
    return known


def product_bounds(program: Program, known: Mapping[str, Bounds]) -> dict[str, Bounds]:
    """For each convolution and linear layer those of its product; 0 is among its partial sums.

    `known` is what `bounds` says. The bias is added after the product, in int32, and has no part in
    this.
    """
    return {
        each.name: _product_bounds(each, *known[each.inputs[0]])
        for each in program.instructions
        if each.op in PRODUCTS
    }


def product_types(program: Program, known: Mapping[str, Bounds] | None = None) -> dict[str, str]:
    """For each convolution and linear layer the cheapest type in which its product is exact.

    `known` is what `bounds` says, where that is at hand. Raises AccumulatorOverflow as `bounds`
    does.
    """
    products = product_bounds(program, bounds(program) if known is None else known)
    return {name: product_type(bound) for name, bound in products.items()}


def _check(each: Instruction, bound: Bounds, held: str) -> None:
    limit, largest = LIMITS[held], magnitude(bound)
    if largest > limit:
        what = "sum" if each.op in TWO_INPUTS else "accumulator"
        raise AccumulatorOverflow(f"{each.name}: its {what} can reach {largest}, beyond {limit}")


def held_in(program: Program) -> dict[str, str]:
    """The type that the contract holds each tensor in: the sum of an add may leave int32."""
    held = {IMAGE: "int32"}
    for each in program.instructions:
        wide = each.op == "add" or (each.op == "concat" and "int64" in map(held.get, each.inputs))
        held[each.name] = "int64" if wide else "int32"
    return held


def magnitude(bound: Bounds) -> int:
    """The largest absolute value over all channels."""
    return int(max(abs(int(bound[0].min())), abs(int(bound[1].max()))))


def product_type(bound: Bounds) -> str:
    """The cheapest type in which a product with these bounds is exact."""
    for name, limit in EXACT_BELOW.items():
        if magnitude(bound) < limit:
            return name
    return "integer"


def _bounds(each: Instruction, inputs: list[Bounds], shape: Shape) -> Bounds:
    low, high = inputs[0]
    if each.op == "threshold":
        least, count = each.attributes["least"], each.arrays["thresholds"].shape[1]
        return np.full(len(low), least), np.full(len(low), least + count)
    if each.op == "add":
        (other_low, other_high) = inputs[1]
        # as Python's integers, since nothing has said yet that int64 holds the sum
        a, b = (each.arrays[key].astype(object) for key in ("multiplier_a", "multiplier_b"))
        return a * low + b * other_low, a * high + b * other_high
    if each.op == "plus":
        for term in inputs:
            _check(each, term, "int32")
        return low.astype(object) + inputs[1][0], high.astype(object) + inputs[1][1]
    if each.op == "border":
        least, largest = code_range(each)
        return np.full(len(low), least), np.full(len(low), largest)
    if each.op == "concat":
        lows, highs = zip(*inputs, strict=True)
        return np.concatenate(lows), np.concatenate(highs)
    if each.op == "sum":
        low, high = _centred(each, low, high)
        pixels = Windows.of(each.attributes).counts(shape[1:]) * each.arrays["factor"]
        # as Python's integers, since nothing has said yet that int64 holds the sum
        ends = np.array([[int(pixels.min())], [int(pixels.max())]], object)
        return (ends * low).min(axis=0), (ends * high).max(axis=0)
    if each.op == "flatten":
        positions = each.attributes["positions"]
        return np.repeat(low, positions), np.repeat(high, positions)
    if each.op == "max_pool":
        return low, high
    if each.op == "lookup":
        table = each.arrays["table"].astype(np.int64)
        return np.full(len(low), table.min()), np.full(len(low), table.max())
    return _product_bounds(each, low, high)


def _rescaled_bounds(each: Instruction, low: Array, high: Array) -> Bounds:
    """Before T saturates; a rescaling never falls where its accumulator grows."""
    left, bias = (each.arrays[key].astype(object) for key in ("left", "bias"))
    largest = magnitude(((low << left) + bias, (high << left) + bias))
    if largest > LIMITS["int32"]:
        raise AccumulatorOverflow(
            f"{each.name}: its accumulator with the fraction of its bias can reach {largest}, "
            "beyond int32; fewer fraction bits need less"
        )
    try:
        least, most = rescaled(np.stack([low, high]), each)
    except InputError as error:  # what the profile shifts to the left
        raise AccumulatorOverflow(f"{each.name}: {error}") from error
    return least, most


def _centred(each: Instruction, low: Array, high: Array) -> Bounds:
    """Of the codes minus their zero point."""
    zero_point = each.arrays["zero_point"].astype(np.int64)
    return low - zero_point, high - zero_point


def _product_bounds(each: Instruction, low: Array, high: Array) -> Bounds:
    """Of the product alone, without a bias."""
    weight = each.arrays["weight"].astype(np.int64)
    if each.op in WINDOWED:  # the codes that the tables make of those that are read
        codes = each.arrays["codes"].astype(np.int64)
        up = (each.arrays["lift"] > NEVER_LIFT) if "lift" in each.arrays else np.zeros((), bool)
        low, high = np.full(len(low), codes.min()), np.full(len(high), (codes + up).max())
    low, high = _centred(each, low, high)
    # 0 is what a padded pixel contributes
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    reach = weight[0].size * int(abs(weight).max()) * max(-int(low.min()), int(high.max()))
    if reach > INT64_MAX:  # so that no bound wraps below
        raise AccumulatorOverflow(f"{each.name}: its accumulator can reach {reach}, beyond int64")
    outputs = len(weight)
    groups = each.attributes.get("groups", 1)
    # the channel that each weight meets, then one row per output channel
    members = len(low) // groups
    first = np.arange(outputs) // (outputs // groups) * members
    channel = first[:, None] + np.arange(members)
    shape = (*channel.shape, *(1,) * (weight.ndim - 2))
    low, high = (bound[channel].reshape(shape) for bound in (low, high))
    rest = tuple(range(1, weight.ndim))
    least = np.minimum(weight * low, weight * high).sum(axis=rest)
    largest = np.maximum(weight * low, weight * high).sum(axis=rest)
    return least, largest
