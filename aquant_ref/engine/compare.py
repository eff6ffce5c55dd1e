"""Run two programs on the same images and count every element that differs.

They are the engine and the simulation of its program, which have to agree; or the engine in fixed
point and the ideal semantics, which do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.lowerings import lower, lowered_as
from aquant_ref.engine.program import Program
from aquant_ref.engine.run import Engine
from aquant_ref.errors import InputError
from aquant_ref.nn.quantized import QuantizedGraph
from aquant_ref.nn.train import Labelled
from aquant_ref.progress import Progress, quiet
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from aquant_ref.simulate.simulation import Simulation

Array = NDArray[Any]


@dataclass
class Agreement:
    """What a comparison found; `elements` and `mismatches` are by tensor name.

    `top1` is by program: "simulation" or "ideal", and "engine", fractions of `images`.
    """

    images: int
    elements: dict[str, int]
    mismatches: dict[str, int]
    top1: dict[str, float]

    @property
    def exact(self) -> bool:
        """Whether not one element differs."""
        return not any(self.mismatches.values())

    @property
    def shares(self) -> dict[str, float]:
        """Of each tensor the share of elements that differ."""
        return {name: self.mismatches[name] / count for name, count in self.elements.items()}


def compare(
    model: QuantizedGraph,
    program: Program,
    images: Labelled,
    *,
    dtype: Any = np.float64,
    progress: Progress = quiet,
) -> Agreement:
    """Every code tensor and the logits, over all `images`: simulation against engine.

    The simulation is in `dtype`, or, of a program in fixed point, that of its options. Raises
    InputError if there are no images, or if a tensor has another shape in one than in the other.
    """
    options = lowered_as(program.source)
    simulation = (
        Simulation(model, dtype=dtype) if options is None else FixedPointSimulation(model, options)
    )
    runs = {"simulation": simulation.run, "engine": Engine(program).run}
    return _compared(runs, program.output, images, model.graph.images_at_once(), progress)


def compare_with_ideal(
    model: QuantizedGraph, program: Program, images: Labelled, *, progress: Progress = quiet
) -> Agreement:
    """A program in fixed point against the ideal semantics, which the threshold program computes.

    Spec: AQ-LOWER-10. Both run end to end, each on its own codes. Raises InputError as `compare`.
    """
    runs = {"ideal": Engine(lower(model)).run, "engine": Engine(program).run}
    return _compared(runs, program.output, images, model.graph.images_at_once(), progress)


def _compared(
    runs: Mapping[str, Callable[[Array], dict[str, Array]]],
    output: str,
    images: Labelled,
    batch: int,
    progress: Progress,
) -> Agreement:
    """What two programs, by name, make of the same images."""
    if len(images) == 0:
        raise InputError("comparison: there are no images")
    found = Agreement(len(images), {}, {}, {})
    right = dict.fromkeys(runs, 0)
    one, other = runs
    for start in progress(range(0, len(images), batch), f"{other} against {one}"):
        indices = np.arange(start, min(start + batch, len(images)))
        codes, labels = images.batch(indices), images.labels[indices]
        made = {who: run(codes) for who, run in runs.items()}
        for name, tensor in made[other].items():
            expected = made[one].get(name)
            if expected is None or tensor.shape != expected.shape:
                raise InputError(f"{name}: the program's tensor is not one of the model's")
            differ = np.count_nonzero(tensor != expected)
            found.elements[name] = found.elements.get(name, 0) + tensor.size
            found.mismatches[name] = found.mismatches.get(name, 0) + int(differ)
        for who, tensors in made.items():
            right[who] += int(np.sum(tensors[output].argmax(axis=1) == labels))
    found.top1 = {who: count / len(images) for who, count in right.items()}
    return found
