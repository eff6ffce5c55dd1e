"""Families of cases: each is constructed so that certain faults show, and says which.

Random numbers find few of them: of 20,000 random accumulators none is a tie. So ties and their
neighbours, the ends of types and ranges, odd zero points and unequal scales are built on purpose,
and random numbers are one family among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.conformance.cases.draw import Draw
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import Operation
from aquant_ref.typing import Array

Columns = dict[str, Array]  # one entry a case, by field

# int64 holds every i32 too, and an answer that is none shows as it is
DTYPES: dict[str, Any] = {"i32": np.int64, "i64": np.int64, "f64": np.float64}


@dataclass(frozen=True)
class Family:
    """Cases that carry `flag`: what they are, and the faults (`defects.FAULTS`) they catch.

    `rejects`: inputs that have to be refused. `edition`: the minor version of the vectors that
    brought it; the families of each take turns among themselves, as a sequence never changes.
    """

    flag: str
    make: Callable[[Draw, Selection], Columns]
    description: str
    catches: tuple[str, ...]
    rejects: bool = False
    edition: int = 0


@dataclass(frozen=True)
class Cases:
    """Cases of one operation as columns; `flags[kind[k]]` are those of the k-th, `ids[k]` its name.

    A column is an array (n,); of a tensor operation one of objects: arrays, Python's numbers, JSON.
    """

    operation: Operation
    profile: str
    ids: Sequence[str]
    flags: Sequence[tuple[str, ...]]
    kind: Array
    columns: Columns

    def __len__(self) -> int:
        return len(self.ids)

    def inputs(self, k: int) -> dict[str, Any]:
        """The fields of the k-th case as Python's own numbers, tensors as nested lists."""
        return {name: plain(column[k]) for name, column in self.columns.items()}

    def take(self, chosen: Sequence[int] | Array) -> Cases:
        """Only the cases at these positions."""
        return Cases(
            self.operation,
            self.profile,
            [self.ids[k] for k in chosen],
            self.flags,
            self.kind[chosen],
            {name: column[chosen] for name, column in self.columns.items()},
        )


def plain(value: Any) -> Any:
    """A number or an array of numpy as Python's own numbers, in nested lists."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def objects(values: Sequence[Any]) -> Array:
    """An array (n,) that holds these, whatever they are."""
    column = np.empty(len(values), object)
    for k, value in enumerate(values):
        column[k] = value
    return column


def blank_results(operation: Operation, count: int) -> list[Array]:
    """Return a column of zeros for each result field; of None for an operation on tensors."""
    if operation.scalar:
        return [np.zeros(count, DTYPES[field.type]) for field in operation.result]
    return [objects([None] * count) for _ in operation.result]


# What several operations draw: ranges of codes with an odd zero point


def code_ranges(draw: Draw, selection: Selection) -> tuple[Array, Array]:
    """The ends qmin and qmax of any selected width and sign."""
    qmin, qmax = np.array(selection.ranges).T
    which = draw.integers(0, len(qmin) - 1)
    return qmin[which], qmax[which]


def odd_zero_point(draw: Draw, qmin: Array, qmax: Array) -> Array:
    """An odd code of the range; that a zero point is odd is what shows when it is added."""
    return np.asarray(np.clip(draw.integers(qmin, qmax) | 1, qmin, qmax))


def between(draw: Draw, low: Array, high: Array) -> Array:
    """Uniform in low..high, or low where there is nothing."""
    return draw.integers(low, np.maximum(low, high))


def beside_ends(draw: Draw, qmin: Array, qmax: Array) -> Array:
    """Codes up to two steps inside or outside either end."""
    return np.asarray(np.where(draw.integers(0, 1) == 1, qmax, qmin) + draw.integers(-2, 2))


def relu6_range(draw: Draw, zero: Array, qmin: Array, qmax: Array) -> tuple[Array, Array]:
    """What a ReLU6 leaves of a range: from the zero point, which moves off qmax, to below qmax."""
    low = np.where(zero == qmax, qmin, zero)
    return low, between(draw, low, qmax - 1)


def bit_length(values: Array) -> Array:
    """Of the absolute values, which are below 2^53."""
    return np.frexp(abs(values).astype(np.float64))[1].astype(np.int64)


def constant(draw: Draw, value: ArrayLike) -> Array:
    """The same value for every case."""
    return np.full(len(draw), value)
