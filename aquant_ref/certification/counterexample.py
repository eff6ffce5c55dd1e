"""For a fragile decision an input that shows it: codes for which a float simulation decides
otherwise than the integers do.

Codes are drawn that bring the accumulator as near to the threshold as it can come, and the layer
alone is run on them, by the engine and by the simulation. The largest error of a simulation
(`certification.certificate`) is a bound: where no witness is found, there need not be one.
Spec: AQ-LOWER-11.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.certification.certificate import margins
from aquant_ref.certification.extremes import Reach
from aquant_ref.engine.fast.run import Engine
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.typing import Integers

if TYPE_CHECKING:
    from fractions import Fraction

    from aquant_ref.certification.linear_form import Codes, Index, Terms
    from aquant_ref.lowering.thresholds import Lowering


PLACES = 256  # fragile thresholds that are looked at, those nearest to an integer first
VALUES = 32  # accumulators that are tried, those nearest to their threshold first
TRIES = 64  # choices of codes for each accumulator


@dataclass(frozen=True)
class Witness:
    """Codes of what a layer reads, for which the simulation's code is not that of the integers.

    `index` is the element (channel, row, column) of the tensor, `accumulator` its exact integer,
    `threshold` the rational number that decides (None for logits), `integers` and `simulated` what
    the two make of it. `codes` are (tensor, index, code) of what moves the accumulator or is not 0;
    every other code is 0.
    """

    index: Index
    accumulator: int
    threshold: Fraction | None
    integers: int
    simulated: int
    codes: tuple[tuple[str, Index, int], ...]


@dataclass(frozen=True)
class Search:
    """What became of the search for a witness in tensor `name`: `tries` choices of codes were run.

    `places`: how many thresholds, or logits, were looked at, the nearest first. Without a try, no
    accumulator that can occur is within the error of any of them.
    """

    name: str
    places: int
    tries: int
    witness: Witness | None = None


@dataclass(frozen=True)
class _Candidate:
    """A value that the accumulator at `index` can have, so near to `threshold` that it may err."""

    index: Index
    terms: Terms
    value: int
    threshold: Fraction | None


class Witnesses:
    """Looks for witnesses in the layers of a lowered model, against a simulation in `dtype`."""

    def __init__(self, lowering: Lowering, *, dtype: Any, seed: int = 0) -> None:
        self._reach, self._engine = Reach(lowering.program), Engine(lowering.program)
        self._simulation = Simulation(lowering.model, dtype=dtype)
        self._margins = margins(lowering, dtype=dtype)
        self._decisions = {each.name: each for each in lowering.decisions}
        self._rng = np.random.default_rng(seed)

    def extremes(self, name: str) -> tuple[int, int]:
        """Run the engine on the worst codes; return the least and largest of accumulator `name`."""
        low, high = self._reach.bounds[name]
        made = []
        for end, channel in enumerate((int(low.argmin()), int(high.argmax()))):
            index, terms = self._reach.worst_case(name, channel)
            given = self._reach.tensors(name, [terms.ends()[end]])
            made.append(int(self._engine.compute(name, given)[(0, *index)]))
        return made[0], made[1]

    def find(self, name: str) -> Search:
        """Search for a witness in tensor `name`.

        Raises NotImplementedError as `Reach.terms` does.
        """
        tries, places = 0, min(PLACES, int(self._margins[name].fragile.sum()))
        looks = self._near_thresholds if name in self._decisions else self._logits
        for each in looks(name):
            choices = each.terms.reaching(each.value, self._rng, tries=TRIES)
            tries += len(choices)
            witness = self._among(name, each, choices)
            if witness is not None:
                return Search(name, places, tries, witness)
        return Search(name, places, tries)

    def _near_thresholds(self, name: str) -> list[_Candidate]:
        """Accumulators that can occur within the error of a fragile threshold, nearest first."""
        margin, decisions = self._margins[name], self._decisions[name]
        places = np.argwhere(margin.fragile)
        ratio = margin.distance / margin.error[:, None]
        order = np.argsort(ratio[margin.fragile], kind="stable")[:PLACES]
        element = cache(partial(self._reach.worst_case, decisions.accumulator.name))
        found = []
        for channel, k in places[order].tolist():
            tau, error = decisions.exact[channel][k], margin.error[channel]
            index, terms = element(channel)
            for value in terms.near(tau, self._rng):
                away = float(abs(value - tau)) / error
                if away <= 1:
                    found.append((away, _Candidate(index, terms, value, tau)))
        return [each for _, each in sorted(found, key=lambda pair: pair[0])[:VALUES]]

    def _logits(self, name: str) -> Iterator[_Candidate]:
        """Both ends, and values in between, of the logits that can be half a unit off."""
        for channel in np.flatnonzero(self._margins[name].fragile[:, 0])[:PLACES].tolist():
            index, terms = self._reach.worst_case(name, channel)
            inside = self._rng.integers(len(terms.values), size=2).tolist()
            for place in (0, -1, *inside):
                yield _Candidate(index, terms, terms.values[place], None)

    def _among(self, name: str, each: _Candidate, choices: list[Codes]) -> Witness | None:
        if not choices:
            return None
        integers, simulated = self._run(name, each.index, choices)
        for number in np.flatnonzero(integers != simulated).tolist():
            alone = choices[number]
            (code,), (other,) = (made.tolist() for made in self._run(name, each.index, [alone]))
            if code != other:  # whatever the batch has to do with the order of a sum
                codes = tuple(
                    (key.tensor, key.place, alone[key])
                    for key, table in each.terms.tables.items()
                    if np.ptp(table) or alone[key]
                )
                return Witness(each.index, each.value, each.threshold, code, other, codes)
        return None

    def _run(self, name: str, index: Index, choices: list[Codes]) -> tuple[Integers, Integers]:
        """Compute element `index` of tensor `name` by the engine and by the simulation."""
        decisions = self._decisions.get(name)
        accumulator = name if decisions is None else decisions.accumulator.name
        given = self._reach.tensors(accumulator, choices)
        place: Any = (slice(None), *index)
        both = (self._engine.compute(name, given), self._simulation.compute(name, given))
        return both[0][place], both[1][place]
