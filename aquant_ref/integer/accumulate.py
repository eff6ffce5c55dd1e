"""Accumulators: integer products computed where no overflow can hide, and refused beyond int32.

Codes are stored with a zero point z and mean x = s*(q - z), so that every product here is of
q - z. Padding is the real zero, which is the code z: it contributes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN, check_int32, check_integers

Array = NDArray[Any]
Pair = tuple[int, int]


def accumulate(weight: Array, codes: Array, bias: Array | None = None, *, layer: str) -> Array:
    """The product weight (..., O, K) @ codes (..., K, P) + bias (..., O), int32.

    Spec: AQ-INT-3. Before anything is multiplied, K * max|weight| * max|code| + max|bias| is
    compared with int64; after, the result with int32. Raises AccumulatorOverflow, which names
    `layer`, where it does not fit; nothing ever wraps.

    >>> accumulate(np.array([[-128]], np.int8), np.array([[-128]], np.int8), layer="conv").tolist()
    [[16384]]
    """
    w, x = check_integers(layer, weight), check_integers(layer, codes)
    b = np.zeros(w.shape[:-1], np.int64) if bias is None else check_integers(layer, bias)
    bound = w.shape[-1] * _largest(w) * _largest(x) + _largest(b)
    if bound >= 2**63:
        raise AccumulatorOverflow(f"{layer}: its accumulator can reach {bound}, beyond int64")
    acc = w @ x + b[..., None]
    if acc.size and (acc.min() < INT32_MIN or acc.max() > INT32_MAX):
        raise AccumulatorOverflow(f"{layer}: its accumulator reaches {_largest(acc)}, beyond int32")
    return np.asarray(acc.astype(np.int32))


def _largest(values: Array) -> int:
    """The largest absolute value; in Python, since -(-2^63) has no int64."""
    return max(-int(values.min()), int(values.max())) if values.size else 0


def accumulate_conv2d(
    codes: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: tuple[int | Pair, int | Pair] = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    zero_point: int = 0,
    layer: str,
) -> Array:
    """Accumulators (N, O, H', W') int32 of a convolution: sum of weight * (code - zero_point).

    Spec: AQ-INT-4. `codes` (N, C, H, W), `weight` (O, C/groups, kh, kw), `bias` (O,), all integers;
    cross-correlation, as PyTorch and ONNX have it. `padding` is (vertical, horizontal), either one
    number or (before, after). Raises InputError for shapes that do not fit, AccumulatorOverflow as
    `accumulate` does.
    """
    x = check_int32(layer, codes) - check_int32("zero point", zero_point)
    outputs, members, *kernel = weight.shape
    if x.shape[1] != members * groups or outputs % groups:
        raise InputError(
            f"{layer}: weight {weight.shape} in {groups} groups does not fit {x.shape[1]} channels"
        )
    sides = [(p, p) if isinstance(p, int) else p for p in padding]
    x = np.pad(x, ((0, 0), (0, 0), *sides))  # 0 is the real zero by now
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if x.shape[2] < extent[0] or x.shape[3] < extent[1]:
        raise InputError(f"{layer}: an image of {codes.shape[2:]} is smaller than its kernel")
    windows = sliding_window_view(x, tuple(extent), axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    images, height, width = len(x), *windows.shape[2:4]  # of (N, C, H', W', kh, kw)
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(images, groups, -1, height * width)
    rows = weight.reshape(groups, outputs // groups, -1)
    grouped = None if bias is None else bias.reshape(groups, -1)
    acc = accumulate(rows, columns, grouped, layer=layer)
    return acc.reshape(images, outputs, height, width)
