"""The instructions of an integer program: what each carries, what it takes and what it makes.

Tensors are NCHW; `image` is uint8. Each instruction makes the tensor `name`:

| op | gives |
|---|---|
| conv2d | sum of weight * (code - zero_point) over the window, 0 for padding: an accumulator |
| border_conv2d | the same of wide codes u, padded with zero_code: code = codes[row, u] |
| fused_conv2d | the same, one more where lift[row, u] >= the window's sum of fusion[row, u] |
| linear | sum of weight * (code - zero_point) + bias: an accumulator |
| add | multiplier_a * a + multiplier_b * b, per channel, in int64 |
| sum | sum over all positions, shape (N, C, 1, 1): an accumulator |
| max_pool | maximum over the window |
| flatten | (N, C, H, W) -> (N, C*H*W) |
| threshold | how many of the channel's sorted thresholds are <= the accumulator: a code |
| rescale | T = (x * 2^left + bias) * multiplier * 2^-shift, rounded by the profile, in int32 |
| rescale_float | T = (x * 2^left + bias) * multiplier in the profile's floating point, rounded |
| plus | a + b, in int32 |
| border | T clipped, then its floor or one more, as the border's polynomial says: a code |
| lookup | table[code]: a code |

The *row* of a table is that of the im2col matrix, in the order channel, kh, kw; a table of one row
serves all. A window's sum is that over the kh*kw rows of one channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.check_fixed import BORDER_NUMBERS, RESCALES, check_fixed, code_range
from aquant_ref.integer.saturate import INT32_MIN

Array = NDArray[Any]
Shape = tuple[int, ...]

IMAGE = "image"
LARGEST_CODE = 2**16 - 1
NEVER = -(1 << 30)  # a lift that no window's sum of fusion reaches

CONVOLUTION = {"weight": ("int8", "int32"), "zero_point": ("int32",)}
# Arrays that an instruction carries, with the dtypes that each may have.
ARRAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "conv2d": CONVOLUTION,
    "border_conv2d": {**CONVOLUTION, "codes": ("uint8",)},
    "fused_conv2d": {**CONVOLUTION, "codes": ("uint8",), "lift": ("int32",), "fusion": ("int32",)},
    "linear": {"weight": ("int8", "int32"), "bias": ("int32",), "zero_point": ("int32",)},
    "add": {"multiplier_a": ("int64",), "multiplier_b": ("int64",)},
    "sum": {},
    "max_pool": {},
    "flatten": {},
    "threshold": {"thresholds": ("int64",)},
    "rescale": dict.fromkeys(("left", "bias", "multiplier", "shift"), ("int32",)),
    "rescale_float": {"left": ("int32",), "bias": ("int32",), "multiplier": ("float64",)},
    "plus": {},
    "border": {"coefficients": ("int32",), "lift": ("int32",)},
    "lookup": {"table": ("uint8",)},
}
# Attributes, with the least value of each; pairs are (vertical, horizontal).
PAIRS: dict[str, dict[str, int]] = {
    "conv2d": {"stride": 1, "padding": 0},
    "border_conv2d": {"stride": 1, "padding": 0},
    "fused_conv2d": {"stride": 1, "padding": 0},
    "max_pool": {"kernel": 1, "stride": 1, "padding": 0},
}
NUMBERS: dict[str, dict[str, int]] = {
    "conv2d": {"groups": 1},
    "border_conv2d": {"groups": 1, "zero_code": 0},
    "fused_conv2d": {"groups": 1, "zero_code": 0},
    "sum": {"positions": 1},
    "flatten": {"positions": 1},
    "border": dict.fromkeys(BORDER_NUMBERS, INT32_MIN),  # `check_fixed` is closer
}
TWO_INPUTS = ("add", "plus")
WINDOWED = ("border_conv2d", "fused_conv2d")
CONVOLUTIONS = ("conv2d", *WINDOWED)
MAKES_CODES = ("threshold", "border")  # the codes of a quantizer
READ_CODES = (*CONVOLUTIONS, "linear", "max_pool", "lookup")
PASS_CODES = ("max_pool", "flatten")
ANY_SHAPE = (*MAKES_CODES, *TWO_INPUTS, *RESCALES, "flatten", "lookup")
TABLES = {"border_conv2d": ("codes",), "fused_conv2d": ("codes", "lift", "fusion")}
TABLES["lookup"] = ("table",)


@dataclass(frozen=True)
class Instruction:
    """One step: tensor `name` is `op` of the tensors `inputs`."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


def check(input_shape: Shape, instructions: tuple[Instruction, ...]) -> None:
    """Raise ValueError, which names the instruction, unless these make a program that can be run.

    The last one must make the logits, with a linear layer.
    """
    _need("image", len(input_shape) == 3 and min(input_shape) >= 1, f"has shape {input_shape}")
    shapes: dict[str, Shape] = {IMAGE: input_shape}
    codes = {IMAGE: 255}  # the largest code of each tensor that holds codes
    for each in instructions:
        _need(each.name, each.name not in shapes, "is made twice")
        _need(each.name, each.op in ARRAYS, f"there is no operation {each.op!r}")
        _need(each.name, len(each.inputs) == (1 + (each.op in TWO_INPUTS)), "has too few inputs")
        for name in each.inputs:
            _need(each.name, name in shapes, f"reads {name!r} before it is made")
            _need(
                each.name,
                each.op not in READ_CODES or name in codes,
                f"reads {name!r}, which holds no codes",
            )
        _check_attributes(each)
        _check_arrays(each)
        check_fixed(each)
        shapes[each.name] = _shape(each, *(shapes[name] for name in each.inputs))
        if each.op in TABLES:
            _check_tables(each, codes[each.inputs[0]])
        if each.op == "threshold":
            codes[each.name] = each.arrays["thresholds"].shape[1]
        elif each.op == "border":
            codes[each.name] = code_range(each)[1]
        elif each.op == "lookup":
            codes[each.name] = int(each.arrays["table"].max())
        elif each.op in PASS_CODES and each.inputs[0] in codes:
            codes[each.name] = codes[each.inputs[0]]
    _need("program", bool(instructions) and instructions[-1].op == "linear", "makes no logits")


def _need(name: str, holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"{name}: {otherwise}")


def _check_attributes(each: Instruction) -> None:
    pairs, numbers = PAIRS.get(each.op, {}), NUMBERS.get(each.op, {})
    for key, least in {**pairs, **numbers}.items():
        given = each.attributes.get(key)
        values = given if key in pairs else [given]
        _need(
            each.name,
            isinstance(values, list | tuple)
            and len(values) == (2 if key in pairs else 1)
            and all(type(value) is int and value >= least for value in values),
            f"its {key} cannot be {given}",
        )


def _check_arrays(each: Instruction) -> None:
    for key, array in each.arrays.items():
        _need(
            each.name,
            array.dtype.name in ARRAYS[each.op][key],
            f"its {key} is {array.dtype}, not {' or '.join(ARRAYS[each.op][key])}",
        )
    for key in ("multiplier_a", "multiplier_b"):
        if key in each.arrays:
            _need(each.name, bool((each.arrays[key] > 0).all()), f"its {key} is not positive")
    if "zero_point" in each.arrays:
        zero_point = each.arrays["zero_point"]
        inside = (zero_point >= 0) & (zero_point <= LARGEST_CODE)
        _need(each.name, bool(inside.all()), "its zero_point is no code")


def _check_tables(each: Instruction, largest: int) -> None:
    """The tables of `each` have a row for each row of its im2col matrix, or one, and an entry for
    every code 0..largest; and no sum of a window leaves int32.
    """
    kernel: tuple[int, ...] = ()
    rows = 1
    if each.op in WINDOWED:
        weight = each.arrays["weight"]
        kernel = weight.shape[2:]
        rows = weight.shape[1] * each.attributes["groups"] * kernel[0] * kernel[1]
        zero_code = each.attributes["zero_code"]
        _need(each.name, zero_code <= largest, f"its zero_code cannot be {zero_code}")
    for key in TABLES[each.op]:
        shape = each.arrays[key].shape if each.op in WINDOWED else (1, *each.arrays[key].shape)
        _need(
            each.name,
            len(shape) == 2 and shape[0] in (1, rows) and shape[1] > largest,
            f"its {key} of shape {each.arrays[key].shape} has no entry for code {largest} in "
            f"{rows} rows",
        )
    if "fusion" in each.arrays:
        reached = int(abs(each.arrays["fusion"].astype(np.int64)).max()) * kernel[0] * kernel[1]
        _need(each.name, reached < -NEVER, f"the sum of its fusion can reach {reached}")
        below = int(each.arrays["codes"].max()) < 255
        _need(each.name, below, "its codes have no room to go up from 255")


def _shape(each: Instruction, shape: Shape, other: Shape = ()) -> Shape:
    """The shape of what `each` makes, once its arrays and attributes fit what it reads."""
    arrays, channels = each.arrays, shape[0]
    axes = {"linear": (1,)}.get(each.op, (1, 3) if each.op in ANY_SHAPE else (3,))
    _need(each.name, len(shape) in axes, f"cannot read a tensor of shape {shape}")
    if each.op in CONVOLUTIONS:
        weight, groups = arrays["weight"], each.attributes["groups"]
        _need(
            each.name,
            weight.ndim == 4
            and min(weight.shape) >= 1
            and weight.shape[1] * groups == channels
            and len(weight) % groups == 0,
            f"its weight {weight.shape} does not fit {channels} channels in {groups} groups",
        )
        _check_channels(each, channels, "zero_point")
        return (len(weight), *_window_sizes(each, shape, weight.shape[2:]))
    if each.op == "linear":
        weight = arrays["weight"]
        _need(
            each.name,
            weight.ndim == 2 and len(weight) >= 1 and weight.shape[1] == channels,
            f"its weight {weight.shape} does not fit {channels} inputs",
        )
        _check_channels(each, channels, "zero_point")
        _check_channels(each, len(weight), "bias")
        return (len(weight),)
    if each.op in TWO_INPUTS:
        _need(each.name, shape == other, f"its inputs have shapes {shape} and {other}")
        _check_channels(each, channels, *ARRAYS[each.op])
        return shape
    if each.op in RESCALES:
        _check_channels(each, channels, *ARRAYS[each.op])
        return shape
    if each.op == "border":
        rows = len(each.arrays["coefficients"])
        _need(each.name, rows in (1, channels), f"has {rows} rows for {channels} channels")
        return shape
    if each.op == "max_pool":
        return (channels, *_window_sizes(each, shape, tuple(each.attributes["kernel"])))
    if each.op == "threshold":
        return _threshold_shape(each, shape)
    if each.op == "lookup":
        return shape
    positions = int(np.prod(shape[1:], dtype=np.int64))  # sum, flatten
    _need(each.name, each.attributes["positions"] == positions, f"has {positions} positions")
    return (channels, 1, 1) if each.op == "sum" else (channels * positions,)


def _check_channels(each: Instruction, channels: int, *keys: str) -> None:
    for key in keys:
        shape = each.arrays[key].shape
        _need(each.name, shape == (channels,), f"its {key} has shape {shape}, needs ({channels},)")


def _window_sizes(each: Instruction, shape: Shape, kernel: Shape) -> Shape:
    sizes = tuple(
        (size + 2 * padding - k) // stride + 1
        for size, k, stride, padding in zip(
            shape[1:], kernel, each.attributes["stride"], each.attributes["padding"], strict=True
        )
    )
    _need(each.name, min(sizes) >= 1, f"a window of {kernel} does not fit {shape}")
    return sizes


def _threshold_shape(each: Instruction, shape: Shape) -> Shape:
    thresholds = each.arrays["thresholds"]
    _need(
        each.name,
        thresholds.ndim == 2
        and len(thresholds) == shape[0]
        and 1 <= thresholds.shape[1] <= LARGEST_CODE,
        f"its thresholds {thresholds.shape} do not fit {shape[0]} channels",
    )
    _need(
        each.name,
        bool((thresholds[:, 1:] >= thresholds[:, :-1]).all()),
        "thresholds are not sorted",
    )
    return shape
