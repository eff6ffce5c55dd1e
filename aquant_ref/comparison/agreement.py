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

from aquant_ref.checks import check_labels, float_dtype, instance
from aquant_ref.comparison.tensor_diff import difference
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lower, lowered_as
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.training.train import Labelled
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


def simulation_of(
    model: QuantizedModel, program: Program, *, dtype: Any = np.float64
) -> Simulation:
    """The simulation that `program`, lowered from `model`, is compared with.

    It is in `dtype`, or, of a program in fixed point, that of its options, which is in float64.
    Raises InputError for another dtype there, and as `lowered_as` does.
    """
    instance("program", program, Program)
    options = lowered_as(program.source)
    if options is None:
        return Simulation(model, dtype=dtype)
    if float_dtype("dtype", dtype) != np.float64:
        raise InputError(f"dtype: fixed point is simulated in float64, not in {np.dtype(dtype)}")
    return FixedPointSimulation(model, options)


def compare(
    model: QuantizedModel,
    program: Program,
    images: Labelled,
    *,
    dtype: Any = np.float64,
    progress: Progress = quiet,
) -> Agreement:
    """Every code tensor and the logits, over all `images`: simulation against engine.

    The simulation is that of `simulation_of`. Raises InputError if there are no images, if
    images or labels do not fit the network, or if a tensor has another shape in one than in the
    other.
    """
    runs = {
        "simulation": simulation_of(model, program, dtype=dtype).run,
        "engine": Engine(program).run,
    }
    return _compared(runs, program, images, model.graph.images_at_once(), progress)


def compare_with_ideal(
    model: QuantizedModel, program: Program, images: Labelled, *, progress: Progress = quiet
) -> Agreement:
    """A program in fixed point against the ideal semantics, which the threshold program computes.

    Spec: AQ-LOWER-10. Both run end to end, each on its own codes. Raises InputError as `compare`.
    """
    runs = {"ideal": Engine(lower(model)).run, "engine": Engine(program).run}
    return _compared(runs, program, images, model.graph.images_at_once(), progress)


def _compared(
    runs: Mapping[str, Callable[[Array], dict[str, Array]]],
    program: Program,
    images: Labelled,
    batch: int,
    progress: Progress,
) -> Agreement:
    """What two programs, by name, make of the same images."""
    if len(images) == 0:
        raise InputError("comparison: there are no images")
    check_labels(images.labels, len(images), program.shapes[program.output][0])
    output = program.output
    found = Agreement(len(images), {}, {}, {})
    right = dict.fromkeys(runs, 0)
    one, other = runs
    for start in progress(range(0, len(images), batch), f"{other} against {one}"):
        indices = np.arange(start, min(start + batch, len(images)))
        codes = images.batch(indices)
        made = {who: run(codes) for who, run in runs.items()}
        for name, tensor in made[other].items():
            counted = difference(name, made[one].get(name), tensor)
            if counted.why:
                raise InputError(f"{name}: the program's tensor is not one of the model's")
            found.elements[name] = found.elements.get(name, 0) + counted.elements
            found.mismatches[name] = found.mismatches.get(name, 0) + counted.mismatches
        for who, tensors in made.items():
            right[who] += int(np.sum(tensors[output].argmax(axis=1) == images.labels[indices]))
    found.top1 = {who: count / len(images) for who, count in right.items()}
    return found
