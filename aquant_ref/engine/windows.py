"""Sliding windows as the engine has them, in integers; the float side has those of `nn.windows`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from aquant_ref.typing import Codes, Integers

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Instruction

Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Place a window of `kernel` pixels that are `dilation` apart every `stride` pixels.

    Spec: AQ-IDEAL-4. Pairs are (vertical, horizontal); `padding` is ((top, bottom), (left, right)).
    """

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair

    @classmethod
    def of(cls, each: Instruction) -> Windows:
        """Read the windows of an instruction; a convolution's kernel is that of its weight."""
        number = each.attributes
        weight = each.arrays.get("weight")
        height, width = number["kernel"] if weight is None else weight.shape[2:]
        (top, bottom), (left, right) = number["padding"]
        stride, dilation = tuple(number["stride"]), tuple(number["dilation"])
        return cls((height, width), stride, ((top, bottom), (left, right)), dilation)

    def padded(self, size: tuple[int, ...]) -> Pair:
        """Give the size of an image with its padding."""
        vertical, horizontal = self.padding
        return size[0] + sum(vertical), size[1] + sum(horizontal)

    def sizes(self, size: tuple[int, ...]) -> Pair:
        """Count the windows on an image of `size`, (vertical, horizontal); below 1 if none fits."""
        height, width = (
            (padded - (kernel - 1) * dilation - 1) // stride + 1
            for padded, kernel, stride, dilation in zip(
                self.padded(size), self.kernel, self.stride, self.dilation, strict=True
            )
        )
        return height, width

    def counts(self, size: tuple[int, ...]) -> Integers:
        """Count the pixels, not padded, that each window on an image of `size` meets: (OH, OW)."""
        along = []
        for axis, windows in enumerate(self.sizes(size)):
            first = np.arange(windows) * self.stride[axis] - self.padding[axis][0]
            kernel, apart = self.kernel[axis], self.dilation[axis]
            least = np.maximum(-(first // apart), 0)  # the first and the last that meets a pixel
            last = np.minimum((size[axis] - 1 - first) // apart, kernel - 1)
            along.append(np.maximum(last - least + 1, 0))
        return np.multiply.outer(*along)

    def columns(self, x: Codes, *, fill: int = 0) -> Codes:
        """Make the im2col tensor (n, C, kh, kw, OH, OW) of x (n, C, H, W), padded with `fill`."""
        (sh, sw), (dh, dw) = self.stride, self.dilation
        (top, _), (left, _) = self.padding
        n, channels, *size = x.shape
        if self.padded(tuple(size)) != tuple(size):
            padded = np.full((n, channels, *self.padded(tuple(size))), fill, x.dtype)
            padded[:, :, top : top + size[0], left : left + size[1]] = x
            x = padded
        span = tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        windows = sliding_window_view(x, span, axis=(2, 3), subok=True)
        windows = windows[:, :, ::sh, ::sw, ::dh, ::dw]  # (n, C, OH, OW, kh, kw)
        return np.ascontiguousarray(windows.transpose(0, 1, 4, 5, 2, 3))
