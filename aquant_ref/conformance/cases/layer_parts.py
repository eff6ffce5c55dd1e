"""Draw the codes, weights and windows of a layer, and compute its accumulators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.tensors import Row, image, odd, sizes
from aquant_ref.conformance.expected.layers import convolved
from aquant_ref.oracle import linear as product
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom


def weights(draw: CaseRandom, qmin: int, qmax: int, *shape: int) -> Array:
    """Draw signed weights of at most 8 bits, the ends among them."""
    end = 1 << min((qmax - qmin).bit_length(), 8) - 1
    return image(draw, -end, end - 1, *shape)


def conv_parts(
    draw: CaseRandom,
    ends: tuple[int, int],
    *,
    depthwise: bool = False,
    groups: int = 1,
    size: tuple[int, int] | None = None,
    kernel: tuple[int, int] | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Row:
    """Draw codes, zero point, weights and windows of a convolution; all sizes differ."""
    height, width = size or sizes(draw)
    kh, kw = kernel or draw.pick(((2, 2), (2, 1), (1, 2), (3, 2), (1, 1)))
    kh, kw = min(kh, height + sum(padding[:2])), min(kw, width + sum(padding[2:]))
    if depthwise:
        groups = draw.pick((2, 3))
        members, each = 1, draw.pick((1, 2))
    else:
        members, each = draw.pick(
            ((2, 1), (1, 2), (2, 3)) if groups > 1 else ((2, 3), (3, 2), (1, 2))
        )
    row: Row = {
        "x": image(draw, *ends, members * groups, height, width),
        "x_zero": odd(draw, *ends),
        "weight": weights(draw, *ends, each * groups, members, kh, kw),
        "stride": np.array(stride),
        "padding": np.array(padding),
        "dilation": np.array(dilation),
    }
    return row if depthwise else {**row, "groups": groups}


def linear_parts(draw: CaseRandom, ends: tuple[int, int]) -> Row:
    """Draw codes, zero point and weights of a linear layer with unequal numbers of channels."""
    inputs, outputs = draw.pick(((5, 3), (3, 4), (7, 2), (2, 5), (9, 4)))
    return {
        "x": image(draw, *ends, inputs),
        "x_zero": odd(draw, *ends),
        "weight": weights(draw, *ends, outputs, inputs),
    }


def accumulators(row: Row) -> Array:
    """Compute the accumulators without the bias, (O, positions) int64."""
    x, weight = row["x"] - row["x_zero"], row["weight"]
    if "weight_zero" in row:
        weight = weight - row["weight_zero"].reshape(-1, *(1,) * (weight.ndim - 1))
    if x.ndim == 1:
        acc = product(x.tolist(), weight.tolist())
    else:
        windows = {key: row[key].tolist() for key in ("stride", "padding", "dilation")}
        acc = convolved(x.tolist(), weight.tolist(), row.get("groups", len(x)), **windows)
    return np.array(acc, np.int64).reshape(len(weight), -1)
