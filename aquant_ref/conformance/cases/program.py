"""Cases of `program`: whole small networks in integers, from an image to logits.

A program is built step by step, and so is what it makes of its image: thresholds are put where
accumulators are, half of them exactly there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from aquant_ref import oracle
from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.tensors import Row, by_case
from aquant_ref.conformance.expected.programs import OPERATIONS
from aquant_ref.conformance.expected.tables import NEVER_LIFT

NO_PADDING = [[0, 0], [0, 0]]
PARTS = 4  # of a step, in wide codes
FRACTION_BITS = 4


class Builder:
    """A program in the making, and the tensors that it has made of its image so far."""

    def __init__(self, one: CaseRandom, shape: tuple[int, int, int] = (2, 3, 4)) -> None:
        self.one = one
        self.steps: list[dict[str, Any]] = []
        self.image = one.integers(0, 255, shape)
        self.made: dict[str, Any] = {"image": self.image.tolist()}

    def __call__(
        self, op: str, inputs: Sequence[str], attributes: Any = None, **arrays: Any
    ) -> str:
        """One more instruction; returns the name of what it makes."""
        name = f"{op}{len(self.steps)}"
        step = {
            "name": name,
            "op": op,
            "inputs": list(inputs),
            "attributes": attributes or {},
            "arrays": {key: np.asarray(array).tolist() for key, array in arrays.items()},
        }
        terms = [self.made[each] for each in inputs]
        self.made[name] = OPERATIONS[op](step["attributes"], step["arrays"], *terms)
        self.steps.append(step)
        return name

    def channels(self, name: str) -> int:
        """Of a tensor that is made."""
        return len(self.made[name])

    def zero_points(self, name: str) -> Any:
        """One of each channel, among the codes there are."""
        codes = oracle.flatten(self.made[name])
        return self.one.integers(min(codes), max(codes), (self.channels(name),))

    def conv2d(self, x: str, outputs: int, kernel: tuple[int, int] = (2, 2), **given: Any) -> str:
        """A convolution with small weights."""
        groups = given.pop("groups", 1)
        attributes = {"stride": [1, 1], "padding": NO_PADDING, "dilation": [1, 1]}
        weight = self.one.integers(-3, 3, (outputs, self.channels(x) // groups, *kernel))
        return self(
            "conv2d",
            [x],
            {**attributes, **given, "groups": groups},
            weight=weight,
            zero_point=self.zero_points(x),
        )

    def threshold(self, x: str, count: int = 3, least: int = 0) -> str:
        """Codes by thresholds that are elements of their channel, or one above."""
        rows = []
        for plane in self.made[x]:
            values = oracle.flatten(plane)
            row = [self.one.pick(values) + self.one.integer(0, 1) for _ in range(count)]
            rows.append(sorted(row))
        return self("threshold", [x], {"least": least}, thresholds=rows)

    def wide(self, x: str, count: int) -> str:
        """Codes with evenly spaced thresholds, from the least to the largest element."""
        rows = []
        for plane in self.made[x]:
            values = oracle.flatten(plane)
            step = (max(values) - min(values)) // count + 1
            rows.append([min(values) + step * (k + 1) - step // 2 for k in range(count)])
        return self("threshold", [x], {"least": 0}, thresholds=rows)

    def logits(self, x: str, outputs: int = 3) -> Row:
        """The whole case."""
        if isinstance(self.made[x][0], list):
            positions = len(oracle.flatten(self.made[x])) // self.channels(x)
            x = self("flatten", [x], {"positions": positions})
        self(
            "linear",
            [x],
            weight=self.one.integers(-7, 7, (outputs, self.channels(x))),
            bias=self.one.integers(-50, 50, (outputs,)),
            zero_point=self.zero_points(x),
        )
        return {"image": self.image, "program": self.steps}


def _chain(one: CaseRandom, selection: Selection) -> Row:
    add = Builder(one)
    x = add.threshold(add.conv2d("image", 3, (3, 2), padding=[[1, 0], [0, 1]]))
    x = add.threshold(add.conv2d(x, 4, stride=[1, 2]), 3, -2)
    return add.logits(x)


def _groups(one: CaseRandom, selection: Selection) -> Row:
    add = Builder(one)
    x = add.threshold(add.conv2d("image", 4, (1, 2), padding=[[0, 0], [1, 0]]))
    x = add.threshold(add.conv2d(x, 6, groups=2, dilation=[1, 2]))
    return add.logits(x, 2)


def _residual(one: CaseRandom, selection: Selection) -> Row:
    add = Builder(one)
    x = add.threshold(add.conv2d("image", 3, (1, 1)))
    y = add.conv2d(x, 3, (3, 3), padding=[[1, 1], [1, 1]])
    factors = {
        f"multiplier_{k}": one.integers(1, 9, (3,)) * size for k, size in (("a", 5), ("b", 2))
    }
    return add.logits(add.threshold(add("add", [x, y], **factors)), 2)


def _pools(one: CaseRandom, selection: Selection) -> Row:
    """A mean whose windows have 1, 2 or 4 pixels, and a maximum over signed codes."""
    add = Builder(one)
    windows = {"kernel": [2, 2], "stride": [1, 1], "dilation": [1, 1]}
    x = add.threshold(add.conv2d("image", 2, (1, 1)), 3, -4)
    x = add("max_pool", [x], {**windows, "padding": [[1, 0], [0, 1]]})
    rows, columns = len(add.made[x][0]), len(add.made[x][0][0])
    pixels = np.multiply.outer([1] + [2] * (rows - 1), [2] * (columns - 1) + [1])
    x = add(
        "sum",
        [x],
        {**windows, "padding": [[1, 0], [0, 1]]},
        zero_point=add.zero_points(x),
        factor=4 // pixels,
    )
    return add.logits(add.threshold(x))


def _concat(one: CaseRandom, selection: Selection) -> Row:
    add = Builder(one)
    a = add.threshold(add.conv2d("image", 2, (2, 1)))
    b = add.threshold(add.conv2d("image", 1, (2, 1)))
    x = add("concat", [b, a])
    return add.logits(add.threshold(add.conv2d(x, 2, (1, 2))))


def _tables(one: CaseRandom, selection: Selection) -> Row:
    """Wide codes that a convolution rounds in windows, fused, and a shortcut through a table."""
    add, count = Builder(one), 3 * PARTS
    x = add.wide(add.conv2d("image", 2, (1, 1)), count)
    rows, entries = 2 * 2 * 2, count + 1
    lift = one.integers(-(2**15), 2**15, (rows, entries))
    lift[:, ::PARTS] = NEVER_LIFT
    weight = one.integers(-3, 3, (2, 2, 2, 2))
    windows = {"stride": [1, 1], "padding": [[1, 0], [0, 1]], "dilation": [1, 1]}
    zero = one.integer(0, 3)
    y = add(
        "fused_conv2d",
        [x],
        {**windows, "groups": 1, "zero_code": zero * PARTS},
        weight=weight,
        zero_point=[zero] * 2,
        codes=[[k // PARTS for k in range(entries)]],
        lift=lift,
        fusion=one.integers(-(2**13), 2**13, (rows, entries)),
    )
    narrow = add("lookup", [x], table=[(k + PARTS // 2) // PARTS for k in range(entries)])
    factors = {"multiplier_a": one.integers(1, 5, (2,)), "multiplier_b": one.integers(1, 5, (2,))}
    return add.logits(add.threshold(add("add", [y, narrow], **factors)), 2)


def _rescaled(add: Builder, x: str, profile: str) -> str:
    channels = range(add.channels(x))
    spread = max(1, *map(abs, oracle.flatten(add.made[x])))
    pairs = [
        oracle.multiplier(Fraction(add.one.integer(20, 60) << FRACTION_BITS, 10 * spread))
        for _ in channels
    ]
    return add(
        "rescale",
        [x],
        {"profile": profile},
        left=[add.one.integer(0, 1)] * len(channels),
        bias=add.one.integers(-9, 9, (len(channels),)),
        multiplier=[pair[0] for pair in pairs],
        shift=[pair[1] for pair in pairs],
    )


def _bordered(add: Builder, x: str) -> str:
    """2-bit codes with a zero point of 1."""
    low, high, zero = -1, 2, 1
    multiplier, shift = oracle.multiplier(Fraction(2**15, high << FRACTION_BITS))
    parts = 1 << FRACTION_BITS
    attributes = {
        "fraction_bits": FRACTION_BITS,
        "zero_point": zero,
        "least": 0,
        "largest": 3,
        "low": low << FRACTION_BITS,
        "high": high << FRACTION_BITS,
        "multiplier": multiplier,
        "shift": shift,
    }
    lift = [NEVER_LIFT, *((k << 16) // parts - (1 << 15) for k in range(1, parts))]
    coefficients = add.one.integers(-(2**14), 2**14, (add.channels(x), 3))
    return add("border", [x], attributes, coefficients=coefficients, lift=lift)


def _fixed_point(one: CaseRandom, selection: Selection) -> Row:
    """Rescaled accumulators, borders as polynomials, and a sum in fixed point."""
    add = Builder(one)
    profile = one.pick(("exact", "tflite_up", "tflite_away"))
    x = _bordered(add, _rescaled(add, add.conv2d("image", 2, (1, 1)), profile))
    y = _rescaled(add, add.conv2d(x, 2, (1, 2), padding=[[0, 0], [1, 0]]), profile)
    total = add("plus", [y, _rescaled(add, x, profile)])
    return add.logits(_bordered(add, total), 2)


def _family(
    flag: str,
    make: Callable[[CaseRandom, Selection], Row],
    description: str,
    *catches: str,
) -> Family:
    return Family(flag, by_case(make), description, catches)


FAMILIES = (
    _family(
        "chain",
        _chain,
        "convolutions and thresholds, zero points of each channel, codes from -2 on",
        *("pipeline.parameters", "zero_point.padding", "axis.layout", "border.strict"),
        "zero_point.missing",
    ),
    _family(
        "groups",
        _groups,
        "grouped and dilated convolutions",
        *("axis.groups", "axis.dilation", "pipeline.parameters"),
    ),
    _family(
        "residual",
        _residual,
        "codes and an accumulator added, each with multipliers a channel",
        *("add.one_scale", "add.branch_rounded", "pipeline.parameters"),
    ),
    _family(
        "pools",
        _pools,
        "a maximum of signed codes, a mean with unequal counts",
        *("pool.padding", "pool.count", "zero_point.missing", "zero_point.offset"),
    ),
    _family(
        "concat",
        _concat,
        "channels of two tensors, the second one first",
        *("axis.concat", "pipeline.parameters"),
    ),
    _family(
        "tables",
        _tables,
        "a fused border, and a shortcut from the same wide codes",
        *("border.fusion", "border.row", "border.padding", "pipeline.parameters"),
    ),
    _family(
        "fixed_point",
        _fixed_point,
        "rescaled accumulators and polynomials",
        *("round.twice", "round.truncation", "border.coefficients", "accumulator.wrap"),
    ),
)
