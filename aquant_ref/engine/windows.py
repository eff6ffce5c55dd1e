"""Sliding windows as the engine has them, in integers; the float side has those of `nn.windows`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Windows of `kernel` pixels that are `dilation` apart, one window each `stride` pixels.

    Spec: AQ-IDEAL-4. Pairs are (vertical, horizontal); `padding` is ((top, bottom), (left, right)).
    """

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair

    @classmethod
    def of(cls, attributes: Mapping[str, Any], kernel: tuple[int, ...] | None = None) -> Windows:
        """The windows of an instruction; of a convolution the kernel is that of its weight."""
        height, width = attributes["kernel"] if kernel is None else kernel
        (top, bottom), (left, right) = attributes["padding"]
        stride, dilation = tuple(attributes["stride"]), tuple(attributes["dilation"])
        return cls((height, width), stride, ((top, bottom), (left, right)), dilation)

    def padded(self, size: tuple[int, ...]) -> Pair:
        """The size of an image with its padding."""
        vertical, horizontal = self.padding
        return size[0] + sum(vertical), size[1] + sum(horizontal)

    def sizes(self, size: tuple[int, ...]) -> Pair:
        """How many windows an image of `size` has, (vertical, horizontal); below 1 if none fits."""
        height, width = (
            (padded - (kernel - 1) * dilation - 1) // stride + 1
            for padded, kernel, stride, dilation in zip(
                self.padded(size), self.kernel, self.stride, self.dilation, strict=True
            )
        )
        return height, width

    def counts(self, size: tuple[int, ...]) -> Array:
        """(OH, OW) int64: how many pixels of an image of `size`, not padded, each window meets."""
        along = []
        for axis, windows in enumerate(self.sizes(size)):
            first = np.arange(windows) * self.stride[axis] - self.padding[axis][0]
            kernel, apart = self.kernel[axis], self.dilation[axis]
            least = np.maximum(-(first // apart), 0)  # the first and the last that meets a pixel
            last = np.minimum((size[axis] - 1 - first) // apart, kernel - 1)
            along.append(np.maximum(last - least + 1, 0))
        return np.multiply.outer(*along)

    def columns(self, x: Array, *, fill: int = 0) -> Array:
        """im2col (n, C, kh, kw, OH, OW) of x (n, C, H, W), padded with `fill`."""
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
