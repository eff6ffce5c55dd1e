"""Pooling layers as autograd primitives, NCHW."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp
from numpy.typing import NDArray

from aquant_ref.nn.autodiff import primitive
from aquant_ref.nn.windows import Pair, Windows

Array = NDArray[Any]


def window_counts(geometry: Windows) -> Array:
    """(OH, OW) number of real (not padded) pixels in each window."""
    ones = np.ones((1, geometry.channels, geometry.height, geometry.width))
    return np.asarray(geometry.columns(ones)[0, 0].sum(axis=(0, 1)))


def _divisor(geometry: Windows, count_padding: bool, dtype: Any) -> Array:
    if count_padding:
        return np.asarray(geometry.kernel[0] * geometry.kernel[1], dtype)
    return window_counts(geometry).astype(dtype)


@primitive
def avg_pool(
    x: Array,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    count_padding: bool = True,
) -> Array:
    """Mean over windows, (N, C, H, W) -> (N, C, OH, OW); `count_padding` divides by kh*kw at the
    edges as well.
    """
    geometry = Windows(x.shape, kernel, kernel if stride is None else stride, padding)
    total = geometry.columns(x).sum(axis=(2, 3))
    return np.asarray(total / _divisor(geometry, count_padding, x.dtype))


def _avg_pool_vjp(ans: Array, x: Array, kernel: Pair, **attributes: Any) -> Any:
    stride = attributes.get("stride")
    geometry = Windows(
        x.shape, kernel, kernel if stride is None else stride, attributes.get("padding", 0)
    )
    divisor = _divisor(geometry, attributes.get("count_padding", True), x.dtype)

    def vjp(g: Array) -> Array:
        each = (g / divisor)[:, :, None, None]
        return geometry.images(
            np.broadcast_to(each, (*each.shape[:2], *geometry.kernel, *each.shape[4:]))
        )

    return vjp


defvjp(avg_pool, _avg_pool_vjp, argnums=(0,))


@primitive
def max_pool(x: Array, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> Array:
    """Maximum over windows; padding never wins (it counts as -inf). Of equal values the first gets
    the gradient.
    """
    geometry = Windows(x.shape, kernel, kernel if stride is None else stride, padding)
    return np.asarray(geometry.columns(x, -np.inf).max(axis=(2, 3)))


def _max_pool_vjp(ans: Array, x: Array, kernel: Pair, **attributes: Any) -> Any:
    stride = attributes.get("stride")
    geometry = Windows(
        x.shape, kernel, kernel if stride is None else stride, attributes.get("padding", 0)
    )
    columns = geometry.columns(x, -np.inf)
    flat = columns.reshape(*columns.shape[:2], -1, *columns.shape[4:])
    winner = flat.argmax(axis=2)[:, :, None]

    def vjp(g: Array) -> Array:
        spread = np.zeros_like(flat, dtype=g.dtype)
        np.put_along_axis(spread, winner, g[:, :, None], axis=2)
        return geometry.images(spread.reshape(columns.shape))

    return vjp


defvjp(max_pool, _max_pool_vjp, argnums=(0,))


@primitive
def global_avg_pool(x: Array) -> Array:
    """Mean over all pixels, (N, C, H, W) -> (N, C, 1, 1)."""
    return np.asarray(x.mean(axis=(2, 3), keepdims=True))


defvjp(
    global_avg_pool,
    lambda ans, x: lambda g: np.broadcast_to(g / x.dtype.type(x.shape[2] * x.shape[3]), x.shape),
)
