"""Compare two methods by the seeds that both have: the mean difference and its standard error.

The seeds differ among each other more than the methods do, so a difference of means over few seeds
says less than the mean of the differences, seed by seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any


@dataclass(frozen=True)
class Difference:
    """The mean of top-1 minus top-1 of another method in points, its standard error, the seeds."""

    mean: float
    error: float
    seeds: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ± {self.error:.2f}"


def difference(
    rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]
) -> Difference | None:
    """Compare rows, one a seed, with those of another method; None with fewer than two pairs."""
    one, other = ({row["seed"]: 100 * row["top1"] for row in each} for each in (rows, others))
    seeds = tuple(sorted(one.keys() & other.keys()))
    if len(seeds) < 2:
        return None
    pairs = [one[seed] - other[seed] for seed in seeds]
    return Difference(statistics.mean(pairs), statistics.stdev(pairs) / sqrt(len(pairs)), seeds)
