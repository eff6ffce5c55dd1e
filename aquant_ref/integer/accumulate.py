"""Compute accumulators in int64 and refuse those that do not fit int32.

A code q with zero point z means x = s*(q - z), so every product multiplies q - z. Padding is the
real zero, which has the code z, and adds nothing to a sum.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer.geometry import check_groups, pair, sides, sizes
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN, check_int32, check_integers
from aquant_ref.typing import Integers

Pair = tuple[int, int]


def accumulate(
    weight: ArrayLike, codes: ArrayLike, bias: ArrayLike | None = None, *, layer: str
) -> Integers:
    """Return weight (..., O, K) @ codes (..., K, P) + bias (..., O) as int32 (..., O, P).

    Spec: AQ-INT-3. Compare K * max|weight| * max|code| + max|bias| with int64 before multiplying,
    then the sums with int32, both without and with the bias. Nothing wraps. Raise
    AccumulatorOverflow, which names `layer`, if a sum does not fit, and InputError if shapes do not
    fit each other.

    >>> accumulate(np.array([[-128]], np.int8), np.array([[-128]], np.int8), layer="conv").tolist()
    [[16384]]
    """
    w, x = check_integers(layer, weight), check_integers(layer, codes)
    b = np.zeros(w.shape[-2:-1], np.int64) if bias is None else check_integers(layer, bias)
    _check_shapes(layer, w.shape, x.shape, b.shape)
    bound = w.shape[-1] * _largest(w) * _largest(x) + _largest(b)
    if bound >= 2**63:
        raise AccumulatorOverflow(f"{layer}: the accumulator can reach {bound}, beyond int64")
    product = w @ x
    acc = product + b[..., None]
    for value, which in ((product, " without bias"), (acc, "")):
        if value.size and (value.min() < INT32_MIN or value.max() > INT32_MAX):
            reached = _farthest(value)
            raise AccumulatorOverflow(
                f"{layer}: the accumulator{which} reaches {reached}, beyond int32"
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


def _largest(values: Integers) -> int:
    """Return the largest absolute value as a Python int, because -(-2^63) does not fit int64."""
    return max(-int(values.min()), int(values.max())) if values.size else 0


def _farthest(values: Integers) -> int:
    """Return the value farthest outside int32."""
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
) -> Integers:
    """Return the accumulators of a convolution, int32 (N, O, H', W').

    Spec: AQ-INT-4. Each is the sum of weight * (code - zero_point) over a window, plus the bias:
    cross-correlation, as in PyTorch and ONNX. `codes` (N, C, H, W), `weight` (O, C/groups, kh, kw)
    and `bias` (O,) are integers. `padding` is (vertical, horizontal), each one number or
    (before, after). Raise InputError for windows or shapes that do not fit, AccumulatorOverflow as
    `accumulate` does.
    """
    q, w = check_int32(layer, codes), check_integers(layer, weight)
    z = check_int32(f"{layer}: zero point", zero_point)
    b = None if bias is None else check_integers(layer, bias)
    if q.ndim != 4 or w.ndim != 4 or z.ndim or (b is not None and b.shape != w.shape[:1]):
        shapes = [q.shape, w.shape, None if b is None else b.shape, z.shape]
        raise InputError(
            f"{layer}: needs codes (N, C, H, W), weights (O, C/groups, kh, kw), a bias (O,) and "
            f"one zero point, got shapes {shapes}"
        )
    try:
        check_groups(q.shape[1], w.shape, groups)
        height, width = sizes(q.shape[1:], w.shape[2:], stride, padding, dilation)
    except InputError as error:
        raise InputError(f"{layer}: {error}") from error
    x = np.pad(q - z, ((0, 0), (0, 0), *sides(padding)))  # after subtracting z, 0 is the real zero
    (sh, sw), (dh, dw) = pair("stride", stride), pair("dilation", dilation)
    extent = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], (dh, dw), strict=True)]
    windows = sliding_window_view(x, tuple(extent), axis=(2, 3))  # (N, C, H', W', kh, kw)
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)
    rows = w.reshape(groups, len(w) // groups, -1)
    columns = windows.reshape(len(x), groups, rows.shape[2], height * width)
    grouped = None if b is None else b.reshape(groups, -1)
    acc = accumulate(rows, columns, grouped, layer=layer)
    return acc.reshape(len(x), len(w), height, width)
