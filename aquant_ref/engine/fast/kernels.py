"""The instructions that there is a faster way to compute than the plain one, by name.

An instruction that is not here is computed by the interpreter. Nothing is checked: that is done
with the whole program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aquant_ref.engine import interpreter
from aquant_ref.engine.fast.fixed_point import border, plus, rescale
from aquant_ref.engine.fast.per_channel import per_channel
from aquant_ref.engine.fast.product import by_rows, product, product_by_rows
from aquant_ref.engine.fast.step import FEW, Step
from aquant_ref.engine.fast.tables import rounded
from aquant_ref.engine.instruction import Instruction, code_type
from aquant_ref.engine.windows import Windows
from aquant_ref.typing import Codes, Integers


def apply(step: Step, inputs: Sequence[Integers]) -> Integers:
    """Compute one instruction from tensors (N, C, ...). Spec: AQ-LOWER."""
    kernel = KERNELS.get(step.instruction.op)
    if kernel is None:
        return interpreter.apply(step.instruction, list(inputs))
    return kernel(step, *inputs)


def _centred(x: Codes, each: Instruction) -> Codes:
    """Subtract the zero point of each channel; padding is 0 afterwards."""
    zero_point = each.arrays["zero_point"]
    if not zero_point.any():
        return x
    return x.astype(np.int32) - per_channel(zero_point, x.shape)


def _conv2d(step: Step, x: Codes) -> Integers:
    each, pair = step.instruction, step.pair
    weight, windows = each.arrays["weight"], Windows.of(each)
    x = _centred(x, each)
    rows = by_rows(weight, each.attributes)
    columns: Integers = x if rows else windows.columns(x)
    columns = columns if pair is None else pair.pack(columns)
    if rows:
        acc: Integers = product_by_rows(weight, columns, windows, step.kind)
    else:
        acc = _by_columns(weight, columns, each.attributes["groups"], step.kind)
    return acc if pair is None else pair.unpack(acc, len(x))


def _bordered_conv2d(step: Step, u: Codes) -> Integers:
    each = step.instruction
    columns = Windows.of(each).columns(u, fill=each.attributes["zero_code"])
    codes = _centred(rounded(columns, each), each)
    return _by_columns(each.arrays["weight"], codes, each.attributes["groups"], step.kind)


def _by_columns(weight: Codes, columns: Codes, groups: int, kind: str) -> Integers:
    """Convolve as a product with the im2col matrix (n, C, kh, kw, OH, OW)."""
    n, out_shape = len(columns), columns.shape[4:]
    columns = columns.reshape(n, groups, -1, out_shape[0] * out_shape[1])
    acc = product(weight.reshape(groups, len(weight) // groups, -1), columns, kind)
    return acc.reshape(n, len(weight), *out_shape)


def _linear(step: Step, x: Codes) -> Integers:
    each = step.instruction
    acc = product(each.arrays["weight"], _centred(x, each)[:, :, None], step.kind)
    return acc[:, :, 0] + each.arrays["bias"]


def _add(step: Step, one: Integers, other: Integers) -> Integers:
    arrays = step.instruction.arrays
    a, b = (per_channel(arrays[key], one.shape) for key in ("multiplier_a", "multiplier_b"))
    total = one * a
    total += other * b
    return total


def _sum(step: Step, x: Codes) -> Integers:
    each = step.instruction
    columns = Windows.of(each).columns(_centred(x, each))
    return columns.sum(axis=(2, 3), dtype=np.int32) * each.arrays["factor"]


def _max_pool(step: Step, x: Codes) -> Codes:
    # no code is below the least integer of its type, so that padding never wins over a pixel
    columns = Windows.of(step.instruction).columns(x, fill=int(np.iinfo(x.dtype).min))
    return columns.max(axis=(2, 3))


def _concat(_step: Step, *inputs: Integers) -> Integers:
    return np.concatenate(inputs, axis=1)


def _flatten(_step: Step, x: Integers) -> Integers:
    return x.reshape(len(x), -1)


def _lookup(step: Step, x: Codes) -> Codes:
    return step.instruction.arrays["table"].take(x)


def _threshold(step: Step, acc: Integers) -> Codes:
    if step.table is not None:
        return step.table.codes(acc)
    each = step.instruction
    return threshold_codes(acc, each.arrays["thresholds"], each.attributes["least"])


def threshold_codes(acc: Integers, thresholds: Integers, least: int) -> Codes:
    """Add to `least` how many of its channel's sorted thresholds (C, n) each element (N, C, ...)
    reaches, in the smallest type that holds the codes.

    Spec: AQ-LOWER-1.
    """
    channels, count = thresholds.shape
    dtype = code_type(least, least + count)
    if 1 <= count <= FEW:
        first, *others = per_channel(thresholds.T, acc.shape)
        few = (acc >= first).view(np.uint8)
        for each in others:
            few += (acc >= each).view(np.uint8)
        return few if dtype == few.dtype and not least else few.astype(dtype) + least
    codes = np.empty(acc.shape, dtype)
    for channel in range(channels):
        reached = np.searchsorted(thresholds[channel], acc[:, channel], side="right")
        codes[:, channel] = reached + least
    return codes


KERNELS: dict[str, Callable[..., Integers]] = {
    "conv2d": _conv2d,
    "border_conv2d": _bordered_conv2d,
    "fused_conv2d": _bordered_conv2d,
    "linear": _linear,
    "add": _add,
    "sum": _sum,
    "max_pool": _max_pool,
    "concat": _concat,
    "flatten": _flatten,
    "threshold": _threshold,
    "lookup": _lookup,
    "rescale": rescale,
    "rescale_float": rescale,
    "plus": plus,
    "border": border,
}
