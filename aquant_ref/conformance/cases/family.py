"""Define families of cases: each is constructed to expose certain faults, and names them.

Random numbers expose few faults: of 20,000 random accumulators none is a tie. So ties and their
neighbours, the ends of types and ranges, odd zero points and unequal scales are constructed, and
random numbers are one family among others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.recipe import Recipe
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.contract import Operation

Columns = dict[str, Array]  # one entry a case, by field

# int64 holds every i32 too, and shows an answer beyond int32 unchanged
DTYPES: dict[str, Any] = {"i32": np.int64, "i64": np.int64, "f64": np.float64}


@dataclass(frozen=True)
class Family:
    """Describe the cases that carry `flag`, and the faults (`faults.FAULTS`) that they catch.

    `rejects` marks inputs that must be refused. Families added to published vectors have another
    `edition`; those of one edition and size take turns among themselves, so that adding another
    never changes a sequence. `size` is "large" where a slow simulator should be spared. `stored`
    members are in the vectors, or a few if it is 0. `lacks` names features that none of its cases
    has, such as "tie" (see `features`); `vectors lint` checks it.
    """

    flag: str
    make: Callable[[Draw, Selection], Columns]
    description: str
    catches: tuple[str, ...]
    rejects: bool = False
    edition: int = 0
    size: str = "small"
    stored: int = 0
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cases:
    """Hold cases of one operation as columns.

    The k-th case has the name `ids[k]` and the flags `flags[kind[k]]`. A column is an array (n,);
    for an operation on tensors it holds objects: arrays, Python numbers, JSON. `recipes` says how
    large tensors are made, by field and position.
    """

    operation: Operation
    profile: str
    ids: Sequence[str]
    flags: Sequence[tuple[str, ...]]
    kind: Array
    columns: Columns
    recipes: Mapping[tuple[str, int], Recipe] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def inputs(self, k: int) -> dict[str, Any]:
        """Return the fields of the k-th case as Python numbers, tensors as nested lists."""
        return {name: plain(column[k]) for name, column in self.columns.items()}

    def take(self, chosen: Sequence[int] | Array) -> Cases:
        """Select the cases at these positions."""
        return Cases(
            self.operation,
            self.profile,
            [self.ids[k] for k in chosen],
            self.flags,
            self.kind[chosen],
            {name: column[chosen] for name, column in self.columns.items()},
        )


def by_case(function: Callable[..., Any], columns: Mapping[str, Array]) -> list[Any]:
    """Return the answer to each case; one that is asked at many places is computed once."""
    rows = [*zip(*(column.tolist() for column in columns.values()), strict=True)]
    answers = {row: function(**dict(zip(columns, row, strict=True))) for row in dict.fromkeys(rows)}
    return [answers[row] for row in rows]


def plain(value: Any) -> Any:
    """Convert a number or an array of numpy to Python numbers, in nested lists."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def objects(values: Sequence[Any]) -> Array:
    """Put objects of any kind into an array (n,)."""
    column = np.empty(len(values), object)
    for k, value in enumerate(values):
        column[k] = value
    return column


def blank_results(operation: Operation, count: int) -> list[Array]:
    """Return a column of zeros for each result field; of None for an operation on tensors."""
    if operation.scalar:
        return [np.zeros(count, DTYPES[each.type]) for each in operation.result]
    return [objects([None] * count) for _ in operation.result]


# What several operations draw: ranges of codes with an odd zero point


def code_ranges(draw: Draw, selection: Selection) -> tuple[Array, Array]:
    """Draw a selected width and sign; return its ends qmin and qmax."""
    qmin, qmax = np.array(selection.ranges).T
    which = draw.integers(0, len(qmin) - 1)
    return qmin[which], qmax[which]


def odd_zero_point(draw: Draw, qmin: Integers, qmax: Integers) -> Array:
    """Draw an odd code of the range: adding an odd zero point changes how ties round."""
    return np.asarray(np.clip(draw.integers(qmin, qmax) | 1, qmin, qmax))


def between(draw: Draw, low: Integers, high: Integers) -> Array:
    """Draw uniformly from low..high; return low where the range is empty."""
    return draw.integers(low, np.maximum(low, high))


def beside_ends(draw: Draw, qmin: Integers, qmax: Integers) -> Array:
    """Draw codes up to two steps inside or outside either end."""
    return np.asarray(np.where(draw.integers(0, 1) == 1, qmax, qmin) + draw.integers(-2, 2))


def relu6_range(draw: Draw, zero: Integers, qmin: Integers, qmax: Integers) -> tuple[Array, Array]:
    """Draw the range of a ReLU6: from the zero point, which moves off qmax, to below qmax."""
    low = np.where(zero == qmax, qmin, zero)
    return low, between(draw, low, qmax - 1)


def bit_length(values: Array) -> Array:
    """Return the bit lengths of the absolute values, which are below 2^53."""
    return np.frexp(abs(values).astype(np.float64))[1].astype(np.int64)


def constant(draw: Draw, value: ArrayLike) -> Array:
    """Return the same value for every case."""
    return np.full(len(draw), value)
