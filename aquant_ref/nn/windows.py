"""Sliding windows over NCHW images: geometry, im2col and its transpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.integer import geometry

Array = NDArray[Any]
Pair = int | tuple[int, int]
Padding = int | tuple[Pair, Pair]

# A block of images whose im2col matrix has about this many bytes stays in the second-level cache.
BLOCK_BYTES = 4 << 20


def pair(value: Pair) -> tuple[int, int]:
    """A kernel given once for both axes, or as (vertical, horizontal); raises InputError."""
    return geometry.pair("kernel", value)


def geometry_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the attributes that say where windows are, but for the kernel."""
    return {key: attributes[key] for key in ("stride", "padding", "dilation") if key in attributes}


def images_per_block(bytes_per_image: int) -> int:
    """How many images to work on at once so that their temporaries stay in cache."""
    return max(1, min(8, BLOCK_BYTES // max(1, bytes_per_image)))


class Windows:
    """The geometry of sliding windows over NCHW images: im2col and its transpose, col2im.

    Spec: AQ-IDEAL-4. `padding` is ((top, bottom), (left, right)), or one number for an axis or for
    all sides. Raises InputError, which names the attribute, where it makes no window or none fits.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        kernel: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
    ) -> None:
        if len(shape) != 4:
            raise InputError(f"windows: need images (N, C, H, W), got shape {tuple(shape)}")
        self.channels, self.height, self.width = shape[1:]
        self.out_height, self.out_width = geometry.sizes(
            shape[1:], kernel, stride, padding, dilation
        )
        self.kernel, self.stride = pair(kernel), geometry.pair("stride", stride)
        self.padding, self.dilation = geometry.sides(padding), geometry.pair("dilation", dilation)
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
        along = []
        axes = zip(
            (self.height, self.width),
            (self.out_height, self.out_width),
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            strict=True,
        )
        for size, windows, kernel, stride, (before, _), dilation in axes:
            starts = stride * np.arange(windows, dtype=np.int64) - before
            # of its taps those before the end of the image, less those before its start
            ahead, inside = (np.clip(-((starts - end) // dilation), 0, kernel) for end in (0, size))
            along.append(inside - ahead)
        return np.multiply.outer(*along)
