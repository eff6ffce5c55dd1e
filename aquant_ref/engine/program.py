"""The integer program: a list of instructions on named integer tensors, and its file.

PROGRAM.md describes both for those who write an interpreter in another language. The program holds
no real number, but for `rescale_float`, which reproduces engines that requantize in floating point.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.checks import check_images, instance
from aquant_ref.engine.bounds import bounds
from aquant_ref.engine.instruction import IMAGE, Bounds, Instruction, Shape
from aquant_ref.engine.operations import OPERATIONS, QUANTIZES
from aquant_ref.engine.validate import check
from aquant_ref.errors import InputError, counted
from aquant_ref.formats import native
from aquant_ref.formats.stored import Stored
from aquant_ref.rows import Row, Tabular
from aquant_ref.typing import Array, Integers, Pixels

IMAGES_AT_ONCE = 1024  # whose codes are in memory together
MODEL = "model_sha256"  # where `source` says which model a program was lowered from


@dataclass(frozen=True, repr=False, eq=False)
class Program(Stored, Tabular):
    """Instructions in order; the last one makes the logits. `source` says how it was made."""

    input_shape: tuple[int, int, int]
    instructions: tuple[Instruction, ...]
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """Name the logits."""
        return self.instructions[-1].name

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Give the shapes of all tensors, without the batch axis; raise InputError as `check`."""
        return check(self.input_shape, self.instructions, part=True)

    @cached_property
    def bounds(self) -> dict[str, Bounds]:
        """Give the least and the largest value of each channel of all tensors, (C,) int64.

        Raises AccumulatorOverflow where an integer could leave its type.
        """
        return bounds(self.shapes, self.instructions)

    @cached_property
    def makers(self) -> dict[str, Instruction]:
        """Give the instruction that makes each tensor, in order."""
        return {each.name: each for each in self.instructions}

    @property
    def recorded(self) -> tuple[str, ...]:
        """Name the tensors worth comparing: every code tensor and the logits."""
        codes = (i.name for i in self.instructions if i.op in QUANTIZES)
        return (*codes, self.output)

    def validate(self, *, part: bool = False) -> dict[str, Bounds]:
        """Raise InputError or AccumulatorOverflow unless this program can be run.

        It must make logits, but for a `part` of a program. Returns the bounds of all tensors.
        """
        shapes = check(self.input_shape, self.instructions, part=part)
        return bounds(shapes, self.instructions)

    def sources(self, name: str, ops: Container[str] = QUANTIZES) -> tuple[str, ...]:
        """Find the nearest tensors behind `name`: the image, or what one of `ops` makes."""
        found, seen = list[str](), set[str]()
        waiting = [*reversed(self.makers[name].inputs)]
        while waiting:
            read = waiting.pop()
            if read in seen:
                continue
            seen.add(read)
            if read == IMAGE or self.makers[read].op in ops:
                found.append(read)
            else:
                waiting += reversed(self.makers[read].inputs)
        return tuple(found)

    def run(self, images: Pixels) -> Integers:
        """Return the logits of uint8 `images` (N, C, H, W): integers (N, classes).

        `Engine` runs the same and returns the codes of every tensor. Raises InputError as it does.
        """
        check_images(images, self.input_shape)
        starts = range(0, len(images), IMAGES_AT_ONCE)
        parts = (self._engine.run(images[i : i + IMAGES_AT_ONCE])[self.output] for i in starts)
        return np.concatenate(list(parts))

    @cached_property
    def _engine(self) -> Any:
        from aquant_ref.engine.fast.run import Engine  # which needs to know what a program is

        return Engine(self)

    def rows(self) -> list[Row]:
        """Return a row an instruction: the tensor it makes, from what, its shape and integers."""
        known = self.bounds
        return [
            {
                "tensor": each.name,
                "instruction": each.op,
                "reads": ", ".join(each.inputs),
                "shape": "x".join(map(str, self.shapes[each.name])),
                "least": int(known[each.name][0].min()),
                "largest": int(known[each.name][1].max()),
                "bytes": sum(array.nbytes for array in each.arrays.values()),
            }
            for each in self.instructions
        ]

    def title(self) -> str:
        """Say how large the program is and which lowering made it."""
        shapes = (
            "x".join(map(str, shape)) for shape in (self.input_shape, self.shapes[self.output])
        )
        size = sum(array.nbytes for each in self.instructions for array in each.arrays.values())
        how = self.source.get("lowering", "threshold")
        return (
            f"Program {' to '.join(shapes)}: {counted(len(self.instructions), 'instruction')}, "
            f"{size} bytes, lowering {how}"
        )

    def save(self, path: str | Path) -> None:
        """Write the program file.

        Raises InputError or AccumulatorOverflow as `validate` does, and if `path` cannot be
        written.
        """
        self.validate()
        instance("source", self.source, Mapping)
        meta, arrays = self._content()
        version = 2 if any(each.op == "feedback_conv2d" for each in self.instructions) else 1
        native.save(path, "program", meta=meta, arrays=arrays, version=version)

    def _content(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Collect metadata and arrays of the program file."""
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
        return meta, arrays

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read what `save` wrote.

        Raises InputError, which names the file, unless this is a program that can be run and whose
        accumulators fit.
        """
        meta, arrays = native.load(path, "program")
        try:
            program = cls(
                tuple(meta["input_shape"]),
                tuple(_instruction(each, arrays) for each in meta["instructions"]),
                native.source_of(meta),
            )
            if arrays:
                raise ValueError(f"no instruction has the array {min(arrays)!r}")
            program.validate()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: is not an integer program ({error})") from error
        return program


def _instruction(stored: Mapping[str, Any], arrays: dict[str, Array]) -> Instruction:
    """Take the arrays of an instruction out of `arrays`."""
    own = {key: arrays.pop(f"{stored['name']}/{key}") for key in OPERATIONS[stored["op"]].arrays}
    return Instruction(**{**stored, "inputs": tuple(stored["inputs"])}, arrays=own)
