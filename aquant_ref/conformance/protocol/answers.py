"""Hold what an implementation answered to a sequence of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.errors import printable
from aquant_ref.typing import Array

WITHOUT_VALUE = ("skip", "missing", "error", "invalid", "crash")
NOT_ASKED = "not asked"  # how the reason for a missing answer begins if nobody asked
MOST_REASON = 200  # characters of what an implementation says


@dataclass(frozen=True)
class Answers:
    """Hold the values that came back, (n,) for each result field.

    `other` maps each case without a value to (what, reason). `what` is one of WITHOUT_VALUE:
    "error" may be a refusal, "invalid" is no valid answer. Reasons are made printable and cut to
    MOST_REASON characters. For an operation on tensors, the values are arrays of arrays, with None
    for a missing value.
    """

    values: Sequence[Array]
    other: Mapping[int, tuple[str, str]]

    def asked(self, k: int) -> bool:
        """Tell whether the k-th case was asked; an operation may be given up before."""
        return not self.other.get(k, ("", ""))[1].startswith(NOT_ASKED)

    def take(self, chosen: Array) -> Answers:
        """Select the answers to the cases at these positions."""
        other = {n: self.other[k] for n, k in enumerate(chosen.tolist()) if k in self.other}
        return Answers([column[chosen] for column in self.values], other)

    def __post_init__(self) -> None:
        reasons = {k: (what, printable(why, MOST_REASON)) for k, (what, why) in self.other.items()}
        object.__setattr__(self, "other", reasons)


def without(cases: Cases, what: str, reason: str) -> Answers:
    """Return answers without any value, all for one reason."""
    blank = blank_results(cases.operation, len(cases))
    return Answers(blank, dict.fromkeys(range(len(cases)), (what, reason)))
