"""Sliding windows over NCHW images: geometry, im2col and its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = int | tuple[int, int]

# A block of images whose im2col matrix has about this many bytes stays in the second-level cache.
BLOCK_BYTES = 4 << 20


def pair(value: Pair) -> tuple[int, int]:
    """An attribute given once for both axes, or as (vertical, horizontal)."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """Window positions along one axis: floor((size + 2*padding - kernel) / stride) + 1."""
    return (size + 2 * padding - kernel) // stride + 1


def images_per_block(bytes_per_image: int) -> int:
    """How many images to work on at once so that their temporaries stay in cache."""
    return max(1, min(8, BLOCK_BYTES // max(1, bytes_per_image)))


class Windows:
    """The geometry of sliding windows over NCHW images: im2col and its transpose, col2im."""

    def __init__(self, shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair) -> None:
        self.channels, self.height, self.width = shape[1:]
        self.kernel, self.stride, self.padding = pair(kernel), pair(stride), pair(padding)
        self.out_height = output_size(self.height, self.kernel[0], self.stride[0], self.padding[0])
        self.out_width = output_size(self.width, self.kernel[1], self.stride[1], self.padding[1])
        if self.out_height < 1 or self.out_width < 1:
            raise ValueError(
                f"window {self.kernel} does not fit an image of {self.height}x{self.width}"
            )
        self.rows = self.channels * self.kernel[0] * self.kernel[1]
        self.positions = self.out_height * self.out_width

    def block(self, itemsize: int) -> int:
        """Images per block for tensors of `itemsize` bytes an element."""
        return images_per_block(self.rows * self.positions * itemsize)

    def pad(self, x: Array, value: float = 0) -> Array:
        """The images with their border of `value`."""
        (ph, pw), h, w = self.padding, self.height, self.width
        if ph == pw == 0:
            return x
        padded = np.full((len(x), self.channels, h + 2 * ph, w + 2 * pw), value, x.dtype)
        padded[:, :, ph : ph + h, pw : pw + w] = x
        return padded

    def slices(self) -> list[tuple[int, int, slice, slice]]:
        """For each kernel position (i, j), the padded pixels that it meets over all window
        positions.
        """
        (kh, kw), (sh, sw) = self.kernel, self.stride
        return [
            (i, j, slice(i, i + sh * self.out_height, sh), slice(j, j + sw * self.out_width, sw))
            for i in range(kh)
            for j in range(kw)
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
        (ph, pw), h, w = self.padding, self.height, self.width
        padded = np.zeros((len(columns), self.channels, h + 2 * ph, w + 2 * pw), columns.dtype)
        for i, j, vertical, horizontal in self.slices():
            padded[:, :, vertical, horizontal] += columns[:, :, i, j]
        return self.crop(padded)

    def crop(self, padded: Array) -> Array:
        """The images without their border, the transpose of `pad`."""
        (ph, pw), h, w = self.padding, self.height, self.width
        return padded[:, :, ph : ph + h, pw : pw + w]
