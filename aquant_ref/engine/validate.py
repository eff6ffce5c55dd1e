"""Check that instructions make a program that can be run, before any image.

`Program.validate` asks here, and then for the bounds of every tensor (`engine.bounds`); lowering,
saving, loading and the engine all ask `Program.validate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from aquant_ref.checks import instance, integer, is_array, shown
from aquant_ref.engine.instruction import (
    IMAGE,
    LARGEST_CODE,
    LEAST_CODE,
    Instruction,
    Range,
    Shape,
    need,
)
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.errors import InputError, unknown
from aquant_ref.formats.native import check_name
from aquant_ref.integer import geometry

ZERO_POINTS = ("zero_point", "zero_point_a", "zero_point_b")
POSITIVE = ("multiplier_a", "multiplier_b", "factor")  # arrays, whichever instruction has them


def check(
    input_shape: Shape, instructions: tuple[Instruction, ...], *, part: bool = False
) -> dict[str, Shape]:
    """Raise InputError, which names the instruction, unless these make a program that can be run.

    The last one must make the logits, with a linear layer, but in a `part` of a program. Returns
    the shapes of all tensors, without the batch axis.
    """
    if not isinstance(instructions, tuple):
        raise InputError(f"program: needs a tuple of instructions, got {shown(instructions)}")
    for each in instructions:
        instance("instruction", each, Instruction)
    _check_image(input_shape)
    shapes: dict[str, Shape] = {IMAGE: input_shape}
    codes: dict[str, Range | None] = {IMAGE: (0, 255)}
    for each in instructions:
        _check_inputs(each, shapes, codes)
        operation = OPERATIONS[each.op]
        _check_attributes(each)
        _check_arrays(each)
        operation.check(each)
        shape = shape_of(each, *(shapes[name] for name in each.inputs))
        need(each.name, _fits(shape), f"is too large, {shape}")
        shapes[each.name] = shape
        ranges = [codes[name] for name in each.inputs]
        if ranges[0] is not None:
            operation.check_codes(each, ranges[0])
        codes[each.name] = operation.codes(each, *ranges)
    if not part or not instructions:
        need("program", bool(instructions) and instructions[-1].op == "linear", "makes no logits")
    return shapes


def shape_of(each: Instruction, *shapes: Shape) -> Shape:
    """Give the shape that `each` makes of tensors of such shapes, (C, H, W) or (C,).

    Raises InputError, which names the instruction, where its arrays or attributes do not fit them.
    """
    operation = OPERATIONS[each.op]
    axes = len(shapes[0]) in operation.axes
    need(each.name, axes, f"cannot read a tensor of shape {shapes[0]}")
    return operation.shape(each, *shapes)


def _fits(shape: Shape) -> bool:
    return prod(shape) <= geometry.LARGEST_TENSOR and shape[0] <= geometry.LARGEST_CHANNELS


def _check_image(shape: Any) -> None:
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise InputError(f"image: has shape {shown(shape)}, needs (C, H, W)")
    for size in shape:
        integer("image: its shape", size, 1, geometry.LARGEST_TENSOR)
    need("image", _fits(shape), f"is too large, {shape}")


def _check_inputs(
    each: Instruction, shapes: Mapping[str, Shape], codes: Mapping[str, Range | None]
) -> None:
    check_name(each.name, "instruction")
    need(each.name, each.name not in shapes, "is made twice")
    if not isinstance(each.op, str) or each.op not in OPERATIONS:
        need(each.name, False, unknown("operation", each.op, OPERATIONS))
    operation = OPERATIONS[each.op]
    needed = operation.inputs
    fits = isinstance(each.inputs, tuple) and (
        len(each.inputs) >= 2 if needed is None else len(each.inputs) == needed
    )
    need(each.name, fits, f"cannot have the inputs {shown(each.inputs)}")
    for name in each.inputs:
        check_name(name, f"{each.name}: input")
        need(each.name, name in shapes, f"reads {name!r} before it is made")
        holds = not operation.reads_codes or codes[name] is not None
        need(each.name, holds, f"reads {name!r}, which holds no codes")


def _check_attributes(each: Instruction) -> None:
    need(each.name, isinstance(each.attributes, Mapping), "its attributes are no mapping")
    has = OPERATIONS[each.op].attributes
    known = ", ".join(sorted(has)) or "none"
    for key in each.attributes:
        need(each.name, key in has, f"{each.op} has no attribute {shown(key)}; it has {known}")
    for key, check_value in has.items():
        given = each.attributes.get(key)
        try:
            check_value(given)
        except InputError as error:
            raise InputError(f"{each.name}: its {key} cannot be {shown(given)}") from error


def _check_arrays(each: Instruction) -> None:
    instance(f"{each.name}: arrays", each.arrays, Mapping)
    known = OPERATIONS[each.op].arrays
    for key in sorted(known.keys() ^ each.arrays.keys(), key=str):
        state = "not one of its" if key in each.arrays else "missing"
        need(each.name, False, f"array {shown(key)} is {state}")
    for key, array in each.arrays.items():
        need(each.name, is_array(array), f"its {key} is {shown(array)}, not an array")
        fits = array.dtype.name in known[key]
        need(each.name, fits, f"its {key} is {array.dtype}, not {' or '.join(known[key])}")
    for key in POSITIVE:
        if key in each.arrays:
            need(each.name, bool((each.arrays[key] > 0).all()), f"its {key} is not positive")
    for key in ZERO_POINTS:
        if key in each.arrays:
            zero_point = each.arrays[key]
            inside = (zero_point >= LEAST_CODE) & (zero_point <= LARGEST_CODE)
            need(each.name, bool(inside.all()), f"its {key} is no code")
