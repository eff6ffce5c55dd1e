"""What may be wrong with a tensor, guessed from how it differs from the one it should equal.

Each guess is a property that a certain defect gives, and that differences do not have by chance: of
few cells nothing is said. Several may hold; the first is the most telling. Spec: AQ-TRACE-2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FEW = 8  # so many cells say nothing of a whole tensor
CHANCE = 1e-3  # what would happen by chance less often than this is taken as a sign


@dataclass(frozen=True)
class Differing:
    """Two tensors (n, C, H, W) of one shape that differ, `a` as it should be.

    `edge` (H, W): which positions are at the edge of the image. `ties` and `fragile` (n, C, H, W):
    where the exact accumulator lies on a threshold, and where a certificate lets a simulation
    decide as `b` does; None if that is not known.
    """

    a: Array
    b: Array
    edge: Array
    ties: Array | None = None
    fragile: Array | None = None

    @cached_property
    def mask(self) -> Array:
        """Where they differ."""
        return np.asarray(self.a != self.b)

    @cached_property
    def count(self) -> int:
        """In how many cells."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def steps(self) -> Array:
        """B - A in these cells."""
        return np.asarray(_wide(self.b[self.mask]) - _wide(self.a[self.mask]))

    @cached_property
    def channels(self) -> Array:
        """(C,) how many of them each channel has."""
        return np.asarray(self.mask.sum(axis=(0, 2, 3)))

    def among(self, cells: Array | None) -> int:
        """How many of them are in `cells`."""
        return 0 if cells is None else int(np.count_nonzero(self.mask & cells))


@dataclass(frozen=True)
class Guess:
    """A class of defects, and the evidence for it in a sentence."""

    defect: str
    evidence: str


def guesses(differing: Differing) -> tuple[Guess, ...]:
    """All classes of defects that the differences speak for."""
    found: list[Guess] = []
    for defect, look in DEFECTS.items():
        evidence = look(differing)
        if evidence and (defect != "off by one" or not found):  # said only where nothing else is
            found.append(Guess(defect, evidence))
    return tuple(found)


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
        moved, there = d.a[:, :, from_rows, from_columns], d.b[:, :, rows, columns]
        if moved.size > FEW and np.ptp(moved) and np.array_equal(moved, there):
            return f"B is A moved by {down} rows and {right} columns"
    return None


def _overlap(step: int, size: int) -> tuple[slice, slice]:
    """Where along an axis B shows A moved by `step`, and from where in A that comes."""
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
    for one, other, words in ((d.a, d.b, "B is A"), (d.b, d.a, "A is B")):
        low, high = other.min(), other.max()
        if low < high and np.array_equal(np.clip(one, low, high), other):
            return f"{words} held within {low} to {high}"
    return None


def _fragile(d: Differing) -> str | None:
    if d.among(d.fragile) < d.count:
        return None
    return f"all {d.count} cells are decisions named fragile, and no defects"


def _tied(d: Differing) -> str | None:
    if d.among(d.ties) < d.count:
        return None
    return f"all {d.count} cells are exact ties: the accumulator lies on the threshold"


def _one_channel(d: Differing) -> str | None:
    (concerned,) = np.nonzero(d.channels)
    if len(concerned) > 1 or (1 / len(d.channels)) ** (d.count - 1) > CHANCE:
        return None
    return f"all {d.count} cells are in channel {concerned[0]} of {len(d.channels)}"


def _edges(d: Differing) -> str | None:
    if d.among(d.edge) < d.count or d.edge.mean() ** d.count > CHANCE:
        return None
    return f"all {d.count} cells are at the edge of the image"


def _rounded(d: Differing) -> str | None:
    if d.count <= FEW or (abs(d.steps) != 1).any():
        return None
    up = int((d.steps > 0).sum())
    return f"all {d.count} cells are off by one, {up} up and {d.count - up} down"


DEFECTS: dict[str, Callable[[Differing], str | None]] = {
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
