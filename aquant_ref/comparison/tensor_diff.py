"""How much each tensor of a recorded run differs from that of another, and where the first does.

Spec: AQ-TRACE-1, AQ-TRACE-2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.comparison.patterns import Differing, Guess, guesses
from aquant_ref.engine.instruction import IMAGE

Array = NDArray[Any]

IMAGES = 64  # that differ are looked at together; of the first of them a defect is guessed
SHOWN = 5  # positions


@dataclass(frozen=True)
class TensorDiff:
    """Two tensors of one name: `mismatches` of `elements` differ, by `maximum` at most.

    `why` is empty, or says why they cannot be compared: one is missing, or the shapes differ.
    `note` says what does not matter by itself, such as two dtypes.
    """

    name: str
    elements: int = 0
    mismatches: int = 0
    maximum: float = 0
    why: str = ""
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether both are there and nothing differs."""
        return not self.why and not self.mismatches


def difference(name: str, a: Array | None, b: Array | None) -> TensorDiff:
    """Count the elements in which two tensors differ."""
    if a is None or b is None:
        words = f"is only in {'B' if a is None else 'A'}"
        if name == IMAGE:  # an input: a recording need not repeat it
            return TensorDiff(name, note=words)
        return TensorDiff(name, why=words)
    note = "" if a.dtype == b.dtype else f"{a.dtype} in A, {b.dtype} in B"
    if a.shape != b.shape:
        why = f"has shape {a.shape} in A, {b.shape} in B"
        if a.ndim == 4 and np.array_equal(a.swapaxes(2, 3), b):
            why += ", and is equal with height and width exchanged"
        return TensorDiff(name, why=why, note=note)
    mismatches, maximum = 0, 0.0
    for one, other in zip(a, b, strict=True):  # image by image, so that little is copied
        differ = one != other
        if differ.any():
            mismatches += int(np.count_nonzero(differ))
            maximum = max(maximum, float(abs(_signed(other[differ]) - _signed(one[differ])).max()))
    return TensorDiff(name, a.size, mismatches, maximum, note=note)


def differences(
    a: Mapping[str, Array], b: Mapping[str, Array], order: Sequence[str] = ()
) -> tuple[TensorDiff, ...]:
    """All tensors of the two, those of `order` first and then as they come."""
    names = dict.fromkeys((*order, *a, *b))
    return tuple(
        difference(name, a.get(name), b.get(name)) for name in names if name in a or name in b
    )


@dataclass(frozen=True)
class Place:
    """One cell that differs: its index (image, channel, row, column), and what each has there."""

    index: tuple[int, ...]
    a: float
    b: float


@dataclass(frozen=True)
class Divergence:
    """Where and how tensor `name` differs.

    `images`: how many do; `channels`: mismatches by channel, of those that have any; `at_edge` and
    `interior`: how many cells lie where, which for a tensor without height and width is nowhere;
    `ties` and `fragile`: in how many the decision is an exact tie, or one named fragile, if that is
    known. The guesses are made from the first IMAGES of those that differ.
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


Masks = tuple[Array | None, Array | None]  # ties and fragile cells, as in `Differing`


def describe(
    name: str,
    a: Array,
    b: Array,
    *,
    edge: Array | None = None,
    look: Callable[[list[int]], Masks] = lambda images: (None, None),
) -> Divergence:
    """Where and how `b` differs from `a`, both (N, C, H, W) or (N, C) or (N,), of one shape.

    `edge` (H, W) is the outermost ring if it is not given; `look` finds the ties and the fragile
    cells of the images of these numbers.
    """
    counted = difference(name, a, b)
    shape = _four(a).shape
    edge = outermost(shape[2:]) if edge is None else edge
    images = [n for n in range(len(a)) if not np.array_equal(a[n], b[n])]
    parts = (images[start : start + IMAGES] for start in range(0, len(images), IMAGES))
    channels, (at_edge, ties, fragile) = np.zeros(shape[1], np.int64), np.zeros(3, np.int64)
    first: Differing | None = None
    for part in parts:
        masks = (None if mask is None else _four(mask) for mask in look(part))
        differing = Differing(_four(a[part]), _four(b[part]), edge, *masks)
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
        counted.mismatches,
        counted.maximum,
        len(images),
        {channel: int(channels[channel]) for channel in np.flatnonzero(channels).tolist()},
        int(at_edge) if spatial else 0,
        counted.mismatches - int(at_edge) if spatial else 0,
        _places(images, first, a.ndim),
        guesses(first),
        None if first.ties is None else int(ties),
        None if first.fragile is None else int(fragile),
    )


def _four(tensor: Array) -> Array:
    """As (N, C, H, W), with sizes of 1 for axes that it does not have."""
    return tensor.reshape(len(tensor), *(*tensor.shape[1:], 1, 1)[:2], -1)


def _places(images: list[int], part: Differing, axes: int) -> tuple[Place, ...]:
    places = np.argwhere(part.mask)[:SHOWN].tolist()
    return tuple(
        Place((images[n], *rest)[:axes], part.a[(n, *rest)].item(), part.b[(n, *rest)].item())
        for n, *rest in places
    )


def outermost(shape: tuple[int, ...]) -> Array:
    """(H, W), true in the first and last row and column."""
    ring = np.ones(shape, bool)
    ring[1:-1, 1:-1] = False
    return ring


def _signed(values: Array) -> Array:
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
