"""A quantized network in fixed point: which fraction bits and which border each of its tensors has.

The fixed-point lowering and the fixed-point simulation read these numbers here; the oracle derives
its own from the plain model.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.nn.operations import CEILINGS
from aquant_ref.quant.fixed_point import FixedBorder, fixed_border

if TYPE_CHECKING:
    from aquant_ref.model.quantized_model import QuantizedModel


def fraction_bits(model: QuantizedModel, name: str, asked: int) -> int:
    """How many bits of its fraction T has before tensor `name`: `asked`, or 0.

    Spec: AQ-LOWER-10. None where T is rounded to nearest and is no sum of branches: rounding it
    once, straight to the code, is classical requantization.
    """
    node = model.graph.node(name)
    while node.op in (*CEILINGS, "requantize") and node.inputs[0] not in model.tensors:
        node = model.graph.node(node.inputs[0])
    bordered = model.stored(name).coefficients is not None
    return asked if bordered or node.op == "add" else 0


def scale_of_sum(model: QuantizedModel, name: str) -> Fraction:
    """Return the step in which the terms of the add `name` are counted: the next quantizer's.

    Spec: AQ-LOWER-10. Raises InputError, which names the add, where none follows.
    """
    try:
        return Fraction(model.stored(model.rounded_into(name)).scale)
    except ValueError as error:
        raise InputError(str(error)) from error


def border_of(model: QuantizedModel, name: str, asked: int) -> FixedBorder:
    """Return the border of tensor `name` in fixed point; `asked` fraction bits if it needs any.

    Spec: AQ-FIXED-9. Raises InputError, which names the tensor, where it has none: for crossings
    whose polynomial was not stored, a leaky ReLU (AQ-LOWER-13), or where a number is too large.
    """
    tensor, op = model.stored(name), model.graph.node(name).op
    if op == "leaky_relu":
        raise InputError(f"{name}: a leaky_relu has no fixed point; lower it to thresholds")
    high = tensor.low + tensor.crossings.shape[1]  # wide codes end before their bits do
    nearest = np.arange(tensor.low, high) + 0.5
    if tensor.coefficients is None and not np.array_equiv(tensor.crossings, nearest):
        raise InputError(f"{name}: has crossings alone; its border's polynomial was not stored")
    ceiling = CEILINGS.get(op)
    try:
        return fixed_border(
            tensor.low,
            high,
            tensor.zero_point,
            fraction_bits(model, name, asked),
            coefficients=tensor.coefficients,
            squash=tensor.squash,
            floor=op in CEILINGS,
            ceiling=None if ceiling is None else Fraction(ceiling) / Fraction(tensor.scale),
        )
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
