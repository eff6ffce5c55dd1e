"""The engine: runs an integer program in integers only.

The one exception is inside `engine.fast.product`, which integers enter and leave; where they are
small enough, two images share a product (`engine.fast.packed_pairs`). `product="integer"` does
without both, and `product="plain"` is the definition itself (`engine.interpreter`); all give the
same bytes. Nothing here is shared with the simulation. (Where a program asks for requantization in
floating point, which the default lowering never does, `engine.fast.fixed_point` emulates it.)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from aquant_ref.checks import check_codes, check_images, instance
from aquant_ref.engine import interpreter
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import Step, steps
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Codes, Integers, Pixels

# pixels, and at least how many images, that go through the whole program together: 32 of 32x32
BLOCK, FEWEST = 1 << 15, 4
PRODUCTS = ("auto", "integer", "plain")


class Engine:
    """A program ready to run; `product` is "auto", "integer" or "plain".

    Raises AccumulatorOverflow if there could be images whose accumulator leaves int32, or the sum
    of an add 2^53.

    Spec: AQ-IDEAL-2.
    """

    def __init__(self, program: Program, *, product: str = "auto") -> None:
        if product not in PRODUCTS:
            raise ValueError(f"product: needs one of {', '.join(PRODUCTS)}, got {product!r}")
        instance("program", program, Program)
        self.program = program
        known = program.validate(part=True)
        self._plain = product == "plain"
        if self._plain:
            self._steps = {each.name: Step(each) for each in program.instructions}
        else:
            self._steps = steps(program.instructions, known, floats=product == "auto")
        self._recorded = frozenset(program.recorded)
        self._block = max(BLOCK // prod(program.input_shape[1:]), FEWEST)
        readers = [(name, each.name) for each in program.instructions for name in each.inputs]
        self._last_reader = dict(readers)  # of several, the last one stays

    def run(self, images: Pixels) -> dict[str, Integers]:
        """Compute the codes of every quantizer and the logits, for uint8 `images` (N, C, H, W).

        Raises InputError if the images are of another dtype or shape, or if there are none.
        """
        check_images(images, self.program.input_shape)
        parts = map_blocks(lambda part: self._run_block(images[part]), len(images), self._block)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def compute(self, name: str, given: Mapping[str, Codes]) -> Integers:
        """Compute tensor `name` from the tensors `given`, which it depends on, and nothing else.

        Raises InputError, which names the tensor, for values that it cannot have.
        """
        check_codes(given, self.program.shapes)

        def block(part: slice) -> Integers:
            return self._compute(name, {read: tensor[part] for read, tensor in given.items()})

        images = len(next(iter(given.values())))
        return np.concatenate(map_blocks(block, images, self._block))

    def _compute(self, name: str, given: Mapping[str, Codes]) -> Integers:
        wanted, needed = {name}, []
        for step in reversed(self._steps.values()):
            each = step.instruction
            if each.name in wanted and each.name not in given:
                needed.append(step)
                wanted.update(each.inputs)
        if IMAGE in wanted - given.keys():
            raise InputError(f"{name}: is made of {IMAGE}, which is not given")
        tensors = dict(given)
        for step in reversed(needed):
            each = step.instruction
            tensors[each.name] = self._apply(step, [tensors[read] for read in each.inputs])
        return tensors[name]

    def _run_block(self, images: Pixels) -> dict[str, Integers]:
        tensors: dict[str, Integers] = {IMAGE: images}
        recorded: dict[str, Integers] = {}
        for step in self._steps.values():
            each = step.instruction
            value = self._apply(step, [tensors[name] for name in each.inputs])
            tensors[each.name] = value
            if each.name in self._recorded:
                recorded[each.name] = value
            for name in each.inputs:
                if self._last_reader[name] == each.name:
                    tensors.pop(name, None)
        return recorded

    def _apply(self, step: Step, inputs: list[Integers]) -> Integers:
        if self._plain:
            return interpreter.apply(step.instruction, inputs)
        return apply(step, inputs)
