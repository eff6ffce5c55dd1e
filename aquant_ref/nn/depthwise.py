"""Compute depthwise convolutions, one kernel per channel, as sums of shifted products.

An im2col matrix would copy every pixel kh*kw times, for products that BLAS cannot batch. Shifting
the image needs no copy and is twice as fast. `nn.conv` calls this module when groups, channels and
outputs are the same number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.threads import map_blocks
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.nn.windows import Windows


def depthwise(x: Reals, weight: Reals, geometry: Windows, dtype: Any) -> Reals:
    """Sum weight[c, 0, i, j] * (x shifted by (i, j)) over all (i, j).

    x is (N, C, H, W), `weight` (C, 1, kh, kw), the result (N, C, OH, OW) of `dtype`.
    """
    shape = (len(x), geometry.channels, geometry.out_height, geometry.out_width)
    out = np.zeros(shape, dtype)

    def block(images: slice) -> None:
        padded, product = geometry.pad(x[images]), np.empty_like(out[images])
        for i, j, vertical, horizontal in geometry.slices():
            kernel = weight[:, 0, i, j, None, None]
            np.multiply(padded[:, :, vertical, horizontal], kernel, out=product)
            out[images] += product

    map_blocks(block, len(x), geometry.block(out.itemsize))
    return out


def depthwise_vjp(
    x: Reals, weight: Reals, geometry: Windows, g: Reals, *, need_x: bool, need_weight: bool
) -> tuple[Reals | None, Reals | None]:
    """Return the derivatives by x and by weight for g (N, C, OH, OW), or None if not needed."""
    dx = np.empty_like(x, dtype=g.dtype) if need_x else None

    def block(images: slice) -> Reals | None:
        upstream, padded = g[images], geometry.pad(x[images])
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
            dx[images] = geometry.crop(dpadded)
        return dweight if need_weight else None

    per_block = map_blocks(block, len(x), geometry.block(g.itemsize))
    if not need_weight:
        return dx, None
    return dx, np.sum([dweight for dweight in per_block if dweight is not None], axis=0)
