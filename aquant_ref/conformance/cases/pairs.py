"""Cover all pairs of features with few cases: most faults need one feature or two.

The design is computed greedily: a row takes the first pair that no row has yet, and then for each
other factor the level that adds the most new pairs, the first such. It ends when each level of
each factor has met each level of every other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

Level = tuple[str, int]  # of a factor, by its place


def covering(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return rows with a level of each factor, which together have all pairs of levels.

    >>> len(covering({"a": (0, 1), "b": (0, 1), "c": (0, 1)}))
    4
    """
    levels = [[(name, k) for k in range(len(factors[name]))] for name in factors]
    missing = {
        frozenset(pair): None
        for one, other in combinations(levels, 2)
        for pair in product(one, other)
    }
    rows = []
    while missing:
        first = dict(next(iter(missing)))
        row = {name: first[name] for name in factors if name in first}
        for of_factor in levels:
            if of_factor[0][0] not in row:
                best = max(of_factor, key=lambda each: len(_pairs(row, each) & missing.keys()))
                row[best[0]] = best[1]
        for pair in map(frozenset, combinations(row.items(), 2)):
            missing.pop(pair, None)
        rows.append({name: factors[name][row[name]] for name in factors})
    return rows


def _pairs(row: Mapping[str, int], level: Level) -> set[frozenset[Level]]:
    return {frozenset((each, level)) for each in row.items()}
