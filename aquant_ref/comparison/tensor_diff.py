"""Count how much two tensors differ, and describe where.

Spec: AQ-TRACE-1, AQ-TRACE-2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aquant_ref.comparison.patterns import Differing, Guess, guesses
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.typing import Array, Mask

IMAGES = 64  # are described at once; the guesses are made from the first so many that differ
SHOWN = 5  # elements that a description lists


@dataclass(frozen=True)
class TensorDiff:
    """Two tensors of one name: `mismatches` of `elements` differ, by at most `maximum`.

    `why` is empty, or says why the tensors cannot be compared: one is missing, or the shapes
    differ. `note` states what is no difference by itself, such as two dtypes.
    """

    name: str
    elements: int = 0
    mismatches: int = 0
    maximum: float = 0
    why: str = ""
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether both tensors exist and no element differs."""
        return not self.why and not self.mismatches


def difference(name: str, a: Array | None, b: Array | None) -> TensorDiff:
    """Count the elements in which two tensors (N, ...) differ; None stands for a missing one.

    Spec: AQ-TRACE-1. Values are compared whatever their dtypes.
    """
    if a is None or b is None:
        words = f"is only in {'B' if a is None else 'A'}"
        if name == IMAGE:  # an input: a recording need not repeat it
            return TensorDiff(name, note=words)
        return TensorDiff(name, why=words)
    note = "" if a.dtype == b.dtype else f"{a.dtype} in A, {b.dtype} in B"
    if a.shape != b.shape:
        why = f"has shape {a.shape} in A, {b.shape} in B"
        if a.ndim == 4 and np.array_equal(a.swapaxes(2, 3), b):
            why += ", and is equal after height and width are exchanged"
        return TensorDiff(name, why=why, note=note)
    mismatches, maximum = 0, 0.0
    for image_a, image_b in zip(a, b, strict=True):  # one at a time, so that the copies are small
        differ = image_a != image_b
        if differ.any():
            mismatches += int(np.count_nonzero(differ))
            steps = _signed(image_b[differ]) - _signed(image_a[differ])
            maximum = max(maximum, float(abs(steps).max()))
    return TensorDiff(name, a.size, mismatches, maximum, note=note)


def differences(
    a: Mapping[str, Array], b: Mapping[str, Array], order: Sequence[str] = ()
) -> tuple[TensorDiff, ...]:
    """Compare all tensors of two runs: first those in `order`, then the others as stored."""
    names = dict.fromkeys((*order, *a, *b))
    return tuple(
        difference(name, a.get(name), b.get(name)) for name in names if name in a or name in b
    )


@dataclass(frozen=True)
class Place:
    """One element that differs: its index (image, channel, row, column) and its two values."""

    index: tuple[int, ...]
    a: float
    b: float


@dataclass(frozen=True)
class Divergence:
    """Where and how tensor `name` differs.

    `images` is the number of images that differ; `channels` maps each channel that differs to its
    mismatches. `at_edge` and `interior` count mismatches by place; both are 0 for a tensor without
    height and width. `ties` counts exact ties, `fragile` the decisions that a certificate names
    fragile; either is None if that is unknown. `guesses` come from the first IMAGES images.
    """

    name: str
    mismatches: int
    maximum: float
    images: int
    channels: dict[int, int]
    at_edge: int
    interior: int
    places: tuple[Place, ...]
    guesses: tuple[Guess, ...]
    ties: int | None = None
    fragile: int | None = None


Masks = tuple[Mask | None, Mask | None]  # `ties` and `fragile` of `Differing`


def _no_masks(_images: list[int]) -> Masks:
    return None, None


def describe(
    name: str,
    a: Array,
    b: Array,
    *,
    edge: Mask | None = None,
    masks: Callable[[list[int]], Masks] = _no_masks,
) -> Divergence:
    """Describe where and how `b` differs from `a`, both (N, C, H, W), (N, C) or (N,), of one shape.

    Spec: AQ-TRACE-1, AQ-TRACE-2. `edge` (H, W) defaults to the outermost ring. `masks` takes the
    numbers of some images and returns their ties and fragile elements. Raises ValueError if the two
    are equal.
    """
    counts = difference(name, a, b)
    shape = _four(a).shape
    edge = outermost(shape[2:]) if edge is None else edge
    images = [n for n in range(len(a)) if not np.array_equal(a[n], b[n])]
    blocks = (images[start : start + IMAGES] for start in range(0, len(images), IMAGES))
    channels, (at_edge, ties, fragile) = np.zeros(shape[1], np.int64), np.zeros(3, np.int64)
    first: Differing | None = None
    for block in blocks:
        marks = (None if mask is None else _four(mask) for mask in masks(block))
        differing = Differing(_four(a[block]), _four(b[block]), edge, *marks)
        first = first or differing
        channels += differing.channels
        at_edge += differing.among(edge)
        ties += differing.among(differing.ties)
        fragile += differing.among(differing.fragile)
    if first is None:
        raise ValueError(f"{name}: nothing differs")
    spatial = a.ndim == 4
    return Divergence(
        name,
        counts.mismatches,
        counts.maximum,
        len(images),
        {channel: int(channels[channel]) for channel in np.flatnonzero(channels).tolist()},
        int(at_edge) if spatial else 0,
        counts.mismatches - int(at_edge) if spatial else 0,
        _places(images, first, a.ndim),
        guesses(first),
        None if first.ties is None else int(ties),
        None if first.fragile is None else int(fragile),
    )


def _four(tensor: Array) -> Array:
    """Return the tensor as (N, C, H, W), with size 1 for each missing axis."""
    return tensor.reshape(len(tensor), *(*tensor.shape[1:], 1, 1)[:2], -1)


def _places(images: list[int], block: Differing, axes: int) -> tuple[Place, ...]:
    places = np.argwhere(block.mask)[:SHOWN].tolist()
    return tuple(
        Place((images[n], *rest)[:axes], block.a[(n, *rest)].item(), block.b[(n, *rest)].item())
        for n, *rest in places
    )


def outermost(shape: tuple[int, ...]) -> Mask:
    """Return (H, W), true in the first and last row and column."""
    ring = np.ones(shape, bool)
    ring[1:-1, 1:-1] = False
    return ring


def _signed(values: Array) -> Array:
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
