"""Claim 5, measured: how long programs take beside each other.

They run one after the other in each of several rounds, in one process, so that whatever else the
machine does meets all of them. A ratio is that of two programs within a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.progress import Progress, quiet

ROUNDS = 7


@dataclass(frozen=True)
class Timing:
    """Seconds of one program, one a round, and those of the program that it is compared with."""

    seconds: tuple[float, ...]
    reference: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Seconds over those of the reference, round by round."""
        return tuple(a / b for a, b in zip(self.seconds, self.reference, strict=True))

    def result(self) -> dict[str, float | list[float]]:
        """Medians and the least and largest of all rounds, as plain JSON values."""
        return {
            "seconds": float(np.median(self.seconds)),
            "seconds_range": [min(self.seconds), max(self.seconds)],
            "ratio": float(np.median(self.ratios)),
            "ratio_range": [min(self.ratios), max(self.ratios)],
        }


def alternately(
    programs: Mapping[str, Callable[[], object]],
    reference: str,
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress = quiet,
) -> dict[str, Timing]:
    """Time `programs` in `rounds` rounds after one that does not count; `reference` is one of them.

    Every other round goes backwards. Raises InputError for fewer than one round.
    """
    if rounds < 1:
        raise InputError(f"rounds: needs at least 1, got {rounds}")
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for number in progress(range(rounds + 1), "time"):
        for name in list(programs)[:: 1 if number % 2 else -1]:
            begun = clock()
            programs[name]()
            taken[name].append(clock() - begun)
    counted = {name: tuple(seconds[1:]) for name, seconds in taken.items()}
    return {name: Timing(seconds, counted[reference]) for name, seconds in counted.items()}
