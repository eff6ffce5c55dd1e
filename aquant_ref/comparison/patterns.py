"""Guess what is wrong with a tensor from how it differs from the one that it should equal.

Each guess names a property that a certain defect causes and chance does not. Too few differing
elements give no guess. Several guesses may apply; the most specific comes first. Spec: AQ-TRACE-2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from aquant_ref.errors import counted
from aquant_ref.typing import Array, Integers, Mask

FEW = 8  # up to this many elements are no evidence about a whole tensor
CHANCE = 1e-3  # a property less probable than this by chance is evidence


@dataclass(frozen=True)
class Differing:
    """Two tensors (n, C, H, W) of one shape that differ; `a` is the right one.

    `edge` (H, W) marks the positions at the edge of the image. `ties` (n, C, H, W) marks where the
    exact accumulator lies on a threshold, `fragile` where a certificate lets a simulation decide as
    `b` does; either is None if that is unknown.
    """

    a: Array
    b: Array
    edge: Mask
    ties: Mask | None = None
    fragile: Mask | None = None

    @cached_property
    def mask(self) -> Mask:
        """The elements that differ, (n, C, H, W)."""
        return np.asarray(self.a != self.b)

    @cached_property
    def count(self) -> int:
        """The number of elements that differ."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def steps(self) -> Array:
        """B - A of the elements that differ."""
        return np.asarray(_wide(self.b[self.mask]) - _wide(self.a[self.mask]))

    @cached_property
    def channels(self) -> Integers:
        """The number of elements that differ in each channel, (C,)."""
        return np.asarray(self.mask.sum(axis=(0, 2, 3)))

    def among(self, elements: Mask | None) -> int:
        """Count the elements that differ and are marked in `elements`."""
        return 0 if elements is None else int(np.count_nonzero(self.mask & elements))


@dataclass(frozen=True)
class Guess:
    """A class of defects, and one sentence of evidence for it."""

    defect: str
    evidence: str


def guesses(differing: Differing) -> tuple[Guess, ...]:
    """Return a guess for each of `PATTERNS` that the differences show.

    Spec: AQ-TRACE-2.
    """
    shown: list[Guess] = []
    for defect, evidence_of in PATTERNS.items():
        evidence = evidence_of(differing)
        if evidence and (defect != "off by one" or not shown):  # the least specific
            shown.append(Guess(defect, evidence))
    return tuple(shown)


def _wide(values: Array) -> Array:
    return values if values.dtype.kind == "f" else values.astype(np.int64)


def _constant(d: Differing) -> str | None:
    if d.count <= FEW or np.ptp(d.b) or not np.ptp(d.a):
        return None
    return f"B is {d.b.flat[0]} everywhere"


def _transposed(d: Differing) -> str | None:
    if d.count <= FEW:
        return None
    views: dict[str, Callable[[Array], Array]] = {
        "height and width exchanged": lambda x: x.swapaxes(2, 3),
        "its rows in reverse": lambda x: x[:, :, ::-1],
        "its columns in reverse": lambda x: x[..., ::-1],
        "its rows and columns in reverse": lambda x: x[:, :, ::-1, ::-1],
        "its channels in reverse": lambda x: x[:, ::-1],
    }
    for words, view in views.items():
        if np.array_equal(view(d.a), d.b):
            return f"B is A with {words}"
    return None


def _shifted(d: Differing) -> str | None:
    if d.count <= FEW:
        return None
    for down, right in product((0, -1, 1), repeat=2):
        (rows, from_rows), (columns, from_columns) = map(_overlap, (down, right), d.a.shape[2:])
        moved, overlap = d.a[:, :, from_rows, from_columns], d.b[:, :, rows, columns]
        if moved.size > FEW and np.ptp(moved) and np.array_equal(moved, overlap):
            return f"B is A moved by {counted(down, 'row')} and {counted(right, 'column')}"
    return None


def _overlap(step: int, size: int) -> tuple[slice, slice]:
    """Return the slices of B and of A, along one axis, that are equal if B is A moved by `step`."""
    to = slice(max(step, 0), size + min(step, 0))
    return to, slice(to.start - step, to.stop - step)


def _sign(d: Differing) -> str | None:
    total = _wide(d.a) + _wide(d.b)
    if d.count <= FEW or np.ptp(total) or not np.ptp(d.a):
        return None
    return f"A + B is {total.flat[0]} everywhere"


def _offset(d: Differing) -> str | None:
    if d.count <= FEW or (np.ptp(d.a) and not np.ptp(d.b)):
        return None
    step = d.steps[0]
    low, high = min(d.a.min(), d.b.min()), max(d.a.max(), d.b.max())
    if not np.array_equal(np.clip(_wide(d.a) + step, low, high), d.b):
        return None
    words = f"B is A {step:+} everywhere, within {low} to {high}"
    if abs(step) in (2**8, 2**16):
        return f"{words}: signed codes read as unsigned ones, or the reverse"
    return words


def _saturated(d: Differing) -> str | None:
    if d.count <= FEW:
        return None
    for whole, clipped, words in ((d.a, d.b, "B is A"), (d.b, d.a, "A is B")):
        low, high = clipped.min(), clipped.max()
        if low < high and np.array_equal(np.clip(whole, low, high), clipped):
            return f"{words} clipped to {low} to {high}"
    return None


def _all(d: Differing) -> str:
    return f"all {counted(d.count, 'element is', 'elements are')}"


def _fragile(d: Differing) -> str | None:
    if d.among(d.fragile) < d.count:
        return None
    return f"{_all(d)} fragile decisions, so none is a defect"


def _tied(d: Differing) -> str | None:
    if d.among(d.ties) < d.count:
        return None
    return f"{_all(d)} exact ties: the accumulator lies on the threshold"


def _one_channel(d: Differing) -> str | None:
    (channels,) = np.nonzero(d.channels)
    if len(channels) > 1 or (1 / len(d.channels)) ** (d.count - 1) > CHANCE:
        return None
    return f"{_all(d)} in channel {channels[0]} of {len(d.channels)}"


def _edges(d: Differing) -> str | None:
    if d.among(d.edge) < d.count or d.edge.mean() ** d.count > CHANCE:
        return None
    return f"{_all(d)} at the edge of the image"


def _rounded(d: Differing) -> str | None:
    if d.count <= FEW or (abs(d.steps) != 1).any():
        return None
    up = int((d.steps > 0).sum())
    return f"{_all(d)} off by one, {up} up and {d.count - up} down"


# The most specific first; each gives a sentence of evidence, or None.
PATTERNS: dict[str, Callable[[Differing], str | None]] = {
    "constant": _constant,
    "transposed": _transposed,
    "shifted": _shifted,
    "sign": _sign,
    "zero point": _offset,
    "saturation": _saturated,
    "rounding of floats": _fragile,
    "ties": _tied,
    "one channel": _one_channel,
    "padding": _edges,
    "off by one": _rounded,
}
