"""What a program says of a recorded run: does each tensor follow from the run's own inputs?

Differences propagate, so that a tensor that differs from another run's need not be to blame. Here
each layer is given the codes that the run itself recorded before it; what then differs is a defect
of that layer, or a decision that its certificate names fragile. Spec: AQ-TRACE-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.certification.certificate import margins
from aquant_ref.certification.extremes import Reach
from aquant_ref.comparison.tensor_diff import Divergence, Masks, describe
from aquant_ref.engine.fast.run import Engine
from aquant_ref.lowering.thresholds import Lowering

Array = NDArray[Any]
Tensors = Mapping[str, Array]


@dataclass(frozen=True)
class Verdict:
    """Tensor `name` of a run beside what the program makes of the run's own inputs.

    `divergence` is None where they are equal. `why` says, if it is not empty, why this cannot be
    judged.
    """

    name: str
    divergence: Divergence | None = None
    why: str = ""


class Judge:
    """Judges runs by a lowered model; decisions are fragile for a simulation in `dtype`.

    None is in fixed point, nor a tie: its simulation makes the same integers.
    """

    def __init__(self, lowering: Lowering, *, dtype: Any = np.float64) -> None:
        self.program = lowering.program
        self._engine, self._reach = Engine(self.program), Reach(self.program)
        self._margins = margins(lowering, dtype=dtype)
        self._decisions = {each.name: each for each in lowering.decisions}

    def judge(self, run: Tensors) -> tuple[Verdict, ...]:
        """A verdict on each recorded tensor of the program that is in `run`, in order.

        Codes that a run has stored with another zero point are not held against those who read
        them: a layer that follows from them, or else from the codes without the offset, is right.
        """
        verdicts: list[Verdict] = []
        without = dict(run)  # the same run, offsets taken away
        for name in self.program.recorded:
            if name not in run:
                continue
            verdict = self._verdict(name, run)
            if (verdict.divergence or verdict.why) and self._reads_moved(name, run, without):
                again = self._verdict(name, {**without, name: run[name]})
                right = again.divergence is None and not again.why
                verdict = again if right or verdict.why else verdict
            verdicts.append(verdict)
            if verdict.divergence is not None and (step := self._offset(name, without)):
                without[name] = run[name] - step
        return tuple(verdicts)

    def _reads_moved(self, name: str, run: Tensors, without: Tensors) -> bool:
        return any(without.get(read) is not run.get(read) for read in self.program.sources(name))

    def _offset(self, name: str, run: Tensors) -> float:
        """How far each code of tensor `name` is above what the program makes, if all are as far."""
        steps = run[name].astype(np.float64) - self._engine.compute(name, self._given(name, run))
        return 0.0 if np.ptp(steps) else float(steps.flat[0])

    def describe(self, name: str, a: Array, b: Array, run: Tensors) -> Divergence:
        """Where and how `b` differs from `a`, which both are made from what `run` has recorded."""
        if name not in self.program.recorded or self._why_not(name, run):
            return describe(name, a, b)

        def look(images: list[int]) -> Masks:
            one, other = _integers(a[images]), _integers(b[images])
            ties = self._ties(name, self._given(name, run, images))
            if one is None or other is None or name not in self._margins:
                return ties, None
            return ties, self._margins[name].explain(one, other)

        return describe(name, a, b, edge=self._edge(name), look=look)

    def _verdict(self, name: str, run: Tensors) -> Verdict:
        why = self._why_not(name, run)
        if why:
            return Verdict(name, why=why)
        expected = self._engine.compute(name, self._given(name, run))
        if np.array_equal(expected, run[name]):
            return Verdict(name)
        return Verdict(name, self.describe(name, expected, run[name], run))

    def _why_not(self, name: str, run: Tensors) -> str:
        if run[name].shape[1:] != self.program.shapes[name]:
            return f"has shape {run[name].shape}, the program makes {self.program.shapes[name]}"
        for read in self.program.sources(name):
            if read not in run:
                return f"{read}, which it reads, is not recorded"
            codes, shape = run[read], (len(run[name]), *self.program.shapes[read])
            if codes.shape != shape:
                return f"{read}, which it reads, has shape {codes.shape}, needs {shape}"
            low, high = self._ends(read)
            if (codes < low).any() or (codes > high).any() or _integers(codes) is None:
                return f"{read}, which it reads, is not in codes of {low.min()} to {high.max()}"
        return ""

    def _given(self, name: str, run: Tensors, images: Any = slice(None)) -> dict[str, Array]:
        """What tensor `name` reads, in the dtypes that the engine has codes in."""
        return {
            read: run[read][images].astype(self._reach.code_type(read))
            for read in self.program.sources(name)
        }

    def _ends(self, name: str) -> tuple[Array, Array]:
        """The least and the largest code of each channel, in the shape of one image."""
        shape = -1, *(1,) * (len(self.program.shapes[name]) - 1)
        low, high = (end.reshape(shape) for end in self._reach.bounds[name])
        return low, high

    def _edge(self, name: str) -> Array | None:
        """(H, W), where the windows that an element is made from reach into padding."""
        read = {each.name: each.inputs[0] for each in self.program.instructions}[name]
        return self._reach.edge(read) if len(self.program.shapes[name]) == 3 else None

    def _ties(self, name: str, given: Tensors) -> Array | None:
        """Where the exact accumulator lies on a threshold."""
        decisions = self._decisions.get(name)
        if decisions is None:
            return None
        acc = self._engine.compute(decisions.accumulator.name, given)
        ties = np.zeros(acc.shape, bool)
        for channel, row in enumerate(decisions.exact):
            on = [int(tau) for tau in row if tau.denominator == 1]
            ties[:, channel] = np.isin(acc[:, channel], on)
        return ties


def _integers(values: Array) -> Array | None:
    """The values as integers; None if they are none."""
    if values.dtype.kind != "f":
        return values
    whole = values.astype(np.int64)
    return whole if np.array_equal(whole, values) else None
