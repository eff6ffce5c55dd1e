"""What an accumulator is made of, the values that it can have, and the codes that give them.

An accumulator is a constant plus, for each code that its layer reads, an entry of a table,

    acc = constant + sum over j of table_j[code_j],      table_j[q] = weight_j * (q - zero_point_j),

with the multipliers of an add and the repetitions of a sum in the tables. So it is largest where
each code is that of its table's largest entry, which for a weight is a matter of its sign; and any
value in between is made code by code, each time with one that leaves a rest which the codes to come
can still make. Spec: AQ-LOWER-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor, gcd
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aquant_ref.typing import Integers, Mask

if TYPE_CHECKING:
    from fractions import Fraction

Index = tuple[int, ...]  # of an element in one image: (channel, row, column), or (channel,)

MOST = 1 << 18  # values of one branch that are looked at
SPLITS = 8  # ways of sharing a value between two branches that are tried


class Code(NamedTuple):
    """A code that is read: of which tensor, where in it, and the `least` that it can be."""

    tensor: str
    place: Index
    least: int = 0


Codes = Mapping[Code, int]


@dataclass(frozen=True)
class Terms:
    """`constant` plus, for each code that is read, the entry of its table, from the least code on.

    `branches` are the two terms of an add where no code is in both: their values can be far apart,
    so that a value is shared between them before any code is chosen.
    """

    constant: int
    tables: Mapping[Code, Integers]  # int64, one for each code that it can be
    branches: tuple[Terms, ...] = ()

    @classmethod
    def sum(cls, parts: Iterable[Terms]) -> Terms:
        """All parts together; a code that several of them read has the sum of its tables."""
        constant, tables = 0, dict[Code, Integers]()
        for part in parts:
            constant += part.constant
            for code, table in part.tables.items():
                tables[code] = tables[code] + table if code in tables else table
        return cls(constant, tables)

    @classmethod
    def add(cls, a: Terms, b: Terms) -> Terms:
        """Add two branches."""
        both = cls.sum((a, b))
        return cls(both.constant, both.tables, () if a.tables.keys() & b.tables.keys() else (a, b))

    def times(self, factor: int, *, less: int = 0) -> Terms:
        """Factor * (these - less)."""
        tables = {code: factor * table for code, table in self.tables.items()}
        return Terms(factor * (self.constant - less), tables)

    def looked_up(self, table: Integers) -> Terms:
        """Entries of `table` in the place of a code, which these terms are."""
        (code,) = self.tables
        return Terms(0, {code: table.astype(np.int64)[self.tables[code]]})

    def total(self, codes: Codes) -> int:
        """Sum up the entries at these codes."""
        entries = (table[codes[code] - code.least] for code, table in self.tables.items())
        return self.constant + sum(map(int, entries))

    def ends(self) -> tuple[Codes, Codes]:
        """Find the codes of the least sum and those of the largest."""
        least = {code: code.least + int(table.argmin()) for code, table in self.tables.items()}
        largest = {code: code.least + int(table.argmax()) for code, table in self.tables.items()}
        return least, largest

    @cached_property
    def values(self) -> range:
        """From the least to the largest, in the steps that all values keep."""
        least, largest = map(self.total, self.ends())
        return range(least, largest + 1, gcd(*(move.step for move in self._moves)) or 1)

    def near(self, value: Fraction, rng: np.random.Generator, *, count: int = 2) -> list[int]:
        """Of the values that these terms have, as far as is known, the nearest to `value`."""
        if not self.branches:
            found = _around(self.values, np.array([floor(value)]))
        else:
            a, b = sorted(self.branches, key=lambda branch: len(branch.values))
            part = _points(a.values, rng)
            found = np.concatenate([part, part]) + _around(b.values, floor(value) - part)
        few = min(len(found), 8 * count)  # the same value may come of several parts
        nearest = found[np.argpartition(abs(found - floor(value)), few - 1)[:few]]
        return sorted(set(nearest.tolist()), key=lambda each: abs(each - value))[:count]

    def reaching(self, value: int, rng: np.random.Generator, *, tries: int) -> list[Codes]:
        """Codes whose sum is `value`, drawn at random: what comes of so many `tries`."""
        if not self.branches:
            return self._drawn(value, rng, tries)
        a, b = sorted(self.branches, key=lambda branch: len(branch.values))
        part = _points(a.values, rng)
        shares = rng.permutation(part[_on(b.values, value - part)])[:SPLITS].tolist()
        found: list[Codes] = []
        for share in shares:
            one, two = (
                branch.reaching(own, rng, tries=tries // len(shares))
                for branch, own in ((a, share), (b, value - share))
            )
            found += [{**x, **y} for x, y in zip(one, two, strict=False)]
        return found

    @cached_property
    def _moves(self) -> list[_Move]:
        """What each code that changes the sum can add to it, beside its least one."""
        moves = (_Move(code, table - table[0]) for code, table in self.tables.items())
        return [move for move in moves if move.step]

    def _drawn(self, value: int, rng: np.random.Generator, tries: int) -> list[Codes]:
        """One code after the other, the finest last, so that they make up what is left."""
        least = {code: code.least for code in self.tables}
        rest = np.full(tries, value - self.total(least))
        moves = [self._moves[j] for j in rng.permutation(len(self._moves))]
        moves.sort(key=lambda move: -move.step)
        alive = np.ones(tries, bool)
        chosen = np.zeros((tries, len(moves)), np.int64)
        for j, (move, later) in enumerate(zip(moves, _later(moves), strict=True)):
            fits = _on(later, rest[:, None] - move.sums)
            alive &= fits.any(axis=1)
            place = (rng.random(fits.shape) * fits).argmax(axis=1)
            chosen[:, j] = move.code.least + place
            rest -= move.sums[place]
        alive &= rest == 0  # where no code moves anything
        names = [move.code for move in moves]
        return [least | dict(zip(names, row, strict=True)) for row in chosen[alive].tolist()]


class _Move:
    """The `sums` that a code can add, their least and largest, and their common `step`."""

    def __init__(self, code: Code, sums: Integers) -> None:
        self.code, self.sums = code, sums
        self.low, self.high = int(sums.min()), int(sums.max())
        self.step = int(np.gcd.reduce(sums))


def _later(moves: Sequence[_Move]) -> list[range]:
    """For each move the values of all moves after it."""
    low = high = step = 0
    later = []
    for move in reversed(moves):
        later.append(range(low, high + 1, step or 1))
        low, high, step = low + move.low, high + move.high, gcd(step, move.step)
    return later[::-1]


def _on(values: range, given: Integers) -> Mask:
    """Tell whether each of `given` is one of the `values`."""
    inside = (given >= values[0]) & (given <= values[-1])
    return np.asarray(inside & ((given - values[0]) % values.step == 0))


def _around(values: range, given: Integers) -> Integers:
    """For each of `given` the value below, or equal, and then for each the value above it."""
    place = (given - values[0]) // values.step
    places = np.concatenate([place, place + 1])
    return values[0] + np.clip(places, 0, len(values) - 1) * values.step


def _points(values: range, rng: np.random.Generator) -> Integers:
    """All `values`, or MOST of them at random."""
    count = len(values)
    chosen = np.arange(count) if count <= MOST else rng.integers(0, count, MOST)
    return values[0] + chosen * values.step
