"""What each tensor of a program is made of, and the codes that take an accumulator to its bounds.

Spec: AQ-LOWER-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine.bounds import bounds
from aquant_ref.engine.instructions import IMAGE, Instruction
from aquant_ref.engine.program import Program
from aquant_ref.engine.terms import Codes, Index, Terms

Array = NDArray[Any]

MAKES_CODES = ("threshold", "max_pool")


class Reach:
    """The terms of the tensors of `program`; an instruction has a method `_of_<op>`.

    Raises ValueError for a program that cannot be run; AccumulatorOverflow as `bounds` does.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.shapes = program.shapes
        self.bounds = bounds(program)
        self._makers = {each.name: each for each in program.instructions}

    def terms(self, name: str, index: Index) -> Terms:
        """The terms of one element of tensor `name`.

        Raises NotImplementedError for an instruction that is no sum of a table for each code.
        """
        if name == IMAGE or self._makers[name].op in MAKES_CODES:
            largest = int(self.bounds[name][1][index[0]])
            return Terms(0, {(name, index): np.arange(largest + 1)})
        each = self._makers[name]
        made = getattr(self, f"_of_{each.op}", None)
        if made is None:
            raise NotImplementedError(f"{name}: {each.op} is no sum of a table for each code")
        terms: Terms = made(each, index)
        return terms

    def worst_case(self, name: str, channel: int) -> tuple[Index, Terms]:
        """An element of the channel whose `ends` are the bounds of the channel, and its terms.

        It is the first from the middle of the image on; where none reaches the bounds, because each
        window meets padding or one code is in two terms, that with the widest range.
        """
        low, high = (int(end[channel]) for end in self.bounds[name])
        widest: tuple[int, Index, Terms] | None = None
        for index in self._from_the_middle(name, channel):
            terms = self.terms(name, index)
            width = terms.values[-1] - terms.values[0]
            if widest is None or width > widest[0]:
                widest = width, index, terms
            if width == high - low:
                break
        assert widest is not None  # no tensor is empty
        return widest[1:]

    def tensors(self, name: str, choices: Sequence[Codes]) -> dict[str, Array]:
        """What tensor `name` reads, (n, ...) each, with these n `choices` and 0 beside them."""
        made = {}
        for read in self.program.sources(name, MAKES_CODES):
            dtype = np.uint8 if int(self.bounds[read][1].max()) < 256 else np.uint16
            made[read] = np.zeros((len(choices), *self.shapes[read]), dtype)
        for number, codes in enumerate(choices):
            for (read, index), code in codes.items():
                made[read][(number, *index)] = code
        return made

    def _from_the_middle(self, name: str, channel: int) -> list[Index]:
        sizes = self.shapes[name][1:]

        def distance(place: Index) -> int:
            return sum(abs(2 * p + 1 - size) for p, size in zip(place, sizes, strict=True))

        return [(channel, *place) for place in sorted(product(*map(range, sizes)), key=distance)]

    def _of_conv2d(self, each: Instruction, index: Index) -> Terms:
        return Terms.sum(self._products(each, index))

    _of_border_conv2d = _of_conv2d

    def _products(self, each: Instruction, index: Index) -> Iterator[Terms]:
        weight, zero_point = each.arrays["weight"][index[0]], each.arrays["zero_point"]
        members, *kernel = weight.shape
        first = index[0] * each.attributes["groups"] // len(each.arrays["weight"]) * members
        for row, (member, *tap) in enumerate(product(range(members), *map(range, kernel))):
            channel, pixel = first + member, self._pixel(each, index, tap)
            if pixel is None:
                continue
            code = self.terms(each.inputs[0], (channel, *pixel))
            if "codes" in each.arrays:
                tables = each.arrays["codes"]
                code = code.looked_up(tables[(first * prod(kernel) + row) % len(tables)])
            yield code.times(int(weight[(member, *tap)]), less=int(zero_point[channel]))

    def _pixel(self, each: Instruction, index: Index, tap: Sequence[int]) -> Index | None:
        """The pixel that `tap` of the window at `index` meets; None in the padding."""
        stride, padding = each.attributes["stride"], each.attributes["padding"]
        sizes = self.shapes[each.inputs[0]][1:]
        pixel = tuple(index[1 + a] * stride[a] - padding[a] + tap[a] for a in range(2))
        return pixel if all(0 <= pixel[a] < sizes[a] for a in range(2)) else None

    def _of_linear(self, each: Instruction, index: Index) -> Terms:
        row = zip(each.arrays["weight"][index[0]], each.arrays["zero_point"], strict=True)
        products = (
            self.terms(each.inputs[0], (k,)).times(int(weight), less=int(zero))
            for k, (weight, zero) in enumerate(row)
        )
        return Terms.sum((Terms(int(each.arrays["bias"][index[0]]), {}), *products))

    def _of_add(self, each: Instruction, index: Index) -> Terms:
        a, b = (
            self.terms(name, index).times(int(each.arrays[key][index[0]]))
            for name, key in zip(each.inputs, ("multiplier_a", "multiplier_b"), strict=True)
        )
        return Terms.add(a, b)

    def _of_sum(self, each: Instruction, index: Index) -> Terms:
        (source,) = each.inputs
        places = product(*map(range, self.shapes[source][1:]))
        return Terms.sum(self.terms(source, (index[0], *place)) for place in places)

    def _of_lookup(self, each: Instruction, index: Index) -> Terms:
        return self.terms(each.inputs[0], index).looked_up(each.arrays["table"])

    def _of_flatten(self, each: Instruction, index: Index) -> Terms:
        (source,) = each.inputs
        channel, *place = np.unravel_index(index[0], self.shapes[source])
        return self.terms(source, (int(channel), *map(int, place)))
