"""Run the integer program beside the float simulation and count every element that differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.differences import difference
from aquant_ref.engine.program import Program
from aquant_ref.engine.run import Engine
from aquant_ref.errors import InputError
from aquant_ref.nn.quantized import QuantizedGraph
from aquant_ref.nn.train import Labelled
from aquant_ref.progress import Progress, quiet
from aquant_ref.simulate.simulation import Simulation

Array = NDArray[Any]


@dataclass
class Agreement:
    """What a comparison found; `elements` and `mismatches` are by tensor name.

    `top1` is by program: "simulation" and "engine", fractions of `images`.
    """

    images: int
    elements: dict[str, int]
    mismatches: dict[str, int]
    top1: dict[str, float]

    @property
    def exact(self) -> bool:
        """Whether not one element differs."""
        return not any(self.mismatches.values())


def compare(
    model: QuantizedGraph,
    program: Program,
    images: Labelled,
    *,
    dtype: Any = np.float64,
    progress: Progress = quiet,
) -> Agreement:
    """Every code tensor and the logits, over all `images`: simulation in `dtype` against engine.

    Raises InputError if there are no images, or if a tensor has another shape in one than in the
    other.
    """
    if len(images) == 0:
        raise InputError("comparison: there are no images")
    simulation, engine = Simulation(model, dtype=dtype), Engine(program)
    found = Agreement(len(images), {}, {}, {})
    right = {"simulation": 0, "engine": 0}
    batch = model.graph.images_at_once()
    for start in progress(range(0, len(images), batch), "engine against simulation"):
        indices = np.arange(start, min(start + batch, len(images)))
        codes, labels = images.batch(indices), images.labels[indices]
        simulated, computed = simulation.run(codes), engine.run(codes)
        for name, tensor in computed.items():
            counted = difference(name, tensor, simulated.get(name))
            if counted.why:
                raise InputError(f"{name}: the program's tensor is not one of the model's")
            found.elements[name] = found.elements.get(name, 0) + counted.elements
            found.mismatches[name] = found.mismatches.get(name, 0) + counted.mismatches
        for who, tensors in (("simulation", simulated), ("engine", computed)):
            right[who] += int(np.sum(tensors[program.output].argmax(axis=1) == labels))
    found.top1 = {who: count / len(images) for who, count in right.items()}
    return found
