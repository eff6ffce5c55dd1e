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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import check_codes, check_images, instance
from aquant_ref.engine.bounds import Bounds, bounds, product_types
from aquant_ref.engine.fast.fixed_point import OPERATIONS as FIXED_POINT
from aquant_ref.engine.fast.narrow_dtypes import narrowed
from aquant_ref.engine.fast.packed_pairs import ImagePair, pairs
from aquant_ref.engine.fast.per_channel import wide
from aquant_ref.engine.fast.product import by_rows, product, product_by_rows
from aquant_ref.engine.fast.tables import rounded
from aquant_ref.engine.fast.threshold_table import Staircase
from aquant_ref.engine.instruction import (
    CONVOLUTIONS,
    IMAGE,
    MAKES_CODES,
    WINDOWED,
    Instruction,
    check,
    code_type,
)
from aquant_ref.engine.interpreter import apply as plainly
from aquant_ref.engine.program import Program
from aquant_ref.engine.windows import Windows
from aquant_ref.errors import InputError
from aquant_ref.threads import map_blocks

Array = NDArray[Any]

# pixels, and at least how many images, that go through the whole program together: 32 of 32x32
BLOCK, FEWEST = 1 << 15, 4
PRODUCTS = ("auto", "integer", "plain")
FEW = 15  # up to this many thresholds are counted one by one, more are searched


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
        check(program.input_shape, program.instructions, part=True)
        known = bounds(program)
        self._types, self._pairs = dict[str, str](), dict[str, ImagePair]()
        if product == "auto":
            self._types, self._pairs = product_types(program, known), pairs(program, known)
        self._block = max(BLOCK // prod(program.input_shape[1:]), FEWEST)
        self._plain = product == "plain"
        self._makers, self._stairs = {each.name: each for each in program.instructions}, {}
        if not self._plain:
            self._makers = narrowed(program, known)
            self._stairs = {
                name: _stairs(each, known[each.inputs[0]]) for name, each in self._makers.items()
            }
        readers = [(name, each.name) for each in program.instructions for name in each.inputs]
        self._last_reader = dict(readers)  # of several, the last one stays

    def run(self, images: Array) -> dict[str, Array]:
        """Codes of every quantizer and the logits, by name, for uint8 `images` (N, C, H, W).

        Raises InputError if the images are of another dtype or shape, or if there are none.
        """
        check_images(images, self.program.input_shape)
        parts = map_blocks(lambda part: self._run_block(images[part]), len(images), self._block)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def compute(self, name: str, given: Mapping[str, Array]) -> Array:
        """Tensor `name` from the tensors `given`, which it depends on, and nothing else.

        Raises InputError, which names the tensor, for values that it cannot have.
        """
        check_codes(given, self.program.shapes)

        def block(part: slice) -> Array:
            return self._compute(name, {read: tensor[part] for read, tensor in given.items()})

        images = len(next(iter(given.values())))
        return np.concatenate(map_blocks(block, images, self._block))

    def _compute(self, name: str, given: Mapping[str, Array]) -> Array:
        wanted, makers = {name}, []
        for each in reversed(self._makers.values()):
            if each.name in wanted and each.name not in given:
                makers.append(each)
                wanted.update(each.inputs)
        if IMAGE in wanted - given.keys():
            raise InputError(f"{name}: is made of {IMAGE}, which is not given")
        tensors = dict(given)
        for each in reversed(makers):
            tensors[each.name] = self._apply(each, [tensors[read] for read in each.inputs])
        return tensors[name]

    def _run_block(self, images: Array) -> dict[str, Array]:
        tensors = {IMAGE: images}
        recorded = {}
        for each in self._makers.values():
            inputs = [tensors[name] for name in each.inputs]
            tensors[each.name] = value = self._apply(each, inputs)
            if each.op in MAKES_CODES or each.name == self.program.output:
                recorded[each.name] = value
            for name in each.inputs:
                if self._last_reader[name] == each.name:
                    tensors.pop(name, None)
        return recorded

    def _apply(self, each: Instruction, inputs: list[Array]) -> Array:
        if self._plain:
            return plainly(each, inputs)
        if (stairs := self._stairs[each.name]) is not None:
            return stairs.codes(inputs[0])
        return apply(
            each, inputs, self._types.get(each.name, "integer"), self._pairs.get(each.name)
        )


def _stairs(each: Instruction, bound: Bounds) -> Staircase | None:
    """The tables of an instruction with many thresholds, four times as fast as a search."""
    if each.op != "threshold" or each.arrays["thresholds"].shape[1] <= FEW:
        return None
    return Staircase.of(each.arrays["thresholds"], each.attributes["least"], bound)


def apply(
    each: Instruction, inputs: list[Array], kind: str = "integer", pair: ImagePair | None = None
) -> Array:
    """What an instruction makes of tensors (N, C, ...); `kind` is the type of its product, and
    `pair` how two images share it.

    Spec: AQ-LOWER. Nothing is checked: that is done with the whole program.
    """
    x = inputs[0]
    if each.op in CONVOLUTIONS:
        return _conv2d(x, each, kind, pair)
    if each.op == "linear":
        acc = product(each.arrays["weight"], _centred(x, each)[:, :, None], kind)
        return acc[:, :, 0] + each.arrays["bias"]
    if each.op == "threshold":
        return threshold_codes(x, each.arrays["thresholds"], each.attributes["least"])
    if each.op == "add":
        a, b = (wide(each.arrays[key], x.shape) for key in ("multiplier_a", "multiplier_b"))
        total = x * a
        total += inputs[1] * b
        return np.asarray(total)
    if each.op == "sum":
        columns = Windows.of(each.attributes).columns(_centred(x, each))
        return np.asarray(columns.sum(axis=(2, 3), dtype=np.int32) * each.arrays["factor"])
    if each.op == "max_pool":
        return _max_pool(x, each)
    if each.op == "concat":
        return np.concatenate(inputs, axis=1)
    if each.op == "flatten":
        return x.reshape(len(x), -1)
    if each.op == "lookup":
        return each.arrays["table"].take(x)
    if each.op in FIXED_POINT:
        return FIXED_POINT[each.op](each, *inputs)
    raise InputError(f"{each.name}: this engine has no operation {each.op!r}")


def _centred(x: Array, each: Instruction) -> Array:
    """Codes minus the zero point of their channel; what is padded is then 0."""
    zero_point = each.arrays["zero_point"]
    if not zero_point.any():
        return x
    return np.asarray(x.astype(np.int32) - wide(zero_point, x.shape))


def _conv2d(x: Array, each: Instruction, kind: str, pair: ImagePair | None) -> Array:
    weight, groups = each.arrays["weight"], each.attributes["groups"]
    windows = Windows.of(each.attributes, weight.shape[2:])
    if each.op in WINDOWED:
        codes = rounded(windows.columns(x, fill=each.attributes["zero_code"]), each)
        return _by_columns(weight, _centred(codes, each), groups, kind)
    x = _centred(x, each)
    rows = by_rows(weight, each.attributes)
    met = x if rows else windows.columns(x)
    met = met if pair is None else pair.joined(met)
    if rows:
        acc = product_by_rows(weight, met, windows, kind)
    else:
        acc = _by_columns(weight, met, groups, kind)
    return acc if pair is None else pair.apart(acc, len(x))


def _by_columns(weight: Array, columns: Array, groups: int, kind: str) -> Array:
    """A convolution as a product with its im2col matrix (n, C, kh, kw, OH, OW)."""
    n, out_shape = len(columns), columns.shape[4:]
    columns = columns.reshape(n, groups, -1, out_shape[0] * out_shape[1])
    acc = product(weight.reshape(groups, len(weight) // groups, -1), columns, kind)
    return acc.reshape(n, len(weight), *out_shape)


def _max_pool(x: Array, each: Instruction) -> Array:
    # no code is below the least integer of its type, so that padding never wins over a pixel
    least = int(np.iinfo(x.dtype).min)
    columns = Windows.of(each.attributes).columns(x, fill=least)
    return np.asarray(columns.max(axis=(2, 3)))


def threshold_codes(acc: Array, thresholds: Array, least: int) -> Array:
    """For each element (N, C, ...) `least` and how many of its channel's sorted thresholds (C, n)
    it reaches, in the smallest type that holds them.

    Spec: AQ-LOWER-1.
    """
    channels, count = thresholds.shape
    dtype = code_type(least, least + count)
    if 1 <= count <= FEW:
        first, *others = wide(thresholds.T, acc.shape)
        codes = (acc >= first).view(np.uint8)
        for each in others:
            codes += (acc >= each).view(np.uint8)
        return codes if dtype == codes.dtype and not least else codes.astype(dtype) + least
    codes = np.empty(acc.shape, dtype)
    for channel in range(channels):
        reached = np.searchsorted(thresholds[channel], acc[:, channel], side="right")
        codes[:, channel] = reached + least
    return codes
