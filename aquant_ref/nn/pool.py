"""Define pooling layers on NCHW tensors as autograd primitives."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp

from aquant_ref.checks import flag
from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import check_axes, primitive
from aquant_ref.nn.windows import Padding, Pair, Windows
from aquant_ref.typing import Reals


def pooling_windows(
    shape: tuple[int, ...],
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Windows:
    """Return the windows of a pool; without a stride, the stride is the kernel.

    Spec: AQ-IDEAL-4. Raise InputError as `Windows` does, and if a window contains only padding,
    because it would have neither a maximum nor a mean of its pixels.
    """
    geometry = Windows(shape, kernel, kernel if stride is None else stride, padding, dilation)
    if not geometry.counts().all():
        raise InputError(f"a window of {geometry.kernel} contains only padding")
    return geometry


def _divisor(geometry: Windows, count_padding: bool, dtype: Any) -> Reals:
    if count_padding:
        return np.asarray(geometry.kernel[0] * geometry.kernel[1], dtype)
    return geometry.counts().astype(dtype)


@primitive
def avg_pool(
    x: Reals,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    count_padding: bool = True,
) -> Reals:
    """Average x (N, C, H, W) over windows; return (N, C, OH, OW).

    Spec: AQ-IDEAL-4. With `count_padding` divide by kh*kw everywhere, otherwise by the number of
    real pixels in the window.
    """
    geometry = pooling_windows(x.shape, kernel, stride=stride, padding=padding, dilation=dilation)
    flag("count_padding", count_padding)
    total = geometry.columns(x).sum(axis=(2, 3))
    return np.asarray(total / _divisor(geometry, count_padding, x.dtype))


def _avg_pool_vjp(
    _ans: Reals, x: Reals, kernel: Pair, *, count_padding: bool = True, **attributes: Any
) -> Any:
    geometry = pooling_windows(x.shape, kernel, **attributes)
    divisor = _divisor(geometry, count_padding, x.dtype)

    def vjp(g: Reals) -> Reals:
        each = (g / divisor)[:, :, None, None]
        return geometry.images(
            np.broadcast_to(each, (*each.shape[:2], *geometry.kernel, *each.shape[4:]))
        )

    return vjp


defvjp(avg_pool, _avg_pool_vjp, argnums=(0,))


@primitive
def max_pool(
    x: Reals,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Reals:
    """Take the maximum of x (N, C, H, W) over windows; return (N, C, OH, OW).

    Spec: AQ-IDEAL-4. Padding counts as -infinity, so it never wins. The first of equal values gets
    the gradient.
    """
    geometry = pooling_windows(x.shape, kernel, stride=stride, padding=padding, dilation=dilation)
    return np.asarray(geometry.columns(x, -np.inf).max(axis=(2, 3)))


def _max_pool_vjp(_ans: Reals, x: Reals, kernel: Pair, **attributes: Any) -> Any:
    geometry = pooling_windows(x.shape, kernel, **attributes)
    columns = geometry.columns(x, -np.inf)
    flat = columns.reshape(*columns.shape[:2], -1, *columns.shape[4:])
    winner = flat.argmax(axis=2)[:, :, None]

    def vjp(g: Reals) -> Reals:
        spread = np.zeros_like(flat, dtype=g.dtype)
        np.put_along_axis(spread, winner, g[:, :, None], axis=2)
        return geometry.images(spread.reshape(columns.shape))

    return vjp


defvjp(max_pool, _max_pool_vjp, argnums=(0,))


@primitive
def global_avg_pool(x: Reals) -> Reals:
    """Average x (N, C, H, W) over all pixels; return (N, C, 1, 1)."""
    check_axes("global_avg_pool", x, 4)
    if not x.shape[2] * x.shape[3]:
        raise InputError(f"global_avg_pool: shape {x.shape} has no pixels")
    return np.asarray(x.mean(axis=(2, 3), keepdims=True))


defvjp(
    global_avg_pool,
    lambda _ans, x: lambda g: np.broadcast_to(g / x.dtype.type(x.shape[2] * x.shape[3]), x.shape),
)
