"""The meaning of an integer program, in plain int64: one short function an instruction.

This is the definition that the fast engine has to meet byte for byte, and property tests hold it to
that. PROGRAM.md states the same formulas for those who write an interpreter in another language.

A tensor is an int64 array (N, C, H, W), or (N, C) after `flatten` and `linear`. Nothing is checked
here and nothing can wrap: `engine.validate` refuses, before any image, a program that could leave
its types. No step computes in floating point: even `rescale_float`, which reproduces engines that
do, works on the binary digits of their floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.engine.float_product import float_products
from aquant_ref.engine.instruction import IMAGE, Instruction, code_type
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.integer import scale_accumulator
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.typing import Array, Integers, Pixels

if TYPE_CHECKING:
    from aquant_ref.engine.program import Program

FUNCTIONS: dict[str, Callable[..., Integers]] = {}  # by the name of their instruction


def run(program: Program, images: Pixels) -> dict[str, Integers]:
    """Compute the codes of every quantizer and the logits, by name, for uint8 images (N, C, H, W).

    Spec: AQ-LOWER.
    """
    tensors: dict[str, Integers] = {IMAGE: images}
    for each in program.instructions:
        tensors[each.name] = apply(each, [tensors[name] for name in each.inputs])
    return {name: tensors[name] for name in program.recorded}


def apply(each: Instruction, inputs: list[Integers]) -> Integers:
    """Compute one instruction; codes and logits come in the types that a program stores them in."""
    made = FUNCTIONS[each.op](each, *(tensor.astype(np.int64) for tensor in inputs))
    stored = OPERATIONS[each.op].stored
    if stored is not None:
        return made.astype(code_type(*stored(each)))
    return made.astype(np.int32) if each.op == "linear" else made


def _instruction(function: Callable[..., Integers]) -> Callable[..., Integers]:
    FUNCTIONS[function.__name__.strip("_")] = function
    return function


@_instruction
def _conv2d(each: Instruction, x: Integers) -> Integers:
    return _products(each, _windows(each, _centred(each, x)))


@_instruction
def _border_conv2d(each: Instruction, u: Integers) -> Integers:
    u = _windows(each, u, fill=each.attributes["zero_code"])
    return _products(each, _centred(each, _entries(each, "codes", u)))


@_instruction
def _fused_conv2d(each: Instruction, u: Integers) -> Integers:
    u = _windows(each, u, fill=each.attributes["zero_code"])
    total = _entries(each, "fusion", u).sum(axis=(2, 3), keepdims=True)  # of each channel's window
    codes = _entries(each, "codes", u) + (_entries(each, "lift", u) >= total)
    return _products(each, _centred(each, codes))


@_instruction
def _feedback_conv2d(each: Instruction, u: Integers) -> Integers:
    """Spec: AQ-FEEDBACK-4."""
    u = _windows(each, u, fill=each.attributes["zero_code"])
    groups, step = each.attributes["groups"], 1 << each.attributes["error_bits"]
    rows = (len(u), groups, -1, u.shape[4] * u.shape[5])
    codes, lift, error = (
        _entries(each, key, u).reshape(rows) for key in ("codes", "lift", "error")
    )
    directions, pull = (_wide(each, key)[..., None] for key in ("directions", "pull"))
    total = np.zeros((len(u), *directions.shape[:2], rows[3]), np.int64)  # what a window keeps
    for i in range(codes.shape[2]):
        up = lift[:, :, i] >= (pull[:, :, i] * total).sum(axis=2)
        codes[:, :, i] += up
        total += directions[:, :, i] * (error[:, :, i] + step * up)[:, :, None]
    return _products(each, _centred(each, codes.reshape(u.shape)))


@_instruction
def _linear(each: Instruction, x: Integers) -> Integers:
    return _centred(each, x) @ _wide(each, "weight").T + _wide(each, "bias")


@_instruction
def _add(each: Instruction, a: Integers, b: Integers) -> Integers:
    return _per_channel(each, "multiplier_a", a) * a + _per_channel(each, "multiplier_b", b) * b


@_instruction
def _plus(_each: Instruction, a: Integers, b: Integers) -> Integers:
    return a + b


@_instruction
def _mul(each: Instruction, a: Integers, b: Integers) -> Integers:
    zero_a, zero_b = (_per_channel(each, key, a) for key in ("zero_point_a", "zero_point_b"))
    return (a - zero_a) * (b - zero_b)


@_instruction
def _sum(each: Instruction, x: Integers) -> Integers:
    return _windows(each, _centred(each, x)).sum(axis=(2, 3)) * _wide(each, "factor")


@_instruction
def _max_pool(each: Instruction, x: Integers) -> Integers:
    return _windows(each, x, fill=np.iinfo(np.int64).min).max(axis=(2, 3))


@_instruction
def _concat(_each: Instruction, *inputs: Integers) -> Integers:
    return np.concatenate(inputs, axis=1)


@_instruction
def _flatten(_each: Instruction, x: Integers) -> Integers:
    return x.reshape(len(x), -1)


@_instruction
def _threshold(each: Instruction, acc: Integers) -> Integers:
    reached = np.empty_like(acc)
    for channel, thresholds in enumerate(each.arrays["thresholds"]):
        reached[:, channel] = np.searchsorted(thresholds, acc[:, channel], side="right")
    return reached + each.attributes["least"]


@_instruction
def _lookup(each: Instruction, x: Integers) -> Integers:
    return _wide(each, "table")[x]


@_instruction
def _rescale(each: Instruction, x: Integers) -> Integers:
    multiplier, shift = _per_channel(each, "multiplier", x), _per_channel(each, "shift", x)
    profile = each.attributes["profile"]
    t = scale_accumulator(_with_bias(each, x), multiplier, shift, profile=profile)
    return np.clip(t, INT32_MIN, INT32_MAX)


@_instruction
def _rescale_float(each: Instruction, x: Integers) -> Integers:
    multiplier = _column(each.arrays["multiplier"], x)
    t = float_products(_with_bias(each, x), multiplier, each.attributes["profile"])
    return np.clip(t, INT32_MIN, INT32_MAX)


@_instruction
def _border(each: Instruction, x: Integers) -> Integers:
    """Spec: AQ-FIXED-9."""
    number = each.attributes
    t = np.clip(x, number["low"], number["high"])
    tau = (t * number["multiplier"]) >> number["shift"]
    c0, c1, c2 = (_column(row, t) for row in _wide(each, "coefficients").T)
    polynomial = (((((c2 * tau) >> 15) + c1) * tau) >> 15) + c0
    whole = t >> number["fraction_bits"]
    fraction = t - (whole << number["fraction_bits"])
    return whole + number["zero_point"] + (_wide(each, "lift")[fraction] >= polynomial)


def _wide(each: Instruction, key: str) -> Integers:
    return each.arrays[key].astype(np.int64)


def _column(values: Array, x: Integers) -> Array:
    """Shape one value a channel to broadcast against x (N, C, ...)."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def _per_channel(each: Instruction, key: str, x: Integers) -> Integers:
    return _column(_wide(each, key), x)


def _centred(each: Instruction, x: Integers) -> Integers:
    """Subtract the zero point of each channel; padding holds 0 afterwards."""
    return x - _per_channel(each, "zero_point", x)


def _with_bias(each: Instruction, x: Integers) -> Integers:
    return (x << _per_channel(each, "left", x)) + _per_channel(each, "bias", x)


def _windows(each: Instruction, x: Integers, fill: int = 0) -> Integers:
    """Make the im2col tensor (N, C, kh, kw, OH, OW) of x (N, C, H, W), padded with `fill`."""
    number = each.attributes
    kh, kw = each.arrays["weight"].shape[2:] if "weight" in each.arrays else number["kernel"]
    (sh, sw), (dh, dw) = number["stride"], number["dilation"]
    x = np.pad(x, ((0, 0), (0, 0), *number["padding"]), constant_values=fill)
    height = (x.shape[2] - (kh - 1) * dh - 1) // sh + 1
    width = (x.shape[3] - (kw - 1) * dw - 1) // sw + 1
    windows = np.empty((*x.shape[:2], kh, kw, height, width), np.int64)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dh, i * dh + (height - 1) * sh + 1, sh)
            columns = slice(j * dw, j * dw + (width - 1) * sw + 1, sw)
            windows[:, :, i, j] = x[:, :, rows, columns]
    return windows


def _entries(each: Instruction, key: str, u: Integers) -> Integers:
    """Look up table[row, u]; the rows of an im2col tensor are in the order channel, kh, kw."""
    table = _wide(each, key)
    rows = u.reshape(len(u), -1, u.shape[4] * u.shape[5])
    row = np.arange(rows.shape[1])[:, None] if len(table) > 1 else 0
    return table[row, rows].reshape(u.shape)


def _products(each: Instruction, windows: Integers) -> Integers:
    """Make the accumulators (N, O, OH, OW): in each group the weights times the im2col matrix."""
    weight, groups = _wide(each, "weight"), each.attributes["groups"]
    n, *_, height, width = windows.shape
    matrix = windows.reshape(n, groups, -1, height * width)
    made = weight.reshape(groups, len(weight) // groups, -1) @ matrix
    return made.reshape(n, len(weight), height, width)
