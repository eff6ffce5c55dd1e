"""Convolve an input that is rounded anew in every window, by borders per im2col row or fused ones.

An activation appears in up to kh*kw windows of a convolution, each time in another row of the
im2col matrix. Here each row r = (channel, kh, kw) has its own border. A *fused* border also depends
on the window: it adds F, the mean of a second polynomial over the kh*kw positions j of the same
channel (SPEC.md, AQ-WINDOW),

    P = b0_r + b1_r*tau_r + b2_r*tau_r^2 + F,
    F = mean over j of g0_j + g1_j*tau_j + g2_j*tau_j^2

Rounding, squash and straight-through rules are those of `nn.straight_through`; dF is the sum of dP
over the rows of the window's channel. Columns are computed in blocks that stay in cache, and again
in the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums

from aquant_ref.integer.geometry import check_groups
from aquant_ref.nn.autodiff import check_axes, check_shape, primitive
from aquant_ref.nn.branchless_where import branchless_where
from aquant_ref.nn.feedback import Feedback, fed_back
from aquant_ref.nn.straight_through import (
    CodeRange,
    Rounded,
    at_border,
    polynomial,
    powers,
    pull_back,
    pull_back_border,
    relative,
    squashed,
)
from aquant_ref.nn.windows import Padding, Pair, Windows, images_per_block
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Mask, Reals


@dataclass(frozen=True)
class _Layer:
    """Hold the geometry of one call, the grouping of its columns, and what stays quantized."""

    geometry: Windows
    groups: int
    outputs: int
    codes: CodeRange
    feedback: Feedback | None
    keep: Mask | None = None

    def block(self, itemsize: int) -> int:
        """Return the images per block, for about six temporaries as large as the columns."""
        return images_per_block(3 * self.geometry.rows * self.geometry.positions * itemsize)

    def grouped(self, columns: Reals) -> Reals:
        """Reshape (n, R, OH, OW) to (n, groups, R/groups, OH*OW)."""
        return columns.reshape(len(columns), self.groups, -1, self.geometry.positions)

    def matrix(self, weight: Reals) -> Reals:
        """Reshape (O, ...) to (groups, O/groups, R/groups)."""
        return weight.reshape(self.groups, self.outputs // self.groups, -1)

    def by_channel(self, rows: Reals) -> Reals:
        """Reshape (n, R, OH, OW) to (n, C, kh*kw, OH, OW)."""
        return rows.reshape(len(rows), self.geometry.channels, -1, *rows.shape[2:])

    def rounded(self, x: Reals, scale: Any, coefficients: Reals, fusion: Reals | None) -> Rounded:
        """Round the columns of x."""
        t = self.geometry.columns(x).reshape(
            len(x), -1, self.geometry.out_height, self.geometry.out_width
        )
        t /= x.dtype.type(scale)
        tau = relative(t, self.codes)
        p = polynomial(tau, coefficients)
        if fusion is not None:
            window = self.by_channel(polynomial(tau, fusion)).mean(axis=2, keepdims=True)
            self.by_channel(p)[...] += window
        border = squashed(p, self.codes.squash)
        if self.feedback is None:
            return at_border(t, tau, border)
        q = fed_back(self.grouped(t), self.grouped(border), self.feedback, self.codes)
        return Rounded(q.reshape(t.shape), t, tau, border)

    def real(self, images: slice, rounded: Rounded, scale: Any) -> Reals:
        """Return what is convolved, of `rounded.q` clipped already: real numbers."""
        real = rounded.q * rounded.t.dtype.type(scale)
        if self.keep is None:
            return real
        unrounded = rounded.t * rounded.t.dtype.type(scale)
        return branchless_where(self.keep[images], real, unrounded)


def _layer(x: Reals, weight: Reals, attributes: dict[str, Any]) -> _Layer:
    groups = attributes.get("groups", 1)
    check_groups(x.shape[1], weight.shape, groups)
    return _Layer(
        Windows.of(x.shape, weight.shape[2:], attributes),
        groups,
        len(weight),
        attributes["codes"],
        attributes.get("feedback"),
        attributes.get("keep"),
    )


@primitive
def bordered_conv2d(  # noqa: PLR0913 (a convolution's arguments, and those of its border)
    x: Reals,
    weight: Reals,
    bias: Reals,
    scale: Any,
    coefficients: Reals,
    fusion: Reals | None = None,
    *,
    codes: CodeRange,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    feedback: Feedback | None = None,
    keep: Mask | None = None,
) -> Reals:
    """Round x (N, C, H, W) in each window, then convolve; return (N, O, OH, OW).

    Spec: AQ-WINDOW-2, AQ-WINDOW-3. `weight` is (O, C/groups, kh, kw), `bias` (O,), `coefficients`
    and `fusion` (C*kh*kw, 3). A padded pixel is 0 and stays 0. `feedback` adds the error of the
    window so far to the border (AQ-FEEDBACK-2). Elements of the columns where the boolean `keep`
    (N, C*kh*kw, OH, OW) is False stay in floating point, as in QDrop; all borders count them as
    rounded (AQ-STE-3).
    """
    check_axes("bordered_conv2d", x, 4)
    attributes = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    layer = _layer(x, weight, {**attributes, "codes": codes, "feedback": feedback, "keep": keep})
    window = layer.geometry.rows, layer.geometry.out_height, layer.geometry.out_width
    check_shape("bordered_conv2d", "keep", keep, (len(x), *window))
    check_shape("bordered_conv2d", "bias", bias, weight.shape[:1])
    for name, rows in (("coefficients", coefficients), ("fusion", fusion)):
        check_shape("bordered_conv2d", name, rows, (prod(weight.shape[1:]) * groups, 3))
    matrix = layer.matrix(weight)
    geometry = layer.geometry
    out = np.empty((len(x), *matrix.shape[:2], geometry.positions), np.result_type(x, weight))

    def block(images: slice) -> None:
        rounded = layer.rounded(x[images], scale, coefficients, fusion)
        np.clip(rounded.q, codes.low, codes.high, out=rounded.q)
        np.matmul(matrix, layer.grouped(layer.real(images, rounded, scale)), out=out[images])
        out[images] += bias.reshape(groups, -1, 1)

    map_blocks(block, len(x), layer.block(x.itemsize))
    return out.reshape(len(x), -1, geometry.out_height, geometry.out_width)


def _bordered_conv2d_vjp(
    argnums: tuple[int, ...], _ans: Reals, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Compute the wanted derivatives block by block. Spec: AQ-STE-4."""
    x, weight, _, scale, coefficients = args[:5]
    fusion = args[5] if len(args) > 5 else None
    layer = _layer(x, weight, kwargs)
    matrix, geometry, codes = layer.matrix(weight), layer.geometry, layer.codes
    real = x.dtype.type(scale)

    def vjp(g: Reals) -> tuple[Any, ...]:
        g = g.reshape(len(x), layer.groups, -1, geometry.positions)
        dx = np.empty_like(x)

        def block(images: slice) -> tuple[Any, ...]:
            rounded = layer.rounded(x[images], scale, coefficients, fusion)
            assert rounded.tau is not None
            upstream = np.matmul(matrix.transpose(0, 2, 1), g[images]).reshape(rounded.t.shape)
            kept = upstream if layer.keep is None else upstream * layer.keep[images]
            passed, dscale = pull_back(rounded, kept, codes)
            through = passed if layer.keep is None else passed + (upstream - kept)
            dx[images] = geometry.images(
                through.reshape(
                    -1, geometry.channels, *geometry.kernel, geometry.out_height, geometry.out_width
                )
            )
            dweight = None
            if 1 in argnums:
                read = layer.grouped(layer.real(images, rounded, scale))
                dweight = np.matmul(g[images], read.transpose(0, 1, 3, 2)).sum(axis=0)
            dp = pull_back_border(rounded, passed, codes)
            dfusion = None
            if fusion is not None:
                total = layer.by_channel(dp).mean(axis=2, keepdims=True)
                shape = layer.by_channel(dp).shape
                shared = np.broadcast_to(total, shape).reshape(dp.shape).copy()
                dfusion = powers(shared, rounded.tau)
            return dscale, powers(dp, rounded.tau), dfusion, dweight

        derivatives = map_blocks(block, len(x), layer.block(x.itemsize))

        def total(number: int) -> Reals:
            return np.sum([of_block[number] for of_block in derivatives], axis=0)

        results: dict[int, Any] = {0: dx}
        if 1 in argnums:
            results[1] = total(3).reshape(weight.shape)
        if 2 in argnums:
            results[2] = g.sum(axis=(0, 3)).reshape(-1)
        if 3 in argnums:
            results[3] = np.asarray(total(0), np.asarray(scale).dtype)
        if 4 in argnums:
            results[4] = (total(1) * -real).astype(coefficients.dtype)
        if 5 in argnums and fusion is not None:
            results[5] = (total(2) * -real).astype(fusion.dtype)
        return tuple(results[i] for i in argnums)

    return vjp


defvjp_argnums(bordered_conv2d, _bordered_conv2d_vjp)
