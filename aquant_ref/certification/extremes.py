"""What each tensor of a program is made of, and the codes that take an accumulator to its bounds.

Spec: AQ-LOWER-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.certification.linear_form import Code, Codes, Index, Terms
from aquant_ref.engine.instruction import IMAGE, Instruction, code_type
from aquant_ref.engine.operations import QUANTIZES, WINDOWED
from aquant_ref.engine.windows import Windows
from aquant_ref.typing import Integers, Mask

if TYPE_CHECKING:
    from aquant_ref.engine.program import Program


GIVEN = (*QUANTIZES, "max_pool")  # what makes the codes that terms are of


class Reach:
    """The terms of the tensors of `program`; an instruction has a method `_of_<op>`.

    Raises ValueError for a program that cannot be run; AccumulatorOverflow as `bounds` does.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.shapes = program.shapes
        self.bounds = program.bounds
        self._makers = program.makers

    def terms(self, name: str, index: Index) -> Terms:
        """Find the terms of one element of tensor `name`.

        Raises NotImplementedError for an instruction that is no sum of a table for each code.
        """
        known: dict[tuple[str, Index], Terms] = {}
        waiting = [(name, index)]
        while waiting:
            element = waiting[-1]
            parts = self._elements(*element)
            if missing := [each for each in parts if each not in known]:
                waiting += missing
            else:
                known[element] = self._made(*element, [known[each] for each in parts])
                waiting.pop()
        return known[name, index]

    def _elements(self, name: str, index: Index) -> list[tuple[str, Index]]:
        """Find the elements that an element of an add, or one that is moved or looked up, reads."""
        each = self._makers.get(name)
        if each is None or each.op not in ("add", "concat", "flatten", "lookup"):
            return []
        if each.op == "flatten":
            where = np.unravel_index(index[0], self.shapes[each.inputs[0]])
            return [(each.inputs[0], tuple(map(int, where)))]
        if each.op != "concat":
            return [(read, index) for read in each.inputs]
        channel, *place = index
        ends = accumulate((self.shapes[read][0] for read in each.inputs), initial=0)
        return [
            (read, (channel - first, *place))
            for read, (first, end) in zip(each.inputs, pairwise(ends), strict=True)
            if first <= channel < end
        ]

    def _made(self, name: str, index: Index, parts: list[Terms]) -> Terms:
        if self._is_given(name):
            least, largest = (int(end[index[0]]) for end in self.bounds[name])
            return Terms(0, {Code(name, index, least): np.arange(least, largest + 1)})
        each = self._makers[name]
        if each.op == "add":
            keys = ("multiplier_a", "multiplier_b")
            a, b = (
                part.times(int(each.arrays[key][index[0]]))
                for part, key in zip(parts, keys, strict=True)
            )
            return Terms.add(a, b)
        if each.op == "lookup":
            return parts[0].looked_up(each.arrays["table"])
        if parts:  # moved
            return parts[0]
        made = getattr(self, f"_of_{each.op}", None)
        if made is None:
            raise NotImplementedError(f"{name}: {each.op} is no sum of a table for each code")
        terms: Terms = made(each, index)
        return terms

    def worst_case(self, name: str, channel: int) -> tuple[Index, Terms]:
        """Find an element whose `ends` are the bounds of its channel, and its terms.

        It is the first from the middle of the image on; where none reaches the bounds, because each
        window meets padding or one code is read twice, that with the widest range.
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

    def tensors(self, name: str, choices: Sequence[Codes]) -> dict[str, Integers]:
        """Make the tensors that `name` reads, (n, ...) each: these n `choices`, and 0 elsewhere.

        Where it is codes itself, as a requantize reads them, that is the tensor.
        """
        whole = self._is_given(name)
        made = {
            read: np.zeros((len(choices), *self.shapes[read]), self.code_type(read))
            for read in ((name,) if whole else self.program.sources(name, GIVEN))
        }
        for number, codes in enumerate(choices):
            for code, value in codes.items():
                made[code.tensor][(number, *code.place)] = value
        return made

    def code_type(self, name: str) -> str:
        """Give the dtype in which the engine has the codes of tensor `name`."""
        low, high = self.bounds[name]
        # a concat of int16 and uint16 is in none of a code's
        return code_type(int(low.min()), int(high.max())) or "int32"

    def edge(self, name: str) -> Mask:
        """(H, W), where tensor `name` is made from a window that reaches into padding.

        An elementwise one is where one of its inputs is, back to the nearest codes.
        """
        if name == IMAGE or self._makers[name].op in QUANTIZES:
            return np.zeros(self.shapes[name][1:], bool)
        edge = np.zeros(self.shapes[name][1:], bool)
        near = (*QUANTIZES, *WINDOWED)
        made_of = (name,) if self._makers[name].op in WINDOWED else self.program.sources(name, near)
        for read in made_of:
            if read != IMAGE and (each := self._makers[read]).op in WINDOWED:
                windows = Windows.of(each)
                counts = windows.counts(self.shapes[each.inputs[0]][1:])
                edge |= counts < prod(windows.kernel)
        return edge

    def _is_given(self, name: str) -> bool:
        return name == IMAGE or self._makers[name].op in GIVEN

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
            channel, pixel = first + member, self._pixel(each, index[1:], tap)
            if pixel is None:
                continue
            code = self.terms(each.inputs[0], (channel, *pixel))
            if "codes" in each.arrays:
                tables = each.arrays["codes"]
                code = code.looked_up(tables[(first * prod(kernel) + row) % len(tables)])
            yield code.times(int(weight[(member, *tap)]), less=int(zero_point[channel]))

    def _pixel(self, each: Instruction, place: Index, tap: Sequence[int]) -> Index | None:
        """Find the pixel that `tap` of the window at `place` meets; None in the padding."""
        stride, dilation, padding = (
            each.attributes[key] for key in ("stride", "dilation", "padding")
        )
        sizes = self.shapes[each.inputs[0]][1:]
        pixel = tuple(
            place[axis] * stride[axis] - padding[axis][0] + tap[axis] * dilation[axis]
            for axis in range(2)
        )
        return pixel if all(0 <= at < size for at, size in zip(pixel, sizes, strict=True)) else None

    def _of_linear(self, each: Instruction, index: Index) -> Terms:
        row = zip(each.arrays["weight"][index[0]], each.arrays["zero_point"], strict=True)
        products = (
            self.terms(each.inputs[0], (k,)).times(int(weight), less=int(zero))
            for k, (weight, zero) in enumerate(row)
        )
        return Terms.sum((Terms(int(each.arrays["bias"][index[0]]), {}), *products))

    def _of_sum(self, each: Instruction, index: Index) -> Terms:
        channel, *place = index
        taps = product(*map(range, each.attributes["kernel"]))
        pixels = (self._pixel(each, tuple(place), tap) for tap in taps)
        factor = int(each.arrays["factor"][tuple(place)])
        zero_point = int(each.arrays["zero_point"][channel])
        return Terms.sum(
            self.terms(each.inputs[0], (channel, *pixel)).times(factor, less=zero_point)
            for pixel in pixels
            if pixel is not None
        )
