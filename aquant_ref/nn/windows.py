"""Slide windows over NCHW images: geometry, im2col and its transpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.integer import geometry
from aquant_ref.typing import Array, Integers

Pair = int | tuple[int, int]
Padding = int | tuple[Pair, Pair]

# An im2col matrix of about this many bytes stays in the second-level cache.
BLOCK_BYTES = 4 << 20


def pair(value: Pair) -> tuple[int, int]:
    """Return a kernel as (vertical, horizontal); raise InputError if it is not one."""
    return geometry.pair("kernel", value)


def geometry_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Select the attributes that place windows: stride, padding and dilation."""
    return {key: attributes[key] for key in ("stride", "padding", "dilation") if key in attributes}


def images_per_block(bytes_per_image: int) -> int:
    """Return how many images a block has, so that its temporaries stay in cache: 1 to 8."""
    return max(1, min(8, BLOCK_BYTES // max(1, bytes_per_image)))


class Windows:
    """Hold the geometry of sliding windows over NCHW images, for im2col and its transpose, col2im.

    Spec: AQ-IDEAL-4. `padding` is ((top, bottom), (left, right)), or one number for an axis or for
    all sides. Raise InputError, which names the attribute, for an invalid one, and if no window
    fits.
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
        """Return the windows of a convolution with `attributes`; ignore its other attributes."""
        return cls(shape, kernel, **geometry_of(attributes))

    def block(self, itemsize: int) -> int:
        """Return the images per block for columns of `itemsize` bytes per element."""
        return images_per_block(self.rows * self.positions * itemsize)

    def pad(self, x: Array, value: float = 0) -> Array:
        """Return the images x (n, C, H, W) padded with `value`."""
        if not any(map(any, self.padding)):
            return x
        padded = np.full(self._padded_shape(len(x)), value, x.dtype)
        self.crop(padded)[...] = x
        return padded

    def _padded_shape(self, images: int) -> tuple[int, ...]:
        vertical, horizontal = map(sum, self.padding)
        return images, self.channels, self.height + vertical, self.width + horizontal

    def slices(self) -> list[tuple[int, int, slice, slice]]:
        """Return (i, j, rows, columns) for each kernel position (i, j).

        rows and columns select the padded pixels under (i, j) at all window positions.
        """
        (sh, sw), (dh, dw) = self.stride, self.dilation
        height, width = sh * self.out_height, sw * self.out_width
        return [
            (i, j, slice(i * dh, i * dh + height, sh), slice(j * dw, j * dw + width, sw))
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]

    def columns(self, x: Array, pad_value: float = 0) -> Array:
        """Turn images (n, C, H, W) into columns (n, C, kh, kw, OH, OW), im2col.

        Padded pixels are `pad_value`.
        """
        padded = self.pad(x, pad_value)
        shape = (len(x), self.channels, *self.kernel, self.out_height, self.out_width)
        columns = np.empty(shape, x.dtype)
        for i, j, vertical, horizontal in self.slices():
            columns[:, :, i, j] = padded[:, :, vertical, horizontal]
        return columns

    def images(self, columns: Array) -> Array:
        """Add every copy of a pixel back to it, col2im: the transpose of `columns`."""
        padded = np.zeros(self._padded_shape(len(columns)), columns.dtype)
        for i, j, vertical, horizontal in self.slices():
            padded[:, :, vertical, horizontal] += columns[:, :, i, j]
        return self.crop(padded)

    def crop(self, padded: Array) -> Array:
        """Return the images without their padding: the transpose of `pad`."""
        (top, _), (left, _) = self.padding
        return padded[:, :, top : top + self.height, left : left + self.width]

    def counts(self) -> Integers:
        """Count the real pixels, without padding, of each window: (OH, OW) int64."""
        per_axis = []
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
            # The taps before the end of the image, minus the taps before its start.
            taps_before = [np.clip(-((starts - end) // dilation), 0, kernel) for end in (0, size)]
            per_axis.append(taps_before[1] - taps_before[0])
        return np.multiply.outer(*per_axis)
