"""Normalize batches, in training and at inference.

    y = gamma * (x - mean) / sqrt(var + eps) + beta

x is an NCHW batch, or (N, C) after a linear layer. At inference this is an affine map of each
channel, which `nn.fold` moves into the layer before or after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums
from autograd.tracer import getval

from aquant_ref.checks import number
from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import check_axes, check_shape, floats, primitive
from aquant_ref.nn.windows import images_per_block
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Reals

EPS = 1e-5  # the default of PyTorch; Keras and MobileNetV3 use 1e-3


def _block(x: Reals) -> int:
    return images_per_block(8 * x[0].nbytes)


def _column(v: Reals) -> Reals:
    return v[:, None, None]


def _as_images(x: Reals) -> Reals:
    """Return a batch (N, C) as one of images of one pixel, an NCHW batch as it is."""
    return x.reshape(*x.shape[:2], *(x.shape[2:] or (1, 1)))


@floats
def batch_statistics(x: Reals) -> tuple[Reals, Reals]:
    """Return mean and biased variance of each channel of a batch, float64 (C,) each."""
    x = getval(x)
    check_axes("batch_statistics", x, 2, 4)
    x = _as_images(x)
    if not x.size:
        raise InputError(f"batch_statistics: shape {x.shape} has no pixels")

    def block(images: slice) -> tuple[Reals, Reals]:
        # Sum each image first: a float32 sum over one image is short enough to stay accurate.
        total = x[images].sum(axis=(2, 3), dtype=x.dtype)
        squares = np.einsum("nchw,nchw->nc", x[images], x[images])
        return total.sum(axis=0, dtype=np.float64), squares.sum(axis=0, dtype=np.float64)

    parts = map_blocks(block, len(x), _block(x))
    count = len(x) * x.shape[2] * x.shape[3]
    mean = np.sum([p[0] for p in parts], axis=0) / count
    variance = np.sum([p[1] for p in parts], axis=0) / count - mean * mean
    return mean, np.maximum(variance, 0)


def _check_norm(what: str, x: Any, eps: float, variance: Reals, *of_channels: Any) -> None:
    check_axes(what, x, 2, 4)
    for values in (variance, *of_channels):
        check_shape(what, "a parameter", values, x.shape[1:2])
    number(f"{what}: eps", eps, above=True)
    if not bool((getval(variance) >= 0).all()):
        raise InputError(f"{what}: a variance is negative, or NaN")


def _normalised(x: Reals, mean: Reals, inverse: Reals) -> Reals:
    return np.asarray((x - _column(mean)) * _column(inverse))


@primitive
def batch_norm_train(
    x: Reals, gamma: Reals, beta: Reals, *, mean: Reals, variance: Reals, eps: float = EPS
) -> Reals:
    """Normalize x (N, C, H, W) or (N, C) with its own `mean` and `variance`.

    Both are those of `batch_statistics`; `gamma` and `beta` are (C,). The derivative rule treats
    mean and variance as functions of x, although the caller passes them; so they are computed once,
    and can be recorded.
    """
    _check_norm("batch_norm_train", x, eps, variance, gamma, beta, mean)
    inverse = gamma / np.sqrt(variance + eps)
    slope = inverse.astype(x.dtype)
    offset = (beta - mean * inverse).astype(x.dtype)
    images = _as_images(x)
    out = np.empty_like(images)

    def block(chosen: slice) -> None:
        np.multiply(images[chosen], _column(slope), out=out[chosen])
        out[chosen] += _column(offset)

    map_blocks(block, len(images), _block(images))
    return out.reshape(x.shape)


def _batch_norm_train_vjp(
    argnums: tuple[int, ...], _ans: Reals, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    shape, x, gamma = args[0].shape, _as_images(args[0]), args[1]
    mean = kwargs["mean"].astype(x.dtype)
    inverse = (1 / np.sqrt(kwargs["variance"] + kwargs.get("eps", EPS))).astype(x.dtype)
    count = x.dtype.type(len(x) * x.shape[2] * x.shape[3])

    def vjp(g: Reals) -> tuple[Reals, ...]:
        g = _as_images(g)

        def sums(images: slice) -> tuple[Reals, Reals]:
            normalised = _normalised(x[images], mean, inverse)
            return g[images].sum(axis=(0, 2, 3)), np.einsum("nchw,nchw->c", g[images], normalised)

        parts = map_blocks(sums, len(x), _block(x))
        dbeta = np.sum([p[0] for p in parts], axis=0)
        dgamma = np.sum([p[1] for p in parts], axis=0)
        dx = np.empty_like(x)
        scale = gamma.astype(x.dtype) * inverse

        def block(images: slice) -> None:
            # dx = gamma/sigma * (g - mean(g) - x_hat * mean(g * x_hat))
            rest = _normalised(x[images], mean, inverse)
            rest *= _column(dgamma / count)
            rest += _column(dbeta / count)
            np.subtract(g[images], rest, out=dx[images])
            dx[images] *= _column(scale)

        map_blocks(block, len(x), _block(x))
        results = {
            0: dx.reshape(shape),
            1: dgamma.astype(gamma.dtype),
            2: dbeta.astype(gamma.dtype),
        }
        return tuple(results[i] for i in argnums)

    return vjp


defvjp_argnums(batch_norm_train, _batch_norm_train_vjp)


@floats
def batch_norm(
    x: Reals, gamma: Reals, beta: Reals, *, mean: Reals, variance: Reals, eps: float = EPS
) -> Reals:
    """Normalize x (N, C, H, W) or (N, C) with given statistics (C,), as at inference.

    The affine map per channel has no derivative rule of its own; autograd traces it.
    """
    _check_norm("batch_norm", x, eps, variance, gamma, beta, mean)
    inverse = gamma / np.sqrt(variance + eps)
    slope, offset = (
        values if x.ndim == 2 else _column(values) for values in (inverse, beta - mean * inverse)
    )
    return x * slope + offset
