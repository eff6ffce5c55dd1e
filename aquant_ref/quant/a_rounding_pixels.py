"""A-rounding of a tensor: a pixel is rounded once, and all windows that meet it share the result.

The search of `a_rounding.py` rounds a pixel once for each window it is in, up to kh*kw times and
differently. Here it has one code, as in a stored tensor. The codes of one pixel in all channels are
one small problem of the same kind: its "outputs" are those of the windows that meet the pixel, its
weights the columns of w_hat by which they see it. Pixels that share no window do not interact, so
all of them are searched at once, like windows there:

    pixels of one class, (i mod kh, j mod kw), that are seen through the same kernel elements,

and the classes in turn, over and over (coordinate descent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.a_rounding import ELEMENTS, Layer, checked, moves, nearest
from aquant_ref.threads import map_blocks

Array = NDArray[Any]
Pair = tuple[int, int]


def element_flips(
    x: Array,
    weight: Array,
    target: Array,
    *,
    stride: Pair,
    padding: Pair,
    low: int,
    high: int,
    sweeps: int = 20,
) -> Array:
    """Codes of x (n, C, H, W), in steps, for the output of the convolution that it feeds.

    Spec: AQ-AROUND-4. weight (O, C/groups, kh, kw); target (n, O, OH, OW). Nearest, then greedy
    flips of every pixel in turn, for `sweeps` sweeps or until one changes nothing. float32 or
    float64 as the arguments are. Raises InputError as `greedy_flips` does.
    """
    x, weight, target = checked(x, weight, target, low=low, high=high)
    _check_shapes(x, weight, target, stride=stride, padding=padding)
    outputs, channels, *kernel = weight.shape
    groups = x.shape[1] // channels
    rows, columns = (
        _positions(x.shape[2 + axis], target.shape[2 + axis], kernel[axis], stride=s, padding=p)
        for axis, (s, p) in enumerate(zip(stride, padding, strict=True))
    )
    sites = [
        [Site(i, j, w, low, high) for i in rows for j in columns]
        for w in weight.reshape(groups, outputs // groups, channels, *kernel)
    ]
    codes = nearest(x, low, high)

    def block(images: slice) -> None:
        for group, of_group in enumerate(sites):
            part = slice(group * channels, (group + 1) * channels)
            wanted = slice(group * (outputs // groups), (group + 1) * (outputs // groups))
            residual = -target[images, wanted]  # of codes 0
            _descend(of_group, x[images, part], codes[images, part], residual, sweeps)

    map_blocks(block, len(x), max(1, ELEMENTS // (channels * x.shape[2] * x.shape[3])))
    return codes


def _descend(sites: list[Site], x: Array, codes: Array, residual: Array, sweeps: int) -> None:
    for site in sites:
        site.add(site.take(codes), residual)
    for _ in range(sweeps):
        if not sum(site.flip(x, codes, residual) for site in sites):
            break


@dataclass
class Positions:
    """Positions along one axis that share no window and are met by the same kernel elements.

    Spec: AQ-AROUND-4. Kernel element elements[k] meets position at[m] in window windows[m, k].
    """

    at: Array
    elements: Array
    windows: Array


def _positions(
    size: int, windows: int, kernel: int, *, stride: int, padding: int
) -> list[Positions]:
    found: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
    for at in range(size):
        met = [(at + padding - window * stride, window) for window in range(windows)]
        met = [(element, window) for element, window in met if 0 <= element < kernel]
        if met:  # not so between windows that are further apart than they are wide
            alike = at % kernel, *(element for element, _ in met)
            found.setdefault(alike, []).append((at, [window for _, window in met]))
    return [
        Positions(
            np.array([at for at, _ in members]),
            np.array(alike[1:]),
            np.array([windows for _, windows in members]),
        )
        for alike, members in found.items()
    ]


class Site:
    """Pixels that are searched at once: such rows times such columns, in the channels of a group.

    Spec: AQ-AROUND-4.
    """

    def __init__(self, i: Positions, j: Positions, weight: Array, low: int, high: int) -> None:
        met = weight[:, :, i.elements[:, None], j.elements]  # (O, C, kh, kw), of those that meet it
        self.layer = Layer(met.transpose(0, 2, 3, 1).reshape(-1, weight.shape[1]), low, high)
        self.low, self.high = low, high
        self._pixels = ..., i.at[:, None], j.at
        self._windows = ..., i.windows[:, :, None, None], j.windows
        self._shape = len(i.at), len(j.at), len(weight), len(i.elements), len(j.elements)

    def take(self, x: Array) -> Array:
        """Its pixels of x (n, C, H, W), one a row: (pixels, C)."""
        return x[self._pixels].transpose(0, 2, 3, 1).reshape(-1, x.shape[1])

    def flip(self, x: Array, codes: Array, residual: Array) -> int:
        """Flip its codes while it pays, and keep the residual theirs; how many of them moved."""
        before = self.take(codes)
        after = before.copy()
        met = residual[self._windows].transpose(0, 2, 4, 1, 3, 5).reshape(len(after), -1)
        self.layer.descend(after, moves(self.take(x), after, self.low, self.high), met)
        moved = int(np.count_nonzero(after != before))
        if moved:
            pixels = after.reshape(-1, *self._shape[:2], codes.shape[1])
            codes[self._pixels] = pixels.transpose(0, 3, 1, 2)
            self.add(after - before, residual)
        return moved

    def add(self, codes: Array, residual: Array) -> None:
        """Add what codes (pixels, C) give to the outputs. No two of its pixels share a window."""
        outputs = (codes @ self.layer.weight.T).reshape(-1, *self._shape)
        residual[self._windows] += outputs.transpose(0, 3, 1, 4, 2, 5)


def _check_shapes(x: Array, weight: Array, target: Array, *, stride: Pair, padding: Pair) -> None:
    if x.ndim == weight.ndim == target.ndim == 4 and weight.size:
        outputs, channels, *kernel = weight.shape
        sizes = [
            (x.shape[2 + axis] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1
            for axis in range(2)
        ]
        groups, rest = divmod(x.shape[1], channels)
        fits = target.shape == (len(x), outputs, *sizes)
        if groups and not rest and outputs % groups == 0 and fits:
            return
    raise InputError(
        f"a-rounding: x {x.shape}, weight {weight.shape} and target {target.shape} do not fit "
        f"a convolution with stride {stride} and padding {padding}"
    )
