"""Find what reproduces every answer of an implementation that is wrong. Spec: AQ-CONF-8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.diagnosis import combined
from aquant_ref.conformance.diagnosis.candidates import (
    Candidate,
    faults,
    in_pairs,
    sized,
    variations,
)
from aquant_ref.conformance.diagnosis.explanation import unfinished
from aquant_ref.conformance.diagnosis.places import of_places
from aquant_ref.conformance.diagnosis.regions import of_regions
from aquant_ref.conformance.faults.fault import StepFault
from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.diagnosis.evidence import Collected, Evidence
    from aquant_ref.conformance.diagnosis.explanation import Explanation

SECONDS = 10.0  # of this process, for one operation in one variation
MOST_PARTS = 3
FEW = 10  # right answers that are asked first


class OutOfTime(Exception):
    """Say that not every candidate was tried."""


@dataclass
class Limit:
    """Raise OutOfTime after so many seconds, in which other processes do not count."""

    seconds: float

    def __post_init__(self) -> None:
        self._end = process_time() + self.seconds

    def check(self) -> None:
        """Raise OutOfTime if it is too late."""
        if process_time() > self._end:
            raise OutOfTime


def diagnoses(
    operation: str, collected: Mapping[str, Collected]
) -> dict[tuple[str, str], list[Explanation]]:
    """Return what explains the wrong answers of an operation, by variation, for a report.

    If the same cases are right at other places of an array, their places explain them. If nothing
    gives the answers of tensors, the region in which alone they are wrong says where to look.
    """
    found = {}
    for profile, each in collected.items():
        if of_place := of_places(operation, profile, each.placed):
            found[operation, profile] = of_place
            continue
        evidence = each.evidence()
        if evidence is None:
            continue
        explained = diagnose(evidence, SECONDS)
        if not explained:
            explained = of_regions(evidence) or explained
        if explained is None:
            explained = unfinished(int(evidence.wrong.sum()), SECONDS)
        found[operation, profile] = explained
    return found


def diagnose(evidence: Evidence, seconds: float = SECONDS) -> list[Explanation] | None:
    """Return what explains the evidence, the likeliest first; an empty list if nothing does.

    Other variations come first, then faults, then another variation with a fault, then several
    faults. Each is looked for only if there is nothing simpler. None is returned if the time is not
    enough to try all and nothing is found. Spec: AQ-CONF-8.
    """
    operation, asked = evidence.cases.operation.name, evidence.cases.profile
    limit = Limit(seconds)
    others, own = variations(operation, asked), faults(operation, asked, asked)
    try:
        found = _all_of([*others, *own], evidence, limit)
        if found:
            return found
        with_sizes = sized(evidence)
        found = _all_of(with_sizes, evidence, limit)
        if not found and operation in combined.OPERATIONS:
            profiles = [asked, *(v.profile for v in others)]
            found = _of_layers(evidence, [*own, *with_sizes], profiles, limit, most=1)
            found = found or _of_layers(evidence, own, profiles, limit, most=2)
        elif not found:
            of_others = (c for v in others for c in faults(operation, v.profile, asked))
            found = _all_of(of_others, evidence, limit)
        return found or _several([*own, *with_sizes], evidence, limit)
    except OutOfTime:
        return None


def _of_layers(
    evidence: Evidence, own: Iterable[Candidate], profiles: list[str], limit: Limit, *, most: int
) -> list[Explanation]:
    steps = [each.fault for each in own if isinstance(each.fault, StepFault)]
    found = combined.combined(evidence, steps, profiles, limit.check, most=most)
    return [_explanation(each, mask, evidence) for each, mask in found]


def _all_of(candidates: Iterable[Candidate], evidence: Evidence, limit: Limit) -> list[Explanation]:
    found = []
    for each in candidates:
        limit.check()
        reproduced = _reproduced(each, evidence, limit)
        if reproduced is not None:
            found.append((each, reproduced))
    flags = set(evidence.flags()[evidence.wrong].tolist())

    def rank(pair: tuple[Candidate, Mask]) -> tuple[bool, bool]:
        candidate, mask = pair
        fault = candidate.fault
        return not mask.all(), fault is not None and fault.flag not in flags

    return [_explanation(each, mask, evidence) for each, mask in sorted(found, key=rank)]


def _reproduced(candidate: Candidate, evidence: Evidence, limit: Limit) -> Mask | None:
    """Return which answers it gives, if that is all of those that it knows; None otherwise.

    Another variation may refuse an input that the one asked has. Then there is no telling, as long
    as it knows most wrong answers.
    """
    masks = []
    for chosen in evidence.portions():
        limit.check()
        answers = candidate.answer(evidence.cases.take(chosen))
        same = evidence.agrees(chosen, answers)
        outside = np.zeros(len(chosen), bool)
        if candidate.other:
            outside[[k for k, (what, _) in answers.other.items() if what == "error"]] = True
        if not (same | outside).all():
            return None
        masks.append(same)
    mask = np.concatenate(masks)
    return mask if 2 * mask[evidence.wrong].sum() > evidence.wrong.sum() else None


def _explanation(
    candidate: Candidate, mask: Mask, evidence: Evidence, kind: str = ""
) -> Explanation:
    wrong = evidence.wrong
    known = mask if candidate.other else np.ones_like(mask)
    asked = int((wrong & known).sum())
    return candidate.explanation(int((mask & wrong).sum()), asked, int((mask & ~wrong).sum()), kind)


def _several(own: list[Candidate], evidence: Evidence, limit: Limit) -> list[Explanation]:
    """Explain each wrong answer by one of a few faults; or all of them by two faults at once.

    A fault that is wrong where the implementation is right is none of them.
    """
    everything = np.arange(len(evidence))
    right, wrong = everything[~evidence.wrong], everything[evidence.wrong]
    explained = {}
    for each in own:
        limit.check()
        if (
            not _agrees(each, evidence, right[:FEW]).all()
            or not _agrees(each, evidence, right).all()
        ):
            continue
        mine = _agrees(each, evidence, wrong)
        if mine.any():
            explained[each] = mine
    parts = _cover(explained, evidence.flags()[wrong])
    if not parts:
        return _all_of(in_pairs([*explained]), evidence, limit)
    found = []
    for each in parts:
        mask = np.ones(len(evidence), bool)
        mask[wrong] = explained[each]
        found.append(_explanation(each, mask, evidence, "part"))
    return found


def _agrees(candidate: Candidate, evidence: Evidence, chosen: Array) -> Mask:
    if not len(chosen):
        return np.ones(0, bool)
    return evidence.agrees(chosen, candidate.answer(evidence.cases.take(chosen)))


def _cover(explained: dict[Candidate, Mask], flags: Array) -> list[Candidate]:
    """Choose few candidates that together give all wrong answers, which have these flags.

    Each has to give all wrong answers of a flag, or it is there by coincidence. None are returned
    if there are no such candidates.
    """
    whole = {
        each: [flag for flag in np.unique(flags) if given[flags == flag].all()]
        for each, given in explained.items()
    }
    waiting = {each: given for each, given in explained.items() if whole[each]}
    chosen: list[Candidate] = []
    left = np.ones(len(flags), bool)
    while left.any() and len(chosen) < MOST_PARTS and waiting:
        best = max(waiting, key=lambda each: int((waiting[each] & left).sum()))
        chosen.append(best)
        left &= ~waiting[best]
    return [] if left.any() else chosen
