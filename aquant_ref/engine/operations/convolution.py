"""`conv2d`, and those that first round each element of a window: `border_conv2d`, `fused_conv2d`
and `feedback_conv2d`.

And `linear`, whose product has the same bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aquant_ref.engine.instruction import NEVER_LIFT, Bounds, Instruction, Range, Shape, need
from aquant_ref.engine.operations.operation import (
    LIMITS,
    PLACES,
    Operation,
    centred,
    check_channels,
    check_held,
    named,
    whole,
    window_sizes,
    within,
)
from aquant_ref.errors import AccumulatorOverflow
from aquant_ref.integer import geometry

INT64_MAX = 2**63 - 1
WEIGHT = {"weight": ("int8", "int32"), "zero_point": ("int32",)}
TABLES = {"codes": ("uint8",)}
FUSED_TABLES = {**TABLES, "lift": ("int32",), "fusion": ("int32",)}
FEEDBACK_TABLES = {**TABLES, "lift": ("int32",), "error": ("int32",)}
ROW_TABLES = (*FUSED_TABLES, "error")
DIRECTIONS = {"directions": ("int8", "int32"), "pull": ("int32",)}
CONVOLUTION = {**PLACES, "groups": whole(1)}
WINDOWED = {**CONVOLUTION, "zero_code": whole(0)}
MOST_ERROR_BITS = 16


def _shape(each: Instruction, shape: Shape) -> Shape:
    weight = each.arrays["weight"]
    with named(each):
        geometry.check_groups(shape[0], weight.shape, each.attributes["groups"])
    check_channels(each, shape[0], "zero_point")
    return (len(weight), *window_sizes(each, shape))


def _check_tables(each: Instruction, codes: Range) -> None:
    """Refuse tables that have no entry for some code, or not a row for each row of the im2col
    matrix, or one for all; and a sum of a window that could reach the lift that never goes up.
    """
    arrays, zero_code = each.arrays, each.attributes["zero_code"]
    least, largest = codes
    need(each.name, least >= 0, f"its tables have no entry for code {least}")
    _, members, *kernel = arrays["weight"].shape
    rows = members * each.attributes["groups"] * kernel[0] * kernel[1]
    need(each.name, zero_code <= largest, f"its zero_code cannot be {zero_code}")
    for key in sorted(arrays.keys() & set(ROW_TABLES)):
        shape = arrays[key].shape
        need(
            each.name,
            len(shape) == 2 and shape[0] in (1, rows) and shape[1] > largest,
            f"its {key} of shape {shape} has no entry for code {largest} in {rows} rows",
        )
    if "fusion" in arrays:
        reached = int(abs(arrays["fusion"].astype(np.int64)).max()) * kernel[0] * kernel[1]
        need(each.name, reached < -NEVER_LIFT, f"the sum of its fusion can reach {reached}")
    if "lift" in arrays:
        room = int(arrays["codes"].max()) < 255
        need(each.name, room, "its codes have no room to go up from 255")


def _check_feedback(each: Instruction, codes: Range) -> None:
    """Refuse directions that do not fit the weights, an error that could leave int32, and a pull
    that could reach the lift that never goes up.

    Spec: AQ-LOWER-14.
    """
    _check_tables(each, codes)
    within(each, "error_bits", each.attributes["error_bits"], 0, MOST_ERROR_BITS)
    groups, rows = each.attributes["groups"], each.arrays["weight"][0].size
    for key in DIRECTIONS:
        shape = each.arrays[key].shape
        fits = len(shape) == 3 and (shape[0], shape[2]) == (groups, rows) and shape[1] >= 1
        need(each.name, fits, f"its {key} of shape {shape} does not fit {groups} x {rows} rows")
    alike = each.arrays["directions"].shape == each.arrays["pull"].shape
    need(each.name, alike, "has not one pull for each direction")
    error, pull = feedback_reach(each, codes)
    if error > LIMITS["int32"]:
        raise AccumulatorOverflow(f"{each.name}: its error can reach {error}, beyond int32")
    if pull >= -NEVER_LIFT:
        raise AccumulatorOverflow(
            f"{each.name}: the pull of its error can reach {pull}, beyond {-NEVER_LIFT - 1}"
        )


def feedback_reach(each: Instruction, codes: Range) -> Range:
    """Find the largest absolute values of an error and of a pull, of partial sums too.

    The error of a row is largest at some code that it can meet, rounded down or up.

    Spec: AQ-LOWER-14.
    """
    met = slice(codes[0], codes[1] + 1)
    down = each.arrays["error"][:, met].astype(np.int64)
    goes_up = each.arrays["lift"][:, met] > NEVER_LIFT
    up = down + (goes_up.astype(np.int64) << each.attributes["error_bits"])
    one = np.maximum(abs(down), abs(up)).max(axis=1).astype(object)  # which never wraps
    directions, pull = (abs(each.arrays[key].astype(object)) for key in DIRECTIONS)
    groups, _, rows = directions.shape
    errors = (directions * np.broadcast_to(one, groups * rows).reshape(groups, 1, rows)).sum(axis=2)
    return int(errors.max()), int((pull * errors[:, :, None]).sum(axis=1).max())


def product_bounds(each: Instruction, bound: Bounds) -> Bounds:
    """Find the bounds of a product without its bias, from those of the codes that it reads.

    The product of output channel o is largest where every positive weight meets the largest code
    and every negative one the smallest. 0 is what a padded pixel contributes.
    """
    weight = each.arrays["weight"].astype(np.int64)
    low, high = centred(each, *_rounded(each, bound))
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    reach = weight[0].size * int(abs(weight).max()) * max(-int(low.min()), int(high.max()))
    if reach > INT64_MAX:  # so that no bound wraps below
        raise AccumulatorOverflow(f"{each.name}: its accumulator can reach {reach}, beyond int64")
    outputs, groups = len(weight), each.attributes.get("groups", 1)
    members = len(low) // groups
    first = np.arange(outputs) // (outputs // groups) * members
    channel = first[:, None] + np.arange(members)  # the one that each weight meets
    shape = (*channel.shape, *(1,) * (weight.ndim - 2))
    ends = weight * low[channel].reshape(shape), weight * high[channel].reshape(shape)
    rest = tuple(range(1, weight.ndim))
    return np.minimum(*ends).sum(axis=rest), np.maximum(*ends).sum(axis=rest)


def _rounded(each: Instruction, bound: Bounds) -> Bounds:
    """Give the bounds of the codes that the tables make of those that are read."""
    if "codes" not in each.arrays:
        return bound
    codes = each.arrays["codes"].astype(np.int64)
    up = (each.arrays["lift"] > NEVER_LIFT) if "lift" in each.arrays else np.zeros((), bool)
    channels = len(bound[0])
    return np.full(channels, codes.min()), np.full(channels, (codes + up).max())


def _bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    return product_bounds(each, inputs[0])


def _linear_shape(each: Instruction, shape: Shape) -> Shape:
    weight = each.arrays["weight"]
    need(
        each.name,
        weight.ndim == 2 and len(weight) >= 1 and weight.shape[1] == shape[0],
        f"its weight {weight.shape} does not fit {shape[0]} inputs",
    )
    check_channels(each, shape[0], "zero_point")
    check_channels(each, len(weight), "bias")
    return (len(weight),)


def _linear_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    product = product_bounds(each, inputs[0])
    check_held(each, product, "int32")
    bias = each.arrays["bias"].astype(np.int64)
    return product[0] + bias, product[1] + bias


OPERATIONS = {
    "conv2d": Operation(
        _shape, _bounds, WEIGHT, attributes=CONVOLUTION, axes=(3,), reads_codes=True
    ),
    "border_conv2d": Operation(
        _shape,
        _bounds,
        {**WEIGHT, **TABLES},
        attributes=WINDOWED,
        axes=(3,),
        reads_codes=True,
        check_codes=_check_tables,
    ),
    "fused_conv2d": Operation(
        _shape,
        _bounds,
        {**WEIGHT, **FUSED_TABLES},
        attributes=WINDOWED,
        axes=(3,),
        reads_codes=True,
        check_codes=_check_tables,
    ),
    "feedback_conv2d": Operation(
        _shape,
        _bounds,
        {**WEIGHT, **FEEDBACK_TABLES, **DIRECTIONS},
        attributes={**WINDOWED, "error_bits": whole(0)},
        axes=(3,),
        reads_codes=True,
        check_codes=_check_feedback,
    ),
    "linear": Operation(
        _linear_shape,
        _linear_bounds,
        {"weight": WEIGHT["weight"], "bias": ("int32",), "zero_point": ("int32",)},
        axes=(1,),
        reads_codes=True,
    ),
}
CONVOLUTIONS = ("conv2d", "border_conv2d", "fused_conv2d", "feedback_conv2d")
