"""Try every variation of a layer with one fault or two, of which one changes the accumulators.

A layer is computed in two parts: a *front*, which gives accumulators, and an *end*. Fronts with the
same accumulators are one for a case, so that each end is computed for few of them; and after each
case only the combinations are left that gave its answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.diagnosis.candidates import Candidate, meaning
from aquant_ref.conformance.faults.fault import StepFault
from aquant_ref.conformance.faults.layer_engines import ENGINES
from aquant_ref.conformance.faults.rescaling import RESCALED
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.diagnosis.evidence import Evidence

OPERATIONS = ("conv2d", "depthwise", "linear")
FRONT = {"pad", "columns", "centre", "centre_weight", "kernel", "product", "assign"}
OF_TOTAL = {"unit", "bias", "total"}  # of which engines have none
END = {*OF_TOTAL, "rescale", "clip", "after"}
MOST = 12  # combinations that are shown


@dataclass(frozen=True)
class End:
    """Hold the faults of an end, in a variation."""

    profile: str
    faults: tuple[StepFault, ...] = ()
    layers: Layers = field(default_factory=Layers, compare=False)


def combined(
    evidence: Evidence,
    own: Sequence[StepFault],
    profiles: Iterable[str],
    check: Callable[[], None],
    *,
    most: int,
) -> list[tuple[Candidate, Mask]]:
    """Return what gives every answer with at most so many faults, and for which cases it does.

    `profiles` has the variations, the one that is asked first. `check` raises if it is too late.
    """
    fronts: list[StepFault | None] = [None, *(f for f in own if f.steps.keys() <= FRONT)]
    ends = [*_ends([f for f in own if f.steps.keys() <= END], [*profiles], most)]
    search = _Search(evidence, fronts, ends, check, most)
    search.ask(0, positions=2)  # few numbers leave few combinations
    for k in range(len(evidence)):
        search.ask(k)
        if not search.left.any():
            return []
    found = []
    for front, end in search.ranked():
        mask = np.ones(len(evidence), bool)
        mask[search.refused.get((front, end), [])] = False
        if 2 * mask[evidence.wrong].sum() > evidence.wrong.sum():
            found.append((_candidate(evidence, fronts[front], ends[end]), mask))
    return _fewest(found)[:MOST]


def _ends(faults: Sequence[StepFault], profiles: Sequence[str], most: int) -> Iterable[End]:
    for profile in profiles:
        can = [
            f
            for f in faults
            if profile in RESCALED
            or (profile in ENGINES and not f.steps.keys() & {*OF_TOTAL, "rescale"})
        ]
        yield End(profile, (), Layers("", profile))
        for fault in can:
            yield End(profile, (fault,), Layers("", profile, **fault.steps))
        if profile != profiles[0] or most < 2:
            continue
        for n, first in enumerate(can):
            for second in can[n + 1 :]:
                if not first.steps.keys() & second.steps.keys():
                    steps = {**first.steps, **second.steps}
                    yield End(profile, (first, second), Layers("", profile, **steps))


def _front(fault: StepFault | None) -> Layers:
    """Return a layer that stops at its accumulators."""
    return Layers("", "ideal", **(fault.steps if fault else {}), finished=lambda acc, _: acc)


class _Search:
    """Keep the combinations of fronts and ends that are left, a matrix."""

    def __init__(
        self,
        evidence: Evidence,
        fronts: Sequence[StepFault | None],
        ends: Sequence[End],
        check: Callable[[], None],
        most: int,
    ) -> None:
        self._evidence, self._ends, self._check = evidence, ends, check
        self._fronts = [_front(fault) for fault in fronts]
        ones = np.array([fault is not None for fault in fronts], int)
        self._count = ones[:, None] + np.array([len(end.faults) for end in ends])
        self.left = self._count <= most
        self.refused: dict[tuple[int, int], list[int]] = defaultdict(list)

    def ask(self, k: int, positions: int = 0) -> None:
        """Keep the combinations that give the answer to the k-th case, or know none.

        With `positions`, only the first of each channel are compared: no end mixes them.
        """
        columns, name = self._evidence.cases.columns, self._evidence.cases.operation.name
        layer = {name: _plain(self._evidence, name, column[k]) for name, column in columns.items()}
        got, before = self._evidence.values[0][k], self.left
        self.left = np.zeros_like(before)
        right = got.reshape(len(got), -1)[:, :positions] if positions else got
        alike: dict[bytes, tuple[Array, list[int]]] = {}
        for front in np.flatnonzero(before.any(axis=1)).tolist():
            self._check()
            try:
                acc = getattr(self._fronts[front], name)(**layer)
            except Exception:  # a step that these shapes do not allow
                continue
            if acc.shape != got.shape:
                continue
            if positions:
                acc = acc.reshape(len(acc), -1)[:, :positions]
            key = acc.tobytes() + str(acc.shape).encode()
            alike.setdefault(key, (acc, []))[1].append(front)
        for end in np.flatnonzero(before.any(axis=0)).tolist():
            self._check()
            for acc, members in alike.values():
                mine = np.array(members)[before[members, end]]
                same = _same(self._ends[end], acc, layer, right) if len(mine) else False
                self.left[mine, end] = same is not False
                if same is None and not positions:
                    for front in mine.tolist():
                        self.refused[front, end].append(k)

    def ranked(self) -> list[tuple[int, int]]:
        """Return what is left, the fewest faults first, then in the order of the ends."""
        pairs = np.argwhere(self.left).tolist()
        return sorted(
            ((f, e) for f, e in pairs), key=lambda pair: (self._count[pair], pair[1], pair[0])
        )


def _plain(evidence: Evidence, name: str, value: Any) -> Any:
    field_of = next(f for f in evidence.cases.operation.fields if f.name == name)
    if field_of.tensor:
        return value
    return tuple(value.tolist()) if field_of.axes else np.asarray(value).item()


def _same(end: End, acc: Array, layer: dict[str, Any], got: Array) -> bool | None:
    """Tell whether the end gives these codes; None where its variation refuses the input."""
    try:
        with np.errstate(all="ignore"):
            q = end.layers.finished(acc, {**layer, "profile": end.profile})
    except OverflowError:
        return None
    except Exception:  # a step that this layer does not allow
        return False
    return np.array_equal(q, got)


def _candidate(evidence: Evidence, front: StepFault | None, end: End) -> Candidate:
    asked, operation = evidence.cases.profile, evidence.cases.operation.name
    faults = [*([front] if front else []), *end.faults]
    other = meaning(end.profile) != meaning(asked)
    if not faults:
        return Candidate(operation, end.profile, None, other)
    steps = {name: step for fault in faults for name, step in fault.steps.items()}
    name = ", and ".join(fault.name for fault in faults)
    both = replace(faults[0], name=name, profile=end.profile, steps=steps)
    return Candidate(operation, end.profile, both, other)


def _fewest(found: list[tuple[Candidate, Mask]]) -> list[tuple[Candidate, Mask]]:
    """Keep those with the fewest faults; of one fault in several variations only the first."""
    names: dict[str, tuple[Candidate, Mask]] = {}
    for candidate, mask in found:
        fault = candidate.fault
        whole = isinstance(fault, StepFault) and "rescale" in fault.steps
        key = fault.name if fault and whole else candidate.name
        names.setdefault(key, (candidate, mask))
    counts = {key: key.count(", and ") for key in names}
    return [names[key] for key in names if counts[key] == min(counts.values())]
