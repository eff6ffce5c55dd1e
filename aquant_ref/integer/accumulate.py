"""Accumulators: integer products computed where no overflow can hide, and refused beyond int32.

Codes are stored with a zero point z and mean x = s*(q - z), so that every product here is of
q - z. Padding is the real zero, which is the code z: it contributes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer.geometry import check_groups, pair, sides, sizes
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN, check_int32, check_integers

Array = NDArray[Any]
Pair = tuple[int, int]


def accumulate(
    weight: ArrayLike, codes: ArrayLike, bias: ArrayLike | None = None, *, layer: str
) -> Array:
    """The product weight (..., O, K) @ codes (..., K, P) + bias (..., O), int32.

    Spec: AQ-INT-3. Before anything is multiplied, K * max|weight| * max|code| + max|bias| is
    compared with int64; then the product with int32, and once more with its bias. Raises
    AccumulatorOverflow, which names `layer`, where it does not fit; nothing ever wraps. Raises
    InputError for shapes that do not fit.

    >>> accumulate(np.array([[-128]], np.int8), np.array([[-128]], np.int8), layer="conv").tolist()
    [[16384]]
    """
    w, x = check_integers(layer, weight), check_integers(layer, codes)
    b = np.zeros(w.shape[-2:-1], np.int64) if bias is None else check_integers(layer, bias)
    _check_shapes(layer, w.shape, x.shape, b.shape)
    bound = w.shape[-1] * _largest(w) * _largest(x) + _largest(b)
    if bound >= 2**63:
        raise AccumulatorOverflow(f"{layer}: its accumulator can reach {bound}, beyond int64")
    product = w @ x
    acc = product + b[..., None]
    for value, when in ((product, "before its bias "), (acc, "")):
        if value.size and (value.min() < INT32_MIN or value.max() > INT32_MAX):
            reached = _farthest(value)
            raise AccumulatorOverflow(
                f"{layer}: its accumulator {when}reaches {reached}, beyond int32"
            )
    return np.asarray(acc.astype(np.int32))


def _check_shapes(layer: str, w: tuple[int, ...], x: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        fits = len(w) >= 2 and len(x) >= 2 and w[-1] == x[-2] and b[-1:] == w[-2:-1]
        np.broadcast_shapes(w[:-2], x[:-2], b[:-1])
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            f"{layer}: weight {w}, codes {x} and bias {b} do not fit (..., O, K), (..., K, P) and "
            "(..., O)"
        )


def _largest(values: Array) -> int:
    """The largest absolute value; in Python, since -(-2^63) has no int64."""
    return max(-int(values.min()), int(values.max())) if values.size else 0


def _farthest(values: Array) -> int:
    """The value farthest outside int32."""
    low, high = int(values.min()), int(values.max())
    return high if high - INT32_MAX >= INT32_MIN - low else low


def accumulate_conv2d(
    codes: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
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
    number or (before, after). Raises InputError for windows or shapes that do not fit,
    AccumulatorOverflow as `accumulate` does.
    """
    given, w = check_int32(layer, codes), check_integers(layer, weight)
    z = check_int32(f"{layer}: zero point", zero_point)
    b = None if bias is None else check_integers(layer, bias)
    if given.ndim != 4 or w.ndim != 4 or z.ndim or (b is not None and b.shape != w.shape[:1]):
        shapes = [given.shape, w.shape, None if b is None else b.shape, z.shape]
        raise InputError(
            f"{layer}: needs codes (N, C, H, W), weights (O, C/groups, kh, kw), a bias (O,) and "
            f"one zero point, got shapes {shapes}"
        )
    try:
        check_groups(given.shape[1], w.shape, groups)
        height, width = sizes(given.shape[1:], w.shape[2:], stride, padding, dilation)
    except InputError as error:
        raise InputError(f"{layer}: {error}") from error
    x = np.pad(given - z, ((0, 0), (0, 0), *sides(padding)))  # 0 is the real zero by now
    (sh, sw), (dh, dw) = pair("stride", stride), pair("dilation", dilation)
    extent = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], (dh, dw), strict=True)]
    windows = sliding_window_view(x, tuple(extent), axis=(2, 3))  # (N, C, H', W', kh, kw)
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)
    rows = w.reshape(groups, len(w) // groups, -1)
    columns = windows.reshape(len(x), groups, rows.shape[2], height * width)
    grouped = None if b is None else b.reshape(groups, -1)
    acc = accumulate(rows, columns, grouped, layer=layer)
    return acc.reshape(len(x), len(w), height, width)
