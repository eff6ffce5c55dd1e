"""Compare two recorded runs: what differs, where it differs first, which layers are to blame.

Spec: AQ-TRACE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aquant_ref.comparison.tensor_diff import Divergence, TensorDiff, describe, differences
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.errors import InputError

if TYPE_CHECKING:
    from aquant_ref.comparison.blame import Judge, Verdict
    from aquant_ref.comparison.recording import Recording


@dataclass(frozen=True)
class Comparison:
    """The differences of all `tensors` of runs A and B, and a description of the `first` one.

    `verdicts` maps "A" and "B" to the verdicts of a program; it is empty without a program.
    """

    tensors: tuple[TensorDiff, ...]
    first: Divergence | None
    verdicts: dict[str, tuple[Verdict, ...]]

    @property
    def equal(self) -> bool:
        """Whether both runs have the same tensors and no element differs."""
        return all(each.equal for each in self.tensors)


def compare_runs(a: Recording, b: Recording, judge: Judge | None = None) -> Comparison:
    """Compare run B with run A, tensor by tensor.

    Spec: AQ-TRACE-1 to AQ-TRACE-3. The order is that of the judge's program, or else of A. With a
    `judge`, each run also gets its verdicts. Raises InputError if no tensor can be compared.
    """
    order = (IMAGE, *judge.program.recorded) if judge else ()
    tensors = differences(a.tensors, b.tensors, order)
    if not any(each.elements for each in tensors):
        raise InputError(
            "comparison: no tensor is in both runs with the same shape; "
            + "; ".join(f"{each.name} {each.why or each.note}" for each in tensors[:3])
        )
    first = next((each.name for each in tensors if each.mismatches), None)
    divergence = None
    if first is not None:
        pair = a.tensors[first], b.tensors[first]
        divergence = judge.describe(first, *pair, a.tensors) if judge else describe(first, *pair)
    verdicts = {who: judge.judge(run.tensors) for who, run in (("A", a), ("B", b))} if judge else {}
    return Comparison(tensors, divergence, verdicts)
