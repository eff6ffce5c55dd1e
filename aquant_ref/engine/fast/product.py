"""The product, the one place of the engine where numbers may be of floating point.

Integers enter and int32 leaves. Where the bounds of `engine.bounds` say that every partial sum, the
bias not yet added, is an integer below 2^24 (2^53), a float32 (float64) BLAS product of the
integers is exact, and a hundred times faster than one of integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from aquant_ref.typing import Accumulators, Array, Codes

if TYPE_CHECKING:
    from aquant_ref.engine.windows import Windows


def product(weight: Codes, columns: Codes, kind: str) -> Accumulators:
    """Multiply weight (..., O, K) by columns (..., K, L): int32 (..., O, L).

    `kind` is the type that it is computed in: "integer", "float32" or "float64".
    """
    dtype = _dtype(kind)
    return np.asarray(np.matmul(weight.astype(dtype), columns.astype(dtype)).astype(np.int32))


def by_rows(weight: Codes, attributes: Mapping[str, Any]) -> bool:
    """Tell whether `product_by_rows` computes a convolution: one group, and a kernel of several
    rows without gaps, for which it would need more memory than im2col.
    """
    return attributes["groups"] == 1 and weight.shape[2] > 1 and attributes["dilation"][0] == 1


def product_by_rows(weight: Codes, x: Codes, windows: Windows, kind: str) -> Accumulators:
    """Convolve x (n, C, H, W), padded with 0, with weight (O, C, kh, kw): (n, O, OH, OW).

    A product for each row of the kernel, all of which read the same columns. These have kw values a
    pixel where im2col has kh*kw: twice as fast for 3x3.
    """
    dtype = _dtype(kind)
    columns, starts = _row_columns(x, windows, dtype)
    height, width = windows.sizes(x.shape[2:])
    matrices = weight.transpose(2, 0, 1, 3).reshape(len(starts), len(weight), -1).astype(dtype)
    ends = [start + height * width for start in starts]
    total = np.matmul(matrices[0], columns[:, :, starts[0] : ends[0]])
    for matrix, start, end in zip(matrices[1:], starts[1:], ends[1:], strict=True):
        total += np.matmul(matrix, columns[:, :, start:end])
    return np.asarray(total.astype(np.int32).reshape(len(x), len(weight), height, width))


def _dtype(kind: str) -> DTypeLike:
    return np.dtype(np.int64 if kind == "integer" else kind)


def _row_columns(x: Codes, windows: Windows, dtype: DTypeLike) -> tuple[Array, list[int]]:
    """Make im2col for one row of the kernel, (n, C*kw, L), and find where in it each row starts.

    Rows of the kernel whose distance is a multiple of the vertical stride read the same rows of the
    image, each its own first one; others, rows between them: these lie behind.
    """
    (sh, sw), (dh, dw) = windows.stride, windows.dilation
    (top, _), (left, right) = windows.padding
    kernel, (n, channels, *size) = windows.kernel, x.shape
    out_h, out_w = windows.sizes(tuple(size))
    first = [i * dh for i in range(kernel[0])]  # row of the padded image
    phases = sorted({row % sh for row in first})
    height = max(row // sh for row in first) + out_h
    padded = np.zeros((n, channels, height * sh, left + size[1] + right), dtype)
    inside = padded[:, :, top : top + size[0], left : left + size[1]]
    inside[...] = x[:, :, : inside.shape[2]]  # rows that no window reaches are left out
    columns = np.empty((n, channels, kernel[1], len(phases), height, out_w), dtype)
    for j in range(kernel[1]):
        for k, phase in enumerate(phases):
            met = slice(j * dw, j * dw + sw * (out_w - 1) + 1, sw)
            columns[:, :, j, k] = padded[:, :, phase::sh, met]
    rows = [phases.index(row % sh) * height + row // sh for row in first]
    return columns.reshape(n, channels * kernel[1], -1), [r * out_w for r in rows]
