"""Make cases of `program`: whole small networks in integers, from an image to logits.

Each instruction is run as it is added, so that thresholds can be put where the accumulators are,
half of them exactly there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import oracle
from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case
from aquant_ref.conformance.expected.programs import OPERATIONS
from aquant_ref.conformance.expected.tables import NEVER_LIFT

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

NO_PADDING = [[0, 0], [0, 0]]
PARTS = 4  # of a step, in wide codes
FRACTION_BITS = 4


class Builder:
    """Build a program, and run each instruction on the image as it is added."""

    def __init__(self, draw: CaseRandom, shape: tuple[int, int, int] = (2, 3, 4)) -> None:
        self.draw = draw
        self.steps: list[dict[str, Any]] = []
        self.image = draw.integers(0, 255, shape)
        self.tensors: dict[str, Any] = {"image": self.image.tolist()}

    def __call__(
        self, op: str, inputs: Sequence[str], attributes: Any = None, **arrays: Any
    ) -> str:
        """Add an instruction; return the name of its output."""
        name = f"{op}{len(self.steps)}"
        step = {
            "name": name,
            "op": op,
            "inputs": list(inputs),
            "attributes": attributes or {},
            "arrays": {key: np.asarray(array).tolist() for key, array in arrays.items()},
        }
        terms = [self.tensors[each] for each in inputs]
        self.tensors[name] = OPERATIONS[op](step["attributes"], step["arrays"], *terms)
        self.steps.append(step)
        return name

    def channels(self, name: str) -> int:
        """Count the channels of a tensor."""
        return len(self.tensors[name])

    def zero_points(self, name: str) -> Any:
        """Draw one zero point per channel, within the range of the codes."""
        codes = oracle.flatten(self.tensors[name])
        return self.draw.integers(min(codes), max(codes), (self.channels(name),))

    def conv2d(self, x: str, outputs: int, kernel: tuple[int, int] = (2, 2), **windows: Any) -> str:
        """Add a convolution with small weights."""
        groups = windows.pop("groups", 1)
        attributes = {"stride": [1, 1], "padding": NO_PADDING, "dilation": [1, 1]}
        weight = self.draw.integers(-3, 3, (outputs, self.channels(x) // groups, *kernel))
        return self(
            "conv2d",
            [x],
            {**attributes, **windows, "groups": groups},
            weight=weight,
            zero_point=self.zero_points(x),
        )

    def threshold(self, x: str, count: int = 3, least: int = 0) -> str:
        """Add thresholds that are elements of their channel, or one above."""
        rows = []
        for plane in self.tensors[x]:
            values = oracle.flatten(plane)
            row = [self.draw.pick(values) + self.draw.integer(0, 1) for _ in range(count)]
            rows.append(sorted(row))
        return self("threshold", [x], {"least": least}, thresholds=rows)

    def wide(self, x: str, count: int) -> str:
        """Add evenly spaced thresholds, from the smallest to the largest element."""
        rows = []
        for plane in self.tensors[x]:
            values = oracle.flatten(plane)
            step = (max(values) - min(values)) // count + 1
            rows.append([min(values) + step * (k + 1) - step // 2 for k in range(count)])
        return self("threshold", [x], {"least": 0}, thresholds=rows)

    def logits(self, x: str, outputs: int = 3) -> Row:
        """Add the last layer; return the whole case."""
        if isinstance(self.tensors[x][0], list):
            positions = len(oracle.flatten(self.tensors[x])) // self.channels(x)
            x = self("flatten", [x], {"positions": positions})
        self(
            "linear",
            [x],
            weight=self.draw.integers(-7, 7, (outputs, self.channels(x))),
            bias=self.draw.integers(-50, 50, (outputs,)),
            zero_point=self.zero_points(x),
        )
        return {"image": self.image, "program": self.steps}


def _chain(draw: CaseRandom, _selection: Selection) -> Row:
    add = Builder(draw)
    x = add.threshold(add.conv2d("image", 3, (3, 2), padding=[[1, 0], [0, 1]]))
    x = add.threshold(add.conv2d(x, 4, stride=[1, 2]), 3, -2)
    return add.logits(x)


def _groups(draw: CaseRandom, _selection: Selection) -> Row:
    add = Builder(draw)
    x = add.threshold(add.conv2d("image", 4, (1, 2), padding=[[0, 0], [1, 0]]))
    x = add.threshold(add.conv2d(x, 6, groups=2, dilation=[1, 2]))
    return add.logits(x, 2)


def _residual(draw: CaseRandom, _selection: Selection) -> Row:
    add = Builder(draw)
    x = add.threshold(add.conv2d("image", 3, (1, 1)))
    y = add.conv2d(x, 3, (3, 3), padding=[[1, 1], [1, 1]])
    factors = {
        f"multiplier_{k}": draw.integers(1, 9, (3,)) * size for k, size in (("a", 5), ("b", 2))
    }
    return add.logits(add.threshold(add("add", [x, y], **factors)), 2)


def _pools(draw: CaseRandom, _selection: Selection) -> Row:
    """Take a maximum of signed codes, then a mean over windows of 1, 2 or 4 pixels."""
    add = Builder(draw)
    windows = {"kernel": [2, 2], "stride": [1, 1], "dilation": [1, 1]}
    x = add.threshold(add.conv2d("image", 2, (1, 1)), 3, -4)
    x = add("max_pool", [x], {**windows, "padding": [[1, 0], [0, 1]]})
    rows, columns = len(add.tensors[x][0]), len(add.tensors[x][0][0])
    pixels = np.multiply.outer([1] + [2] * (rows - 1), [2] * (columns - 1) + [1])
    x = add(
        "sum",
        [x],
        {**windows, "padding": [[1, 0], [0, 1]]},
        zero_point=add.zero_points(x),
        factor=4 // pixels,
    )
    return add.logits(add.threshold(x))


def _concat(draw: CaseRandom, _selection: Selection) -> Row:
    add = Builder(draw)
    a = add.threshold(add.conv2d("image", 2, (2, 1)))
    b = add.threshold(add.conv2d("image", 1, (2, 1)))
    x = add("concat", [b, a])
    return add.logits(add.threshold(add.conv2d(x, 2, (1, 2))))


def _tables(draw: CaseRandom, _selection: Selection) -> Row:
    """Round wide codes in the windows of a convolution, fused; take a shortcut through a table."""
    add, count = Builder(draw), 3 * PARTS
    x = add.wide(add.conv2d("image", 2, (1, 1)), count)
    rows, entries = 2 * 2 * 2, count + 1
    lift = draw.integers(-(2**15), 2**15, (rows, entries))
    lift[:, ::PARTS] = NEVER_LIFT
    weight = draw.integers(-3, 3, (2, 2, 2, 2))
    windows = {"stride": [1, 1], "padding": [[1, 0], [0, 1]], "dilation": [1, 1]}
    zero = draw.integer(0, 3)
    y = add(
        "fused_conv2d",
        [x],
        {**windows, "groups": 1, "zero_code": zero * PARTS},
        weight=weight,
        zero_point=[zero] * 2,
        codes=[[k // PARTS for k in range(entries)]],
        lift=lift,
        fusion=draw.integers(-(2**13), 2**13, (rows, entries)),
    )
    narrow = add("lookup", [x], table=[(k + PARTS // 2) // PARTS for k in range(entries)])
    factors = {"multiplier_a": draw.integers(1, 5, (2,)), "multiplier_b": draw.integers(1, 5, (2,))}
    return add.logits(add.threshold(add("add", [y, narrow], **factors)), 2)


def _rescaled(add: Builder, x: str, profile: str) -> str:
    channels = range(add.channels(x))
    spread = max(1, *map(abs, oracle.flatten(add.tensors[x])))
    pairs = [
        oracle.multiplier(Fraction(add.draw.integer(20, 60) << FRACTION_BITS, 10 * spread))
        for _ in channels
    ]
    return add(
        "rescale",
        [x],
        {"profile": profile},
        left=[add.draw.integer(0, 1)] * len(channels),
        bias=add.draw.integers(-9, 9, (len(channels),)),
        multiplier=[pair[0] for pair in pairs],
        shift=[pair[1] for pair in pairs],
    )


def _bordered(add: Builder, x: str) -> str:
    """Add a border that makes 2-bit codes with a zero point of 1."""
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
    coefficients = add.draw.integers(-(2**14), 2**14, (add.channels(x), 3))
    return add("border", [x], attributes, coefficients=coefficients, lift=lift)


def _fixed_point(draw: CaseRandom, _selection: Selection) -> Row:
    """Rescale accumulators, round at polynomial borders, and add in fixed point."""
    add = Builder(draw)
    profile = draw.pick(("exact", "tflite_up", "tflite_away"))
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
