"""Compute convolutions and linear layers, each an autograd primitive with its own derivative rule.

A convolution is a matrix product with the *im2col* matrix. A row r of that matrix is one
(channel, kh, kw), in the order of PyTorch and ONNX; a column p is one output position:

    out[n, o, p] = sum over r of weight[o, r] * columns[n, r, p] + bias[o]

Tensors are NCHW, weights OIHW. float32 stays float32, float64 stays float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums

from aquant_ref.errors import InputError
from aquant_ref.integer.geometry import check_groups
from aquant_ref.nn.autodiff import check_axes, check_shape, primitive
from aquant_ref.nn.depthwise import depthwise, depthwise_vjp
from aquant_ref.nn.windows import Padding, Pair, Windows
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Reals


def _check_conv(x: Reals, weight: Reals, bias: Reals | None, groups: int) -> None:
    check_axes("conv2d", x, 4)
    check_groups(x.shape[1], weight.shape, groups)
    check_shape("conv2d", "bias", bias, weight.shape[:1])


@primitive
def conv2d(
    x: Reals,
    weight: Reals,
    bias: Reals | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Reals:
    """Cross-correlate images x (N, C, H, W) with kernels; return (N, O, OH, OW).

    Spec: AQ-INT-4, AQ-IDEAL-4. `weight` is (O, C/groups, kh, kw), `bias` (O,). Padding is zero.
    groups = C makes a depthwise convolution. Raise InputError if shapes or attributes do not fit.
    """
    _check_conv(x, weight, bias, groups)
    geometry = Windows(x.shape, weight.shape[2:], stride, padding, dilation)
    outputs = weight.shape[0]
    if groups == outputs == x.shape[1] > 1:
        out = depthwise(x, weight, geometry, np.result_type(x, weight))
        return out if bias is None else np.add(out, bias[:, None, None], out=out)
    matrix = weight.reshape(groups, outputs // groups, -1)
    out = np.empty(
        (len(x), groups, outputs // groups, geometry.positions), np.result_type(x, weight)
    )

    def block(images: slice) -> None:
        columns = geometry.columns(x[images]).reshape(
            -1, groups, geometry.rows // groups, geometry.positions
        )
        np.matmul(matrix, columns, out=out[images])
        if bias is not None:
            out[images] += bias.reshape(groups, -1, 1)

    map_blocks(block, len(x), geometry.block(out.itemsize))
    return out.reshape(len(x), outputs, geometry.out_height, geometry.out_width)


def _conv2d_vjp(
    argnums: tuple[int, ...],
    _ans: Reals,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Compute the wanted derivatives in one pass over blocks; recompute the columns, keep none."""
    x, weight = args[:2]
    groups = kwargs.get("groups", 1)
    geometry = Windows.of(x.shape, weight.shape[2:], kwargs)
    if groups == weight.shape[0] == x.shape[1] > 1:
        return _depthwise_rule(argnums, x, weight, geometry)
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1)
    grouped = (-1, groups, geometry.rows // groups, geometry.positions)
    kernel_grid = (-1, geometry.channels, *geometry.kernel, geometry.out_height, geometry.out_width)

    def vjp(g: Reals) -> tuple[Reals, ...]:
        g = g.reshape(len(x), groups, weight.shape[0] // groups, geometry.positions)
        dx = np.empty_like(x, dtype=g.dtype) if 0 in argnums else None

        def block(images: slice) -> Reals | None:
            if dx is not None:
                columns = np.matmul(matrix.transpose(0, 2, 1), g[images])
                dx[images] = geometry.images(columns.reshape(kernel_grid))
            if 1 not in argnums:
                return None
            columns = geometry.columns(x[images]).reshape(grouped)
            return np.asarray(np.matmul(g[images], columns.transpose(0, 1, 3, 2)).sum(axis=0))

        per_block = map_blocks(block, len(x), geometry.block(g.itemsize))
        results: dict[int, Any] = {0: dx}
        if 1 in argnums:
            dweights = [dweight for dweight in per_block if dweight is not None]
            results[1] = np.sum(np.stack(dweights), axis=0).reshape(weight.shape)
        if 2 in argnums:
            results[2] = g.sum(axis=(0, 3)).reshape(-1)
        return tuple(results[i] for i in argnums)

    return vjp


def _depthwise_rule(argnums: tuple[int, ...], x: Reals, weight: Reals, geometry: Windows) -> Any:
    def vjp(g: Reals) -> tuple[Any, ...]:
        dx, dweight = depthwise_vjp(
            x, weight, geometry, g, need_x=0 in argnums, need_weight=1 in argnums
        )
        results = {0: dx, 1: dweight, 2: g.sum(axis=(0, 2, 3))}
        return tuple(results[i] for i in argnums)

    return vjp


defvjp_argnums(conv2d, _conv2d_vjp)


@primitive
def linear(x: Reals, weight: Reals, bias: Reals | None = None) -> Reals:
    """Return x @ weight.T + bias, (N, O), for x (N, I), weight (O, I) and bias (O,)."""
    check_axes("linear", x, 2)
    if weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise InputError(f"linear: a weight of shape {weight.shape} does not fit input {x.shape}")
    check_shape("linear", "bias", bias, weight.shape[:1])
    out = x @ weight.T
    return out if bias is None else out + bias


def _linear_vjp(
    argnums: tuple[int, ...], _ans: Reals, args: tuple[Any, ...], _kwargs: dict[str, Any]
) -> Any:
    rules = {0: lambda g: g @ args[1], 1: lambda g: g.T @ args[0], 2: lambda g: g.sum(axis=0)}
    return lambda g: tuple(rules[i](g) for i in argnums)


defvjp_argnums(linear, _linear_vjp)
