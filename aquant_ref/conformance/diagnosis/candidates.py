"""List what may explain wrong answers: other variations, faults, and one of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.oracle import OracleAdapter
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.diagnosis.explanation import Explanation
from aquant_ref.conformance.faults import parameters
from aquant_ref.conformance.faults.catalogue import EVERY
from aquant_ref.conformance.faults.fault import StepFault
from aquant_ref.conformance.faults.layer_engines import ENGINES
from aquant_ref.conformance.faults.rescaling import RESCALED
from aquant_ref.conformance.faults.steps import Layers

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.base import Adapter
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.diagnosis.evidence import Evidence
    from aquant_ref.conformance.faults.fault import Fault
    from aquant_ref.conformance.protocol.answers import Answers


@dataclass(frozen=True)
class Candidate:
    """Compute an operation in the variation `profile`, with a fault if there is one.

    `other` tells whether the variation is not the one that was asked.
    """

    operation: str
    profile: str
    fault: Fault | None = None
    other: bool = False

    @property
    def name(self) -> str:
        """Return what users read."""
        words = [self.profile] * self.other + ([self.fault.name] if self.fault else [])
        return ", and ".join(words)

    @cached_property
    def _adapter(self) -> Adapter:
        if self.fault:
            return self.fault.adapter(self.profile)
        return right(self.operation, self.profile)

    def answer(self, cases: Cases) -> Answers:
        """Answer cases, whichever variation they name."""
        named = replace(cases, profile=self.profile)
        with np.errstate(all="ignore"):
            return self._adapter.answer(Selection(self.operation, self.profile), named)

    def explanation(self, explained: int, asked: int, passing: int, kind: str = "") -> Explanation:
        """Return it as an explanation with these counts."""
        fault, rules = self.fault, contract.rules(contract.get(self.operation), self.profile)
        return Explanation(
            kind or ("fault" if fault else "variation"),
            self.name,
            fault.sentence if fault else f"computed in the variation {self.profile}",
            tuple(rules.split(", ")),
            explained,
            asked,
            passing,
            self.profile if self.other else "",
            fault.defect if fault else "",
        )


def right(operation: str, profile: str) -> Adapter:
    """Return an implementation that is right: of layers one that is faster than the oracle."""
    layered = operation in ("conv2d", "depthwise", "linear") and profile in {**RESCALED, **ENGINES}
    return Layers("", profile) if layered else OracleAdapter()


def meaning(profile: str) -> str:
    """Return what two names of one variation share. A rule of alternatives may be of several."""
    return contract.VARIATIONS.get(profile, profile)


def variations(operation: str, asked: str) -> list[Candidate]:
    """Return the variations besides the one asked; of two names only the first."""
    named: dict[str, str] = {}
    for each in contract.get(operation).choices:
        named.setdefault(meaning(each), each)
    named.pop(meaning(asked))
    return [Candidate(operation, each, other=True) for each in named.values()]


def faults(operation: str, profile: str, asked: str) -> list[Candidate]:
    """Return the faults of a variation, which may be another than the one asked."""
    other = meaning(profile) != meaning(asked)
    return [
        Candidate(operation, profile, each, other)
        for each in EVERY
        if each.operation == operation and profile in each.variations
    ]


def sized(evidence: Evidence) -> list[Candidate]:
    """Return faults with a parameter, for the sizes that the wrong cases allow."""
    operation, asked = evidence.cases.operation.name, evidence.cases.profile
    wrong = np.flatnonzero(evidence.wrong).tolist()
    each = [_sizes(evidence, k) for k in wrong]
    least = {name: min(of[name] for of in each) for name in each[0]}
    return [Candidate(operation, asked, f) for f in parameters.faults(operation, asked, least)]


def _sizes(evidence: Evidence, k: int) -> dict[str, int]:
    """Return the numbers of products, channels, rows, columns, groups and thresholds of a case."""
    columns, shape = evidence.cases.columns, np.shape(evidence.low[0][k])
    found: dict[str, int] = {}
    if "weight" in columns:
        weight = columns["weight"][k]
        found |= {"products": weight[0].size, "channels": len(weight)}
    for name in {"thresholds", "crossings"} & columns.keys():
        found["thresholds"] = columns[name][k].shape[1]
    if len(shape) == 3:
        found |= {"rows": shape[1], "columns": shape[2]}
    if "groups" in columns:
        found["groups"] = int(columns["groups"][k])
    return found


def in_pairs(candidates: list[Candidate]) -> Iterator[Candidate]:
    """Return two faults at once, where they replace different steps."""
    stepwise = [c for c in candidates if isinstance(c.fault, StepFault)]
    for first, second in combinations(stepwise, 2):
        a, b = first.fault, second.fault
        assert isinstance(a, StepFault)
        assert isinstance(b, StepFault)
        if not a.steps.keys() & b.steps.keys():
            both = replace(a, name=f"{a.name}, and {b.name}", steps={**a.steps, **b.steps})
            yield replace(first, fault=both)
