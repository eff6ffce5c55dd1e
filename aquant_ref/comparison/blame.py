"""Find the layers of a recorded run that are to blame: does each follow from its own inputs?

A difference propagates to all later layers, so a tensor that differs from another run's need not be
wrong itself. A `Judge` therefore runs each layer of the program on the codes that the run recorded
before it. What still differs is a defect of that layer, or a decision that its certificate names
fragile. Spec: AQ-TRACE-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.certification.certificate import margins
from aquant_ref.certification.extremes import Reach
from aquant_ref.comparison.tensor_diff import Divergence, Masks, describe
from aquant_ref.engine.fast.run import Engine
from aquant_ref.typing import Array, Codes, Integers, Mask

if TYPE_CHECKING:
    from aquant_ref.lowering.thresholds import Lowering

Tensors = Mapping[str, Array]


@dataclass(frozen=True)
class Verdict:
    """Tensor `name` of a run compared with what the program makes of the run's own inputs.

    `divergence` is None where the two are equal. `why` is empty, or says why the tensor cannot be
    judged.
    """

    name: str
    divergence: Divergence | None = None
    why: str = ""


class Judge:
    """Judge runs by a lowered model. Spec: AQ-TRACE-3.

    `dtype` is the floating-point type of the simulation for which decisions are named fragile. A
    program in fixed point has neither fragile decisions nor ties: its simulation makes the same
    integers.
    """

    def __init__(self, lowering: Lowering, *, dtype: Any = np.float64) -> None:
        self.program = lowering.program
        self._engine, self._reach = Engine(self.program), Reach(self.program)
        self._margins = margins(lowering, dtype=dtype)
        self._decisions = {each.name: each for each in lowering.decisions}

    def judge(self, run: Tensors) -> tuple[Verdict, ...]:
        """Return a verdict on each recorded tensor of the program that is in `run`, in order.

        A run may store codes with another zero point than the program. The layers that read such
        codes are right if they follow from the codes with that offset or from those without it.
        """
        verdicts: list[Verdict] = []
        without = dict(run)  # the same run with offsets removed
        for name in self.program.recorded:
            if name not in run:
                continue
            verdict = self._verdict(name, run)
            if (verdict.divergence or verdict.why) and self._reads_offset(name, run, without):
                again = self._verdict(name, {**without, name: run[name]})
                right = again.divergence is None and not again.why
                verdict = again if right or verdict.why else verdict
            verdicts.append(verdict)
            if verdict.divergence is not None and (step := self._offset(name, without)):
                without[name] = run[name] - step
        return tuple(verdicts)

    def _reads_offset(self, name: str, run: Tensors, without: Tensors) -> bool:
        return any(without.get(read) is not run.get(read) for read in self.program.sources(name))

    def _offset(self, name: str, run: Tensors) -> float:
        """Return by how much all codes of tensor `name` exceed the program's; 0 if it varies."""
        steps = run[name].astype(np.float64) - self._engine.compute(name, self._inputs(name, run))
        return 0.0 if np.ptp(steps) else float(steps.flat[0])

    def describe(self, name: str, a: Array, b: Array, run: Tensors) -> Divergence:
        """Describe where and how `b` differs from `a`; `run` holds the inputs of both."""
        if name not in self.program.recorded or self._why_not(name, run):
            return describe(name, a, b)

        def masks(images: list[int]) -> Masks:
            codes_a, codes_b = _integers(a[images]), _integers(b[images])
            ties = self._ties(name, self._inputs(name, run, images))
            if codes_a is None or codes_b is None or name not in self._margins:
                return ties, None
            return ties, self._margins[name].explain(codes_a, codes_b)

        return describe(name, a, b, edge=self._edge(name), masks=masks)

    def _verdict(self, name: str, run: Tensors) -> Verdict:
        why = self._why_not(name, run)
        if why:
            return Verdict(name, why=why)
        expected = self._engine.compute(name, self._inputs(name, run))
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
                span = f"{low.min()} to {high.max()}"
                return f"{read}, which it reads, holds values that are not codes of {span}"
        return ""

    def _inputs(self, name: str, run: Tensors, images: Any = slice(None)) -> dict[str, Codes]:
        """Return the tensors that `name` reads, in the dtypes of the engine's codes."""
        return {
            read: run[read][images].astype(self._reach.code_type(read))
            for read in self.program.sources(name)
        }

    def _ends(self, name: str) -> tuple[Integers, Integers]:
        """Return the least and the largest code of each channel, broadcast to one image."""
        shape = -1, *(1,) * (len(self.program.shapes[name]) - 1)
        low, high = (end.reshape(shape) for end in self._reach.bounds[name])
        return low, high

    def _edge(self, name: str) -> Mask | None:
        """Return (H, W), true where the windows behind an element reach into padding."""
        read = {each.name: each.inputs[0] for each in self.program.instructions}[name]
        return self._reach.edge(read) if len(self.program.shapes[name]) == 3 else None

    def _ties(self, name: str, inputs: Tensors) -> Mask | None:
        """Return a mask, true where the exact accumulator lies on a threshold."""
        decisions = self._decisions.get(name)
        if decisions is None:
            return None
        acc = self._engine.compute(decisions.accumulator.name, inputs)
        ties = np.zeros(acc.shape, bool)
        for channel, row in enumerate(decisions.exact):
            whole = [int(tau) for tau in row if tau.denominator == 1]
            ties[:, channel] = np.isin(acc[:, channel], whole)
        return ties


def _integers(values: Array) -> Integers | None:
    """Return the values as integers; None if one has a fraction."""
    if values.dtype.kind != "f":
        return values
    whole = values.astype(np.int64)
    return whole if np.array_equal(whole, values) else None
