"""Two recorded runs side by side: what differs, where first, and which layer is to blame.

Spec: AQ-TRACE.
"""

from __future__ import annotations

from dataclasses import dataclass

from aquant_ref.comparison.blame import Judge, Verdict
from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.tensor_diff import Divergence, TensorDiff, describe, differences
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.errors import InputError


@dataclass(frozen=True)
class Comparison:
    """All `tensors` of runs A and B, the `first` that differs, and what a program says of both.

    `verdicts` are by run, "A" and "B"; there are none without a program.
    """

    tensors: tuple[TensorDiff, ...]
    first: Divergence | None
    verdicts: dict[str, tuple[Verdict, ...]]

    @property
    def equal(self) -> bool:
        """Whether both runs have the same tensors, and no element differs."""
        return all(each.equal for each in self.tensors)


def compare_runs(a: Recording, b: Recording, judge: Judge | None = None) -> Comparison:
    """Compare run B with run A, tensor by tensor in the order of the judge's program, or of A.

    Raises InputError if no tensor can be compared.
    """
    order = (IMAGE, *judge.program.recorded) if judge else ()
    tensors = differences(a.tensors, b.tensors, order)
    if not any(each.elements for each in tensors):
        raise InputError(
            "comparison: no tensor is in both, in one shape; "
            + "; ".join(f"{each.name} {each.why or each.note}" for each in tensors[:3])
        )
    first = next((each.name for each in tensors if each.mismatches), None)
    found = None
    if first is not None:
        pair = a.tensors[first], b.tensors[first]
        found = judge.describe(first, *pair, a.tensors) if judge else describe(first, *pair)
    verdicts = {who: judge.judge(run.tensors) for who, run in (("A", a), ("B", b))} if judge else {}
    return Comparison(tensors, found, verdicts)
