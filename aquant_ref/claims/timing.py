"""Claim 5: time programs beside each other.

Each round runs all programs in turn, in one process, so that other load on the machine affects all
of them. Ratios compare two programs of the same round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.errors import InputError
from aquant_ref.progress import Progress, quiet

ROUNDS = 7


@dataclass(frozen=True)
class Timing:
    """Seconds of one program and of the reference program, one number for each round."""

    seconds: tuple[float, ...]
    reference: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Seconds divided by those of the reference, for each round."""
        return tuple(a / b for a, b in zip(self.seconds, self.reference, strict=True))

    def result(self) -> dict[str, float | list[float]]:
        """Return the median, least and largest of all rounds, as plain JSON values."""
        return {
            "seconds": float(np.median(self.seconds)),
            "seconds_range": [min(self.seconds), max(self.seconds)],
            "ratio": float(np.median(self.ratios)),
            "ratio_range": [min(self.ratios), max(self.ratios)],
        }


@takes_functions
def alternately(
    programs: Mapping[str, Callable[[], object]],
    reference: str,
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress = quiet,
) -> dict[str, Timing]:
    """Time `programs` in `rounds` rounds, after a first one that does not count.

    `reference` names the program that all are compared with. Every other round runs in reverse
    order. Raises InputError for fewer than one round.
    """
    if rounds < 1:
        raise InputError(f"rounds: needs at least 1, got {rounds}")
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in progress(range(rounds + 1), "time"):
        for name in list(programs)[:: 1 if number % 2 else -1]:
            start = clock()
            programs[name]()
            seconds[name].append(clock() - start)
    counted = {name: tuple(each[1:]) for name, each in seconds.items()}
    return {name: Timing(each, counted[reference]) for name, each in counted.items()}
