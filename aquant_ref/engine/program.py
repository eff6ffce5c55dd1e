"""The integer program: a list of instructions on named integer tensors, and its file.

The program holds no real number: whoever implements it needs this page and integer arithmetic.
Tensors are NCHW; `image` is uint8. Each instruction makes the tensor `name`:

| op | gives |
|---|---|
| conv2d | sum of weight * (code - zero_point) over the window, 0 for padding: an accumulator |
| linear | sum of weight * (code - zero_point) + bias |
| add | multiplier_a * a + multiplier_b * b, per channel: an accumulator |
| sum | sum over all positions, shape (N, C, 1, 1): an accumulator |
| max_pool | maximum over the window |
| flatten | (N, C, H, W) -> (N, C*H*W) |
| threshold | how many of the channel's sorted thresholds are <= the accumulator: a code |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.formats import native

Array = NDArray[Any]

IMAGE = "image"
MODEL = "model_sha256"  # where `source` says which model a program was lowered from
# Arrays that an instruction carries, and the kinds of dtype that each may have.
ARRAYS: dict[str, tuple[str, ...]] = {
    "conv2d": ("weight", "zero_point"),
    "linear": ("weight", "bias", "zero_point"),
    "add": ("multiplier_a", "multiplier_b"),
    "sum": (),
    "max_pool": (),
    "flatten": (),
    "threshold": ("thresholds",),
}


@dataclass(frozen=True)
class Instruction:
    """One step: tensor `name` is `op` of the tensors `inputs`."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Instructions in order; the last one makes the logits. `source` says how it was made."""

    input_shape: tuple[int, int, int]
    instructions: tuple[Instruction, ...]
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """Name of the logits."""
        return self.instructions[-1].name

    @property
    def recorded(self) -> tuple[str, ...]:
        """The tensors worth comparing: every code tensor and the logits."""
        codes = (i.name for i in self.instructions if i.op == "threshold")
        return (*codes, self.output)

    def save(self, path: str | Path) -> None:
        """Write the program file; raises InputError if `path` cannot be written."""
        instructions = [
            {
                "name": i.name,
                "op": i.op,
                "inputs": list(i.inputs),
                "attributes": dict(i.attributes),
            }
            for i in self.instructions
        ]
        arrays = {f"{i.name}/{key}": a for i in self.instructions for key, a in i.arrays.items()}
        meta = {
            "input_shape": list(self.input_shape),
            "instructions": instructions,
            "source": dict(self.source),
        }
        native.save(path, "program", meta=meta, arrays=arrays)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read what `save` wrote; raises InputError, which names the file, if it makes no sense."""
        meta, arrays = native.load(path, "program")
        try:
            instructions = tuple(_instruction(each, arrays) for each in meta["instructions"])
            channels, height, width = meta["input_shape"]
            _check_order(instructions)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: is not an integer program ({error})") from error
        return cls((channels, height, width), instructions, meta["source"])


def _instruction(stored: dict[str, Any], arrays: dict[str, Array]) -> Instruction:
    own = {key: arrays[f"{stored['name']}/{key}"] for key in ARRAYS[stored["op"]]}
    for key, array in own.items():
        if array.dtype.kind not in "iu":
            raise ValueError(f"{stored['name']}: {key} is {array.dtype}, not integer")
    thresholds = own.get("thresholds")
    if thresholds is not None and bool((np.diff(thresholds, axis=1) < 0).any()):
        raise ValueError(f"{stored['name']}: thresholds are not sorted")
    return Instruction(**{**stored, "inputs": tuple(stored["inputs"])}, arrays=own)


def _check_order(instructions: tuple[Instruction, ...]) -> None:
    made = {IMAGE}
    for each in instructions:
        for name in each.inputs:
            if name not in made:
                raise ValueError(f"{each.name}: reads {name!r} before it is made")
        made.add(each.name)
