"""The meaning of an integer program, in plain int64: one short function an instruction.

This is the definition that the fast engine has to meet byte for byte, and property tests hold it to
that. PROGRAM.md states the same formulas for those who write an interpreter in another language.

A tensor is an int64 array (N, C, H, W), or (N, C) after `flatten` and `linear`. Nothing is checked
here and nothing can wrap: `Program` and `engine.bounds` refuse, before any image, a program that
could leave its types. No step computes in floating point: `rescale_float`, which reproduces engines
that do, works on the binary digits of their floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.instruction import IMAGE, Instruction, code_type
from aquant_ref.engine.program import Program
from aquant_ref.integer import scale_accumulator
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN

Array = NDArray[Any]

DIGITS = {"float32": 24, "float64": 53}  # binary digits of a significand


def run(program: Program, images: Array) -> dict[str, Array]:
    """Compute the codes of every quantizer and the logits, by name, for uint8 images (N, C, H, W).

    Spec: AQ-LOWER.
    """
    tensors = {IMAGE: images}
    for each in program.instructions:
        tensors[each.name] = apply(each, [tensors[name] for name in each.inputs])
    return {name: tensors[name] for name in program.recorded}


def apply(each: Instruction, inputs: list[Array]) -> Array:
    """Compute one instruction; codes and logits come in the types that a program stores them in."""
    made = FUNCTIONS[each.op](each, *(tensor.astype(np.int64) for tensor in inputs))
    return made.astype(_stored_type(each))


def _stored_type(each: Instruction) -> Any:
    if each.op == "threshold":
        least = each.attributes["least"]
        return code_type(least, least + each.arrays["thresholds"].shape[1])
    if each.op == "border":
        return code_type(each.attributes["least"], each.attributes["largest"])
    return np.int32 if each.op == "linear" else np.int64


def _conv2d(each: Instruction, x: Array) -> Array:
    return _products(each, _windows(each, _centred(each, x)))


def _border_conv2d(each: Instruction, u: Array) -> Array:
    u = _windows(each, u, fill=each.attributes["zero_code"])
    return _products(each, _centred(each, _entries(each, "codes", u)))


def _fused_conv2d(each: Instruction, u: Array) -> Array:
    u = _windows(each, u, fill=each.attributes["zero_code"])
    total = _entries(each, "fusion", u).sum(axis=(2, 3), keepdims=True)  # of each channel's window
    codes = _entries(each, "codes", u) + (_entries(each, "lift", u) >= total)
    return _products(each, _centred(each, codes))


def _linear(each: Instruction, x: Array) -> Array:
    return np.asarray(_centred(each, x) @ _wide(each, "weight").T + _wide(each, "bias"))


def _add(each: Instruction, a: Array, b: Array) -> Array:
    one, other = (_per_channel(each, key, a) for key in ("multiplier_a", "multiplier_b"))
    return np.asarray(one * a + other * b)


def _sum(each: Instruction, x: Array) -> Array:
    total = _windows(each, _centred(each, x)).sum(axis=(2, 3))
    return np.asarray(total * _wide(each, "factor"))


def _max_pool(each: Instruction, x: Array) -> Array:
    return np.asarray(_windows(each, x, fill=np.iinfo(np.int64).min).max(axis=(2, 3)))


def _concat(each: Instruction, *inputs: Array) -> Array:
    return np.concatenate(inputs, axis=1)


def _flatten(each: Instruction, x: Array) -> Array:
    return x.reshape(len(x), -1)


def _threshold(each: Instruction, acc: Array) -> Array:
    codes = np.empty_like(acc)
    for channel, thresholds in enumerate(each.arrays["thresholds"]):
        codes[:, channel] = np.searchsorted(thresholds, acc[:, channel], side="right")
    return codes + each.attributes["least"]


def _lookup(each: Instruction, x: Array) -> Array:
    return _wide(each, "table")[x]


def _rescale(each: Instruction, x: Array) -> Array:
    acc = (x << _per_channel(each, "left", x)) + _per_channel(each, "bias", x)
    multiplier, profile = _per_channel(each, "multiplier", x), each.attributes["profile"]
    shift = _per_channel(each, "shift", x)
    return np.clip(scale_accumulator(acc, multiplier, shift, profile=profile), INT32_MIN, INT32_MAX)


def _rescale_float(each: Instruction, x: Array) -> Array:
    acc = (x << _per_channel(each, "left", x)) + _per_channel(each, "bias", x)
    rescale = np.frompyfunc(_float_product, 3, 1)
    made = rescale(acc, _per_channel(each, "multiplier", x), each.attributes["profile"])
    return np.clip(made, INT32_MIN, INT32_MAX).astype(np.int64)


def _float_product(acc: int, multiplier: float, profile: str) -> int:
    """Multiply in the profile's float type and round the product to an integer.

    Spec: AQ-FIXED-5, AQ-FIXED-6.
    """
    digits, (numerator, denominator) = DIGITS[profile], multiplier.as_integer_ratio()
    product = _significant(_significant(acc, digits) * _significant(numerator, digits), digits)
    binary_places = denominator.bit_length() - 1
    if profile == "float32":
        return _half_even(product, binary_places)
    away = (abs(product) + (denominator >> 1)) >> binary_places  # a tie goes away from zero
    return away if product >= 0 else -away


def _significant(value: int, digits: int) -> int:
    """Round an integer to so many binary digits, ties to even, as a conversion to float does."""
    dropped = max(abs(value).bit_length() - digits, 0)
    return _half_even(value, dropped) << dropped


def _half_even(value: int, places: int) -> int:
    """Divide an integer by 2^places and round, ties to even."""
    if places == 0:
        return value
    odd = value >> places & 1
    return (value + (1 << places - 1) - 1 + odd) >> places


def _plus(each: Instruction, a: Array, b: Array) -> Array:
    return np.asarray(a + b)


def _border(each: Instruction, x: Array) -> Array:
    """Spec: AQ-FIXED-9."""
    number = each.attributes
    t = np.clip(x, number["low"], number["high"])
    tau = (t * number["multiplier"]) >> number["shift"]
    b0, b1, b2 = (_column(row, t) for row in _wide(each, "coefficients").T)
    polynomial = (((((b2 * tau) >> 15) + b1) * tau) >> 15) + b0
    whole = t >> number["fraction_bits"]
    fraction = t - (whole << number["fraction_bits"])
    return np.asarray(whole + (_wide(each, "lift")[fraction] >= polynomial) + number["zero_point"])


def _wide(each: Instruction, key: str) -> Array:
    return each.arrays[key].astype(np.int64)


def _column(values: Array, x: Array) -> Array:
    """Shape one value a channel to broadcast against x (N, C, ...)."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def _per_channel(each: Instruction, key: str, x: Array) -> Array:
    array = each.arrays[key]
    return _column(array if array.dtype.kind == "f" else _wide(each, key), x)


def _centred(each: Instruction, x: Array) -> Array:
    """Subtract the zero point of each channel; padding holds 0 afterwards."""
    return np.asarray(x - _per_channel(each, "zero_point", x))


def _windows(each: Instruction, x: Array, fill: int = 0) -> Array:
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


def _entries(each: Instruction, key: str, u: Array) -> Array:
    """Look up table[row, u]; the rows of an im2col tensor are in the order channel, kh, kw."""
    table = _wide(each, key)
    rows = u.reshape(len(u), -1, u.shape[4] * u.shape[5])
    row = np.arange(rows.shape[1])[:, None] if len(table) > 1 else 0
    return table[row, rows].reshape(u.shape)


def _products(each: Instruction, windows: Array) -> Array:
    """Make the accumulators (N, O, OH, OW): in each group the weights times the im2col matrix."""
    weight, groups = _wide(each, "weight"), each.attributes["groups"]
    n, *_, height, width = windows.shape
    matrix = windows.reshape(n, groups, -1, height * width)
    made = weight.reshape(groups, len(weight) // groups, -1) @ matrix
    return made.reshape(n, len(weight), height, width)


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "conv2d": _conv2d,
    "border_conv2d": _border_conv2d,
    "fused_conv2d": _fused_conv2d,
    "linear": _linear,
    "add": _add,
    "sum": _sum,
    "max_pool": _max_pool,
    "concat": _concat,
    "flatten": _flatten,
    "threshold": _threshold,
    "lookup": _lookup,
    "rescale": _rescale,
    "rescale_float": _rescale_float,
    "plus": _plus,
    "border": _border,
}
