"""Depthwise convolution: one kernel a channel, as a sum of shifted products.

An im2col matrix would copy every pixel kh*kw times for products that BLAS cannot batch; shifting
the image instead needs no copy, and is twice as fast. `nn.conv` takes this path where groups,
channels and outputs are the same number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.nn.windows import Windows
from aquant_ref.threads import map_blocks

Array = NDArray[Any]


def depthwise(x: Array, weight: Array, geometry: Windows, dtype: Any) -> Array:
    """Sum over (i, j) of weight[c, i, j] * x shifted by (i, j): (N, C, OH, OW) of `dtype`.

    x (N, C, H, W), weight (C, 1, kh, kw).
    """
    shape = (len(x), geometry.channels, geometry.out_height, geometry.out_width)
    out = np.zeros(shape, dtype)

    def block(part: slice) -> None:
        padded, product = geometry.pad(x[part]), np.empty_like(out[part])
        for i, j, vertical, horizontal in geometry.slices():
            kernel = weight[:, 0, i, j, None, None]
            np.multiply(padded[:, :, vertical, horizontal], kernel, out=product)
            out[part] += product

    map_blocks(block, len(x), geometry.block(out.itemsize))
    return out


def depthwise_vjp(
    x: Array, weight: Array, geometry: Windows, g: Array, *, need_x: bool, need_weight: bool
) -> tuple[Array | None, Array | None]:
    """Derivatives by x and by weight for the upstream gradient g (N, C, OH, OW), if needed."""
    dx = np.empty_like(x, dtype=g.dtype) if need_x else None

    def block(part: slice) -> Array | None:
        upstream, padded = g[part], geometry.pad(x[part])
        dpadded, product = np.zeros_like(padded, dtype=g.dtype), np.empty_like(upstream)
        dweight = np.zeros_like(weight)
        for i, j, vertical, horizontal in geometry.slices():
            if dx is not None:
                np.multiply(upstream, weight[:, 0, i, j, None, None], out=product)
                dpadded[:, :, vertical, horizontal] += product
            if need_weight:
                pixels = padded[:, :, vertical, horizontal]
                dweight[:, 0, i, j] = np.einsum("nchw,nchw->c", upstream, pixels)
        if dx is not None:
            dx[part] = geometry.crop(dpadded)
        return dweight if need_weight else None

    parts = map_blocks(block, len(x), geometry.block(g.itemsize))
    if not need_weight:
        return dx, None
    return dx, np.sum([part for part in parts if part is not None], axis=0)
