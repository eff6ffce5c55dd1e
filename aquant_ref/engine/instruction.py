"""The instructions of an integer program: what each carries, what it takes and what it makes.

Tensors are NCHW; `image` is uint8. Each instruction makes the tensor `name`:

| op | gives |
|---|---|
| conv2d | sum of weight * (code - zero_point) over the window, 0 for padding: an accumulator |
| border_conv2d | the same of wide codes u, padded with zero_code: code = codes[row, u] |
| fused_conv2d | the same, one more where lift[row, u] >= the window's sum of fusion[row, u] |
| linear | sum of weight * (code - zero_point) + bias: an accumulator |
| add | multiplier_a * a + multiplier_b * b, per channel, in int64 |
| sum | factor, one a position, * sum of (code - zero_point) over the window: an accumulator |
| max_pool | maximum over the window |
| concat | the channels of all inputs, codes or not, one after the other |
| flatten | (N, C, H, W) -> (N, C*H*W) |
| threshold | least + how many of the channel's sorted thresholds are <= the integer: a code |
| lookup | table[code]: a code |
| rescale | T = (x * 2^left + bias) * multiplier * 2^-shift, rounded by the profile, in int32 |
| rescale_float | T = (x * 2^left + bias) * multiplier in the profile's floating point, rounded |
| plus | a + b, in int32 |
| border | T clipped, then its floor or one more, as the border's polynomial says: a code |

Pairs are (vertical, horizontal); padding is ((top, bottom), (left, right)), and in a sum 0, in a
maximum never the largest. Codes are of the first type that holds them all, uint8 or uint16, or int8
or int16 where the least one is negative.

The *row* of a table is that of the im2col matrix, in the order channel, kh, kw; a table of one row
serves all. A window's sum is that over the kh*kw rows of one channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import instance, integer, is_array, shown
from aquant_ref.engine.validate_fixed_point import (
    BORDER_NUMBERS,
    RESCALES,
    check_fixed,
    code_range,
)
from aquant_ref.engine.windows import Windows
from aquant_ref.errors import InputError, unknown
from aquant_ref.formats.native import check_name
from aquant_ref.integer import geometry

Array = NDArray[Any]
Shape = tuple[int, ...]

IMAGE = "image"
LEAST_CODE, LARGEST_CODE = -(2**15), 2**16 - 1
NEVER_LIFT = -(1 << 30)  # a lift that no window's sum of fusion reaches

CONVOLUTION = {"weight": ("int8", "int32"), "zero_point": ("int32",)}
# Arrays that an instruction carries, with the dtypes that each may have.
ARRAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "conv2d": CONVOLUTION,
    "border_conv2d": {**CONVOLUTION, "codes": ("uint8",)},
    "fused_conv2d": {**CONVOLUTION, "codes": ("uint8",), "lift": ("int32",), "fusion": ("int32",)},
    "linear": {"weight": ("int8", "int32"), "bias": ("int32",), "zero_point": ("int32",)},
    "add": {"multiplier_a": ("int64",), "multiplier_b": ("int64",)},
    "sum": {"zero_point": ("int32",), "factor": ("int32",)},
    "max_pool": {},
    "concat": {},
    "flatten": {},
    "threshold": {"thresholds": ("int64",)},
    "lookup": {"table": ("uint8",)},
    "rescale": dict.fromkeys(("left", "bias", "multiplier", "shift"), ("int32",)),
    "rescale_float": {"left": ("int32",), "bias": ("int32",), "multiplier": ("float64",)},
    "plus": {},
    "border": {"coefficients": ("int32",), "lift": ("int32",)},
}
# Attributes. Of windows: pairs of at least 1, and the padding.
WINDOWS: dict[str, tuple[str, ...]] = {
    "conv2d": ("stride", "dilation"),
    "border_conv2d": ("stride", "dilation"),
    "fused_conv2d": ("stride", "dilation"),
    "max_pool": ("kernel", "stride", "dilation"),
    "sum": ("kernel", "stride", "dilation"),
}
NUMBERS: dict[str, dict[str, int]] = {  # with the least value of each
    "conv2d": {"groups": 1},
    "border_conv2d": {"groups": 1, "zero_code": 0},
    "fused_conv2d": {"groups": 1, "zero_code": 0},
    "flatten": {"positions": 1},
    "threshold": {"least": LEAST_CODE},
}
TWO_INPUTS = ("add", "plus")
MAKES_CODES = ("threshold", "border")  # the codes of a quantizer
WINDOWED = ("border_conv2d", "fused_conv2d")
CONVOLUTIONS = ("conv2d", *WINDOWED)
READ_CODES = (*CONVOLUTIONS, "linear", "max_pool", "sum", "lookup")
PASS_CODES = ("max_pool", "flatten", "concat")
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


def check(
    input_shape: Shape, instructions: tuple[Instruction, ...], *, part: bool = False
) -> dict[str, Shape]:
    """Raise InputError, which names the instruction, unless these make a program that can be run.

    The last one must make the logits, with a linear layer, but in a `part` of a program. Returns
    the shapes of all tensors, the batch axis left out.
    """
    if not isinstance(instructions, tuple):
        raise InputError(f"program: needs a tuple of instructions, got {shown(instructions)}")
    for each in instructions:
        instance("instruction", each, Instruction)
    _check_image(input_shape)
    shapes: dict[str, Shape] = {IMAGE: input_shape}
    codes = {IMAGE: (0, 255)}  # the range of the codes of each tensor that holds some
    for each in instructions:
        check_name(each.name, "instruction")
        _need(each.name, each.name not in shapes, "is made twice")
        known = isinstance(each.op, str) and each.op in ARRAYS
        _need(each.name, known, unknown("operation", each.op, ARRAYS))
        _need(each.name, _inputs_fit(each), f"cannot have the inputs {shown(each.inputs)}")
        for name in each.inputs:
            check_name(name, f"{each.name}: input")
            _need(each.name, name in shapes, f"reads {name!r} before it is made")
            _need(
                each.name,
                each.op not in READ_CODES or name in codes,
                f"reads {name!r}, which holds no codes",
            )
        _check_attributes(each)
        _check_arrays(each)
        check_fixed(each)
        shape = shape_of(each, *(shapes[name] for name in each.inputs))
        fits = prod(shape) <= geometry.LARGEST_TENSOR and shape[0] <= geometry.LARGEST_CHANNELS
        _need(each.name, fits, f"is too large, {shape}")
        shapes[each.name] = shape
        if each.op in TABLES:
            _check_tables(each, *codes[each.inputs[0]])
        if each.op == "threshold":
            least = each.attributes["least"]
            codes[each.name] = least, least + each.arrays["thresholds"].shape[1]
        elif each.op == "border":
            codes[each.name] = code_range(each)
        elif each.op == "lookup":
            codes[each.name] = 0, int(each.arrays["table"].max())
        elif each.op in PASS_CODES and codes.keys() >= set(each.inputs):
            leasts, largests = zip(*(codes[name] for name in each.inputs), strict=True)
            codes[each.name] = min(leasts), max(largests)
    if not part or not instructions:
        _need("program", bool(instructions) and instructions[-1].op == "linear", "makes no logits")
    return shapes


def _check_image(shape: Any) -> None:
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise InputError(f"image: has shape {shown(shape)}, needs (C, H, W)")
    for size in shape:
        integer("image: its shape", size, 1, geometry.LARGEST_TENSOR)
    fits = prod(shape) <= geometry.LARGEST_TENSOR and shape[0] <= geometry.LARGEST_CHANNELS
    _need("image", fits, f"is too large, {shape}")


def _need(name: str, holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(f"{name}: {otherwise}")


@contextmanager
def _named(each: Instruction) -> Iterator[None]:
    """Put the name of `each` before what is wrong with its windows."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{each.name}: {error}") from error


def code_type(least: int, largest: int) -> str | None:
    """The dtype that codes least..largest are stored in; None if there is none.

    Spec: AQ-AFFINE-5.
    """
    for name in ("int8", "int16") if least < 0 else ("uint8", "uint16"):
        if np.iinfo(name).min <= least and largest <= np.iinfo(name).max:
            return name
    return None


def _inputs_fit(each: Instruction) -> bool:
    if not isinstance(each.inputs, tuple):
        return False
    if each.op == "concat":
        return len(each.inputs) >= 2
    return len(each.inputs) == (2 if each.op in TWO_INPUTS else 1)


def attributes_of(op: str) -> frozenset[str]:
    """The names of all attributes that an instruction has."""
    windows = (*WINDOWS[op], "padding") if op in WINDOWS else ()
    rest = ("profile",) if op in RESCALES else BORDER_NUMBERS if op == "border" else ()
    return frozenset((*NUMBERS.get(op, ()), *windows, *rest))


def _check_attributes(each: Instruction) -> None:
    _need(each.name, isinstance(each.attributes, Mapping), "its attributes are no mapping")
    has = attributes_of(each.op)
    for key in each.attributes:
        known = ", ".join(sorted(has)) or "none"
        _need(each.name, key in has, f"{each.op} has no attribute {shown(key)}; it has {known}")
    checks: list[tuple[str, int, Callable[[Any], Any]]] = [
        (key, 0, partial(geometry.whole, key, least=least))
        for key, least in NUMBERS.get(each.op, {}).items()
    ]
    if each.op in WINDOWS:
        checks += [(key, 1, partial(geometry.pair, key)) for key in WINDOWS[each.op]]
        checks.append(("padding", 2, geometry.sides))
    for key, depth, check_value in checks:
        given = each.attributes.get(key)
        try:
            check_value(given)
            fits = _is_plain(given, depth)
        except InputError:
            fits = False
        _need(each.name, fits, f"its {key} cannot be {shown(given)}")


def _is_plain(value: Any, depth: int) -> bool:
    """Whether this is an integer, or `depth` times a list of them, as a program file has it."""
    if depth == 0:
        return type(value) is int
    return isinstance(value, list | tuple) and all(_is_plain(each, depth - 1) for each in value)


def _check_arrays(each: Instruction) -> None:
    instance(f"{each.name}: arrays", each.arrays, Mapping)
    for key in sorted(ARRAYS[each.op].keys() ^ each.arrays.keys(), key=str):
        state = "not one of its" if key in each.arrays else "missing"
        _need(each.name, False, f"array {shown(key)} is {state}")
    for key, array in each.arrays.items():
        _need(each.name, is_array(array), f"its {key} is {shown(array)}, not an array")
        _need(
            each.name,
            array.dtype.name in ARRAYS[each.op][key],
            f"its {key} is {array.dtype}, not {' or '.join(ARRAYS[each.op][key])}",
        )
    for key in ("multiplier_a", "multiplier_b", "factor"):
        if key in each.arrays:
            _need(each.name, bool((each.arrays[key] > 0).all()), f"its {key} is not positive")
    if "zero_point" in each.arrays:
        zero_point = each.arrays["zero_point"]
        inside = (zero_point >= LEAST_CODE) & (zero_point <= LARGEST_CODE)
        _need(each.name, bool(inside.all()), "its zero_point is no code")


def _check_tables(each: Instruction, least: int, largest: int) -> None:
    """The tables of `each` have a row for each row of its im2col matrix, or one, and an entry for
    every code least..largest, none negative; and no sum of a window leaves int32.
    """
    _need(each.name, least >= 0, f"its tables have no entry for code {least}")
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
        _need(each.name, reached < -NEVER_LIFT, f"the sum of its fusion can reach {reached}")
        below = int(each.arrays["codes"].max()) < 255
        _need(each.name, below, "its codes have no room to go up from 255")


def shape_of(each: Instruction, shape: Shape, *others: Shape) -> Shape:
    """The shape (C, H, W) or (C,) of what `each` makes of tensors of such shapes.

    Raises InputError, which names the instruction, where its arrays or attributes do not fit them.
    """
    arrays, channels = each.arrays, shape[0]
    axes = (1,) if each.op == "linear" else (3,) if each.op in WINDOWS else (1, 3)
    _need(each.name, len(shape) in axes, f"cannot read a tensor of shape {shape}")
    if each.op in CONVOLUTIONS:
        weight, groups = arrays["weight"], each.attributes["groups"]
        with _named(each):
            geometry.check_groups(channels, weight.shape, groups)
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
        _need(each.name, (shape,) == others, f"its inputs have shapes {shape} and {others[0]}")
        _check_channels(each, channels, *ARRAYS[each.op])
        return shape
    if each.op in RESCALES:
        _check_channels(each, channels, *ARRAYS[each.op])
        return shape
    if each.op == "border":
        rows = len(each.arrays["coefficients"])
        _need(each.name, rows in (1, channels), f"has {rows} rows for {channels} channels")
        return shape
    if each.op == "concat":
        fit = all(other[1:] == shape[1:] for other in others)
        _need(each.name, fit, f"its inputs have shapes {(shape, *others)}")
        return (channels + sum(other[0] for other in others), *shape[1:])
    if each.op in ("max_pool", "sum"):
        return _pool_shape(each, shape)
    if each.op == "threshold":
        return _threshold_shape(each, shape)
    if each.op == "lookup":
        return shape
    positions = prod(shape[1:])  # flatten
    _need(each.name, each.attributes["positions"] == positions, f"has {positions} positions")
    return (channels * positions,)


def _pool_shape(each: Instruction, shape: Shape) -> Shape:
    sizes = _window_sizes(each, shape)
    met = Windows.of(each.attributes).counts(shape[1:])
    _need(each.name, bool(met.all()), "has a window that meets nothing but padding")
    if each.op == "sum":
        _check_channels(each, shape[0], "zero_point")
        factor = each.arrays["factor"]
        _need(each.name, factor.shape == sizes, f"its factor has shape {factor.shape}, not {sizes}")
    return (shape[0], *sizes)


def _check_channels(each: Instruction, channels: int, *keys: str) -> None:
    for key in keys:
        shape = each.arrays[key].shape
        _need(each.name, shape == (channels,), f"its {key} has shape {shape}, needs ({channels},)")


def _window_sizes(each: Instruction, shape: Shape, kernel: Shape | None = None) -> Shape:
    where = each.attributes
    with _named(each):
        return geometry.sizes(
            shape,
            where["kernel"] if kernel is None else kernel,
            *(where[key] for key in ("stride", "padding", "dilation")),
        )


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
    least, count = each.attributes["least"], thresholds.shape[1]
    _need(
        each.name,
        code_type(least, least + count) is not None,
        f"its least cannot be {least} with {count} thresholds",
    )
    return shape
