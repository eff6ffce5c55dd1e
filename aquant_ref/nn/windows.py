"""Sliding windows over NCHW images: geometry, im2col and its transpose."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = int | tuple[int, int]
Padding = int | tuple[Pair, Pair]
Sides = tuple[tuple[int, int], tuple[int, int]]

# A block of images whose im2col matrix has about this many bytes stays in the second-level cache.
BLOCK_BYTES = 4 << 20


def pair(value: Pair) -> tuple[int, int]:
    """An attribute given once for both axes, or as (vertical, horizontal)."""
    if isinstance(value, int):
        return value, value
    first, second = value
    return index(first), index(second)


def sides(padding: Padding) -> Sides:
    """Padding as ((top, bottom), (left, right)): given so, or once for both sides of an axis, or
    once for all.

    >>> sides(1), sides((2, (0, 1)))
    (((1, 1), (1, 1)), ((2, 2), (0, 1)))
    """
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    return pair(vertical), pair(horizontal)


def _output_size(
    size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int
) -> int:
    """Window positions along one axis: floor((size + padding - extent) / stride) + 1, where a
    kernel extends over (kernel - 1)*dilation + 1 pixels.
    """
    return (size + sum(padding) - (kernel - 1) * dilation - 1) // stride + 1


def geometry_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the attributes that say where windows are, but for the kernel."""
    return {key: attributes[key] for key in ("stride", "padding", "dilation") if key in attributes}


def images_per_block(bytes_per_image: int) -> int:
    """How many images to work on at once so that their temporaries stay in cache."""
    return max(1, min(8, BLOCK_BYTES // max(1, bytes_per_image)))


class Windows:
    """The geometry of sliding windows over NCHW images: im2col and its transpose, col2im.

    Spec: AQ-IDEAL-4. Raises ValueError where the attributes make no window or none fits.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        kernel: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
    ) -> None:
        self.channels, self.height, self.width = shape[1:]
        self.kernel, self.stride, self.dilation = pair(kernel), pair(stride), pair(dilation)
        self.padding = sides(padding)
        if min(self.kernel + self.stride + self.dilation) < 1 or min(map(min, self.padding)) < 0:
            raise ValueError(
                f"kernel {kernel}, stride {stride}, padding {padding} and dilation {dilation} "
                "make no window"
            )
        size = self.height, self.width
        axes = zip(size, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        self.out_height, self.out_width = (_output_size(*axis) for axis in axes)
        if self.out_height < 1 or self.out_width < 1:
            raise ValueError(
                f"a window of {self.kernel} does not fit an image of {self.height}x{self.width}"
            )
        self.rows = self.channels * self.kernel[0] * self.kernel[1]
        self.positions = self.out_height * self.out_width

    @classmethod
    def of(cls, shape: tuple[int, ...], kernel: Pair, attributes: Mapping[str, Any]) -> Windows:
        """The windows of a convolution that `attributes`, among others, describe."""
        return cls(shape, kernel, **geometry_of(attributes))

    def block(self, itemsize: int) -> int:
        """Images per block for tensors of `itemsize` bytes an element."""
        return images_per_block(self.rows * self.positions * itemsize)

    def pad(self, x: Array, value: float = 0) -> Array:
        """The images with their border of `value`."""
        if not any(map(any, self.padding)):
            return x
        padded = np.full(self._padded_shape(len(x)), value, x.dtype)
        self.crop(padded)[...] = x
        return padded

    def _padded_shape(self, images: int) -> tuple[int, ...]:
        vertical, horizontal = map(sum, self.padding)
        return images, self.channels, self.height + vertical, self.width + horizontal

    def slices(self) -> list[tuple[int, int, slice, slice]]:
        """For each kernel position (i, j), the padded pixels that it meets over all window
        positions.
        """
        (sh, sw), (dh, dw) = self.stride, self.dilation
        height, width = sh * self.out_height, sw * self.out_width
        return [
            (i, j, slice(i * dh, i * dh + height, sh), slice(j * dw, j * dw + width, sw))
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]

    def columns(self, x: Array, pad_value: float = 0) -> Array:
        """im2col: (n, C, H, W) -> (n, C, kh, kw, OH, OW); padded pixels hold `pad_value`."""
        padded = self.pad(x, pad_value)
        shape = (len(x), self.channels, *self.kernel, self.out_height, self.out_width)
        columns = np.empty(shape, x.dtype)
        for i, j, vertical, horizontal in self.slices():
            columns[:, :, i, j] = padded[:, :, vertical, horizontal]
        return columns

    def images(self, columns: Array) -> Array:
        """col2im, the transpose of `columns`: every copy of a pixel is added back to it."""
        padded = np.zeros(self._padded_shape(len(columns)), columns.dtype)
        for i, j, vertical, horizontal in self.slices():
            padded[:, :, vertical, horizontal] += columns[:, :, i, j]
        return self.crop(padded)

    def crop(self, padded: Array) -> Array:
        """The images without their border, the transpose of `pad`."""
        (top, _), (left, _) = self.padding
        return padded[:, :, top : top + self.height, left : left + self.width]

    def counts(self) -> Array:
        """(OH, OW) int64: how many real, not padded, pixels each window meets."""
        ones = np.ones((1, 1, self.height, self.width), np.int64)
        one_channel = Windows(ones.shape, self.kernel, self.stride, self.padding, self.dilation)
        return np.asarray(one_channel.columns(ones)[0, 0].sum(axis=(0, 1)))
