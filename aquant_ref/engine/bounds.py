"""How large the integers of a program can become, from its weights alone, before any image.

No partial sum, in whatever order, is outside its bounds together with 0. So:

* below 2^24 (2^53) in absolute value, a float32 (float64) product of the integers is exact;
* an accumulator (of conv2d, linear, sum) is int32: the product, and then the product plus a bias;
* an add is in int64 and stays within 2^53 (AQ-LOWER-2);
* a rescaled term saturates at int32, which a border after it clips anyway; a `plus` of two of them
  is refused where either, before it saturates, or their sum could leave int32 (AQ-LOWER-10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aquant_ref.engine.instruction import IMAGE, Bounds, Instruction, Shape
from aquant_ref.engine.operations import OPERATIONS, PRODUCTS
from aquant_ref.engine.operations.convolution import product_bounds as product_bounds_of
from aquant_ref.engine.operations.operation import LIMITS, check_held, magnitude

__all__ = ["LIMITS", "bounds", "held_in", "magnitude", "product_bounds", "product_types"]

EXACT_BELOW = {"float32": 2**24, "float64": 2**53}


def bounds(shapes: Mapping[str, Shape], instructions: Sequence[Instruction]) -> dict[str, Bounds]:
    """Find the least and the largest value of each channel of each tensor, (C,) int64.

    `shapes` are those of all tensors, as `engine.validate.check` gives them. Raises
    AccumulatorOverflow, which names the layer and the bound, where an accumulator could leave int32
    or an add could leave 2^53.

    Spec: AQ-LOWER-2, AQ-LOWER-5.
    """
    channels = shapes[IMAGE][0]
    known: dict[str, Bounds] = {
        IMAGE: (np.zeros(channels, np.int64), np.full(channels, 255, np.int64))
    }
    held = held_in(instructions)
    for each in instructions:
        operation = OPERATIONS[each.op]
        bound = operation.bounds(
            each, [known[name] for name in each.inputs], shapes[each.inputs[0]]
        )
        if not operation.saturates:
            check_held(each, bound, held[each.name])
        known[each.name] = bound[0].astype(np.int64), bound[1].astype(np.int64)
    return known


def held_in(instructions: Sequence[Instruction]) -> dict[str, str]:
    """Find the type that the contract holds each tensor in: an add's sum may leave int32."""
    held = {IMAGE: "int32"}
    for each in instructions:
        held[each.name] = OPERATIONS[each.op].held_in([held[name] for name in each.inputs])
    return held


def product_bounds(
    instructions: Sequence[Instruction], known: Mapping[str, Bounds]
) -> dict[str, Bounds]:
    """Find the bounds of each product; 0 is among its partial sums.

    `known` is what `bounds` gives. The bias is added after the product, in int32, and has no part
    in this.
    """
    return {
        each.name: product_bounds_of(each, known[each.inputs[0]])
        for each in instructions
        if each.op in PRODUCTS
    }


def product_types(
    instructions: Sequence[Instruction], known: Mapping[str, Bounds]
) -> dict[str, str]:
    """Find the cheapest type in which the product of each convolution and linear layer is exact."""
    products = product_bounds(instructions, known)
    return {name: product_type(bound) for name, bound in products.items()}


def product_type(bound: Bounds) -> str:
    """Choose the cheapest type in which a product with these bounds is exact."""
    for name, limit in EXACT_BELOW.items():
        if magnitude(bound) < limit:
            return name
    return "integer"
