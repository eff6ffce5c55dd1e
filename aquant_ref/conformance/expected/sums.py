"""Compute sums of products: by the oracle, or in int64 where there are many.

In int64 no sum is rounded or wraps, since a bound on it is compared with 2^62 first. The oracle
takes a microsecond a product. `vectors lint` and tests compare both; `alone` keeps to the oracle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import oracle
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor

MANY = 3000  # products
_ALONE = ContextVar("alone", default=True)


@contextmanager
def in_int64() -> Iterator[None]:
    """Let sums of many products be computed in int64 inside the block."""
    token = _ALONE.set(False)
    try:
        yield
    finally:
        _ALONE.reset(token)


def conv2d(
    x: Tensor,
    weight: Tensor,
    *,
    stride: tuple[int, int],
    padding: tuple[tuple[int, int], tuple[int, int]],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """Return the sums [O][OH][OW] of one image [C][H][W], padded with 0. Spec: AQ-INT-4."""
    windows: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    image, kernel = np.array(x), np.array(weight)
    if _ALONE.get() or image[0].size * kernel.size < MANY or not _bounded(image, kernel):
        return oracle.conv2d(x, weight, groups=groups, **windows)
    return [plane.tolist() for plane in convolved(image, kernel, groups=groups, **windows)]


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return the sums [O] of x [I] and weight [O][I]."""
    vector, matrix = np.array(x), np.array(weight)
    if _ALONE.get() or matrix.size < MANY or not _bounded(vector, matrix):
        return oracle.linear(x, weight)
    return list((matrix @ vector).tolist())


def convolved(
    x: Array,
    weight: Array,
    *,
    stride: tuple[int, int],
    padding: tuple[tuple[int, int], tuple[int, int]],
    dilation: tuple[int, int],
    groups: int,
) -> Array:
    """Return the sums (O, OH, OW) int64: for each place of the kernel a product of matrices."""
    outputs, members, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), *padding))
    oh, ow = (
        (size - (k - 1) * d - 1) // s + 1
        for size, k, d, s in zip(padded.shape[1:], (kh, kw), dilation, stride, strict=True)
    )
    matrix = weight.reshape(groups, outputs // groups, members, kh, kw)
    total = np.zeros((groups, outputs // groups, oh * ow), np.int64)
    for i, j in product(range(kh), range(kw)):
        top, left = i * dilation[0], j * dilation[1]
        seen = padded[:, top :: stride[0], left :: stride[1]][:, :oh, :ow]
        total += matrix[..., i, j] @ seen.reshape(groups, members, -1)
    return total.reshape(outputs, oh, ow)


def _bounded(x: Array, weight: Array) -> bool:
    """Tell whether no sum of products can reach 2^62."""
    integers = x.dtype == weight.dtype == np.int64
    products = weight[0].size * int(abs(x).max()) * int(abs(weight).max()) if integers else 0
    return integers and products < 1 << 62
