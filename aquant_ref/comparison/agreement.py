"""Run two programs on the same images and count every element that differs.

`compare` runs the engine and the simulation of its program, which must agree. `compare_with_ideal`
runs the engine in fixed point and the ideal semantics, which may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import (
    check_images,
    check_labels,
    float_dtype,
    instance,
    shown,
    takes_functions,
)
from aquant_ref.comparison.tensor_diff import difference
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError, counted
from aquant_ref.lowering.lowerings import lower, lowered_as
from aquant_ref.nn.accuracy import Labelled
from aquant_ref.progress import Progress, quiet
from aquant_ref.rows import Row, Tabular
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.typing import Array, Codes, Pixels

if TYPE_CHECKING:
    from aquant_ref.model.quantized_model import QuantizedModel


@dataclass(repr=False)
class Agreement(Tabular):
    """Counts of a comparison over `images` images.

    `elements` and `mismatches` map each tensor name to a count. `top1` maps each program
    ("simulation" or "ideal", and "engine") to the fraction of images that it classifies correctly;
    it is empty where the images have no labels.
    """

    images: int
    elements: dict[str, int]
    mismatches: dict[str, int]
    top1: dict[str, float]

    @property
    def exact(self) -> bool:
        """Whether no element differs."""
        return not any(self.mismatches.values())

    def rows(self) -> list[Row]:
        """Return a row a tensor: how many elements were compared, and how many differ."""
        return [
            {"tensor": name, "elements": count, "mismatches": self.mismatches[name]}
            for name, count in self.elements.items()
        ]

    def title(self) -> str:
        """Say how many elements were compared, and how many differ."""
        return (
            f"Agreement on {counted(self.images, 'image')}: "
            f"{counted(sum(self.elements.values()), 'element')} of "
            f"{counted(len(self.elements), 'tensor')}, "
            f"{counted(sum(self.mismatches.values()), 'mismatch', 'mismatches')}"
        )

    @property
    def shares(self) -> dict[str, float]:
        """The fraction of elements that differ, by tensor name."""
        return {name: self.mismatches[name] / count for name, count in self.elements.items()}


def simulation_of(
    model: QuantizedModel, program: Program, *, dtype: Any = np.float64
) -> Simulation:
    """Return the simulation that computes what `program`, lowered from `model`, must compute.

    A program in fixed point is simulated in float64 with its own options (AQ-LOWER-10); any other
    program is simulated in `dtype`, float32 or float64. Raises InputError for another dtype, and
    where `lowered_as` does.
    """
    instance("program", program, Program)
    options = lowered_as(program.source)
    if options is None:
        return Simulation(model, dtype=dtype)
    if float_dtype("dtype", dtype) != np.float64:
        raise InputError(f"dtype: fixed point is simulated in float64, not in {np.dtype(dtype)}")
    return FixedPointSimulation(model, options)


@takes_functions
def compare(
    model: QuantizedModel,
    program: Program,
    images: Labelled | Pixels,
    *,
    dtype: Any = np.float64,
    progress: Progress = quiet,
) -> Agreement:
    """Compare simulation and engine on every code tensor and the logits, over all `images`.

    Spec: AQ-TRACE-1. `images` are uint8 (N, C, H, W), or a data set whose labels give the top-1
    accuracy. `simulation_of` gives the simulation. Raises InputError if there are no
    images, if images or labels do not fit the network, or if the shapes of a tensor differ.
    """
    runs = {
        "simulation": simulation_of(model, program, dtype=dtype).run,
        "engine": Engine(program).run,
    }
    return _agreement(runs, program, images, model.graph.images_at_once(), progress)


@takes_functions
def compare_with_ideal(
    model: QuantizedModel,
    program: Program,
    images: Labelled | Pixels,
    *,
    progress: Progress = quiet,
) -> Agreement:
    """Compare a program in fixed point with the ideal semantics, which thresholds compute.

    Spec: AQ-LOWER-10. Both run end to end, each on its own codes. Raises InputError where `compare`
    does.
    """
    runs = {"ideal": Engine(lower(model)).run, "engine": Engine(program).run}
    return _agreement(runs, program, images, model.graph.images_at_once(), progress)


def _agreement(
    runs: Mapping[str, Callable[[Pixels], dict[str, Codes]]],
    program: Program,
    images: Labelled | Pixels,
    batch: int,
    progress: Progress,
) -> Agreement:
    """Run two programs, given by name, on the same images; count in the tensors of the second."""
    read, labels = _reader(images, program)
    elements, mismatches = Counter[str](), Counter[str]()
    correct = dict.fromkeys(runs, 0)
    reference, candidate = runs
    for start in progress(range(0, len(images), batch), f"{candidate} against {reference}"):
        indices = np.arange(start, min(start + batch, len(images)))
        codes = read(indices)
        tensors = {who: run(codes) for who, run in runs.items()}
        for name, tensor in tensors[candidate].items():
            diff = difference(name, tensors[reference].get(name), tensor)
            if diff.why:
                raise InputError(f"{name}: the model has no tensor of this name and shape")
            elements[name] += diff.elements
            mismatches[name] += diff.mismatches
        if labels is not None:
            for who in runs:
                predicted = tensors[who][program.output].argmax(axis=1)
                correct[who] += int(np.sum(predicted == labels[indices]))
    top1 = {who: count / len(images) for who, count in correct.items() if labels is not None}
    return Agreement(len(images), dict(elements), dict(mismatches), top1)


def _reader(
    images: Labelled | Pixels, program: Program
) -> tuple[Callable[[Array], Pixels], Array | None]:
    """Return a function that reads images by index, and their labels; an array has None.

    Raises InputError for other kinds of images, and for images that do not fit the program.
    """
    if isinstance(images, np.ndarray):
        check_images(images, program.input_shape)
        return images.__getitem__, None
    if not isinstance(images, Labelled):
        needs = "uint8 (N, C, H, W) or a data set with `labels` and `batch`"
        raise InputError(f"images: needs {needs}, got {shown(images)}")
    if len(images) == 0:
        raise InputError("images: needs at least one, got none")
    check_labels(images.labels, len(images), program.shapes[program.output][0])
    return images.batch, images.labels
