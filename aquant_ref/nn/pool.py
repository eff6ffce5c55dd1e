"""Pooling layers as autograd primitives, NCHW."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp
from numpy.typing import NDArray

from aquant_ref.checks import flag
from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import check_axes, primitive
from aquant_ref.nn.windows import Padding, Pair, Windows

Array = NDArray[Any]


def pooling_windows(
    shape: tuple[int, ...],
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Windows:
    """The windows of a pool, whose stride is its kernel unless it is given.

    Spec: AQ-IDEAL-4. Raises InputError as `Windows` does, and where a window meets padding alone:
    it would have no maximum, and no mean of its pixels.
    """
    geometry = Windows(shape, kernel, kernel if stride is None else stride, padding, dilation)
    if not geometry.counts().all():
        raise InputError(f"a window of {geometry.kernel} meets nothing but padding")
    return geometry


def _divisor(geometry: Windows, count_padding: bool, dtype: Any) -> Array:
    if count_padding:
        return np.asarray(geometry.kernel[0] * geometry.kernel[1], dtype)
    return geometry.counts().astype(dtype)


@primitive
def avg_pool(
    x: Array,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    count_padding: bool = True,
) -> Array:
    """Mean over windows, (N, C, H, W) -> (N, C, OH, OW).

    Spec: AQ-IDEAL-4. With `count_padding` the divisor is kh*kw everywhere, otherwise it is the
    number of real pixels in the window.
    """
    geometry = pooling_windows(x.shape, kernel, stride=stride, padding=padding, dilation=dilation)
    flag("count_padding", count_padding)
    total = geometry.columns(x).sum(axis=(2, 3))
    return np.asarray(total / _divisor(geometry, count_padding, x.dtype))


def _avg_pool_vjp(
    ans: Array, x: Array, kernel: Pair, *, count_padding: bool = True, **attributes: Any
) -> Any:
    geometry = pooling_windows(x.shape, kernel, **attributes)
    divisor = _divisor(geometry, count_padding, x.dtype)

    def vjp(g: Array) -> Array:
        each = (g / divisor)[:, :, None, None]
        return geometry.images(
            np.broadcast_to(each, (*each.shape[:2], *geometry.kernel, *each.shape[4:]))
        )

    return vjp


defvjp(avg_pool, _avg_pool_vjp, argnums=(0,))


@primitive
def max_pool(
    x: Array,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Array:
    """Maximum over windows; padding never wins (it counts as -inf). Of equal values the first gets
    the gradient.

    Spec: AQ-IDEAL-4.
    """
    geometry = pooling_windows(x.shape, kernel, stride=stride, padding=padding, dilation=dilation)
    return np.asarray(geometry.columns(x, -np.inf).max(axis=(2, 3)))


def _max_pool_vjp(ans: Array, x: Array, kernel: Pair, **attributes: Any) -> Any:
    geometry = pooling_windows(x.shape, kernel, **attributes)
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
    check_axes("global_avg_pool", x, 4)
    if not x.shape[2] * x.shape[3]:
        raise InputError(f"global_avg_pool: there are no pixels in shape {x.shape}")
    return np.asarray(x.mean(axis=(2, 3), keepdims=True))


defvjp(
    global_avg_pool,
    lambda ans, x: lambda g: np.broadcast_to(g / x.dtype.type(x.shape[2] * x.shape[3]), x.shape),
)
