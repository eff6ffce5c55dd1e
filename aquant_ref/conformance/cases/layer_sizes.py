"""Make cases of layers whose sizes lie at and beside those of registers and tiles.

Kernels take 4 to 64 elements at a time, and what is left in another way; their counters and
accumulators may be narrow. Small sizes go to 65, large ones to 4,608 products, 512 channels and
257 rows or columns. Each case is next to a tie in each channel that has a bias.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.features import isolated
from aquant_ref.conformance.cases.layer_large import (
    Ends,
    Parts,
    conv,
    depthwise,
    fitted,
    inner,
    linear,
    seeded,
    weight_ends,
)
from aquant_ref.conformance.cases.pairs import covering
from aquant_ref.conformance.cases.recipe import Recipe
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

EDITION = 2
SMALL = (7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
LARGE = (127, 128, 129, 255, 256, 257)
CHANNELS = (127, 128, 129, 256, 257, 512)
PRODUCTS = (127, 128, 129, 255, 256, 257, 512, 513, 576, 1025, 2304, 4608)
SUMMED = (5, 9, 33, 65, 129, 257, 514, 1025, 2050, 4608)
GROUPS = (2, 4, 8, 9, 16, 17, 32, 33, 64)
# kernel, stride, padding, dilation, rows and columns of the image
WINDOWS = (
    ((4, 4), (1, 1), (1, 2, 2, 1), (1, 1), (6, 5)),
    ((5, 5), (2, 2), (2, 2, 2, 2), (1, 1), (7, 9)),
    ((7, 7), (2, 2), (3, 3, 3, 3), (1, 1), (9, 8)),
    ((6, 3), (1, 4), (0, 0, 0, 0), (1, 1), (7, 12)),
    ((3, 7), (4, 1), (1, 1, 3, 3), (1, 1), (11, 6)),
    ((3, 3), (4, 3), (2, 1, 1, 2), (1, 1), (13, 11)),
    ((3, 2), (1, 1), (4, 4, 3, 3), (4, 3), (6, 7)),
    ((2, 3), (3, 4), (0, 3, 4, 0), (3, 4), (10, 13)),
)
FACTORS: dict[str, tuple[Any, ...]] = {
    "padding": ((0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 3)),
    "weight_zero": (False, True),
    "groups": (1, 2, 3),
    "stride": ((1, 1), (2, 1), (2, 3)),
    "dilation": ((1, 1), (1, 2), (3, 2)),
    "x_zero": ("odd", "zero", "end"),
    "zero_point": ("odd", "zero"),
    "bias": (True, False),
    "clamp": ("none", "relu", "relu6"),
    "kernel": ((3, 2), (1, 1), (2, 3)),
}
OF_WINDOWS = ("padding", "stride", "dilation", "kernel")


def _sized(
    draw: CaseRandom,
    selection: Selection,
    *,
    parts: Parts,
    axis: str,
    pool: tuple[int, ...],
    apart: int = 2,
    **others: int,
) -> Row:
    """Draw a layer whose size on one axis is the next of the pool."""
    ends = code_range(draw, selection)
    row = parts(draw, ends, **{axis: draw.turn(pool)}, **others)
    return fitted(row, draw, selection, ends, apart=apart)


def _grouped(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    ends, groups = code_range(draw, selection), draw.turn(GROUPS)
    members, each = draw.pick(((1, 2), (2, 1), (2, 3)))
    row = parts(draw, ends, products=members * 2, outputs=each * groups, kernel=(1, 2))
    shape = members * groups, *row["x"].shape[1:]
    return fitted({**row, "x": seeded(draw, shape, *ends), "groups": groups}, draw, selection, ends)


def _windows(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    ends = code_range(draw, selection)
    kernel, stride, padding, dilation, size = draw.turn(WINDOWS)
    row = parts(draw, ends, outputs=2, kernel=kernel, **_products(parts, 2 * kernel[0] * kernel[1]))
    windows = {"stride": stride, "padding": padding, "dilation": dilation}
    row |= {"x": seeded(draw, (row["x"].shape[0], *size), *ends)}
    row |= {key: np.array(value) for key, value in windows.items()}
    return fitted(row, draw, selection, ends)


def _products(parts: Parts, count: int) -> dict[str, int]:
    return {} if parts is depthwise else {"products": count}


def _summed(
    draw: CaseRandom, selection: Selection, *, parts: Parts, pool: tuple[int, ...], outputs: int = 8
) -> Row:
    """Draw codes far above the zero point, and weights from high to low channel by channel."""
    ends = code_range(draw, selection)
    low, high = weight_ends(ends)
    outputs = min(outputs, high - low + 1)
    row = parts(draw, ends, products=_within_int32(ends, draw.turn(pool)), outputs=outputs)
    part = (high - low + 1) // outputs
    steps = -part, *(0,) * (len(row["weight"].shape) - 1)
    row |= {
        "x": seeded(draw, row["x"].shape, ends[1] - (ends[1] - ends[0]) // 4, ends[1]),
        "x_zero": ends[0],
        "weight": seeded(draw, row["weight"].shape, high - part + 1, high, steps=steps),
    }
    return fitted(row, draw, selection, ends)


def _within_int32(ends: Ends, products: int) -> int:
    """Return so many products, of 16-bit codes at most 256: each is below 2^23."""
    return min(products, 256) if ends[1] - ends[0] > 255 else products


def _cancelling(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    """Draw sums whose first half is far above what the second half leaves."""
    ends = code_range(draw, selection)
    products = _within_int32(ends, draw.turn((64, 130, 600, 2304)))
    row = parts(draw, ends, products=products, outputs=4)
    low, high = weight_ends(ends)
    shape, half = row["weight"].shape, products // 2
    sets = tuple(
        (k * products + (k % 2) * half, k * products + (k % 2) * half + half, 1, low)
        for k in range(4)
    )
    row |= {
        "x": seeded(draw, row["x"].shape, ends[1] - (ends[1] - ends[0]) // 8, ends[1]),
        "x_zero": ends[0],
        "weight": seeded(draw, shape, high - high // 8, high, set=sets),
    }
    return fitted(row, draw, selection, ends)


def _at_ends(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    """Sum the largest products: of 16-bit codes to 2^31 - 1 and 1 - 2^31, in 260 products."""
    ends = code_range(draw, selection)
    wide, (low, high) = ends[1] - ends[0] == 2**16 - 1, weight_ends(ends)
    products = 260 if wide else 4608
    row = parts(draw, ends, products=products, outputs=2, **_one_position(parts))
    last = (products - 1, products, 1, ends[0] + 2**15 - 1)
    # 258 * 65535*127 + 65535*2 + 32767*1 = 2^31 - 1; 256 * 65535*-128 + 32767*-1 = 1 - 2^31
    fine = ((258, 259, 1, 2), (259, 260, 1, 1), (516, 519, 1, 0), (519, 520, 1, -1))
    row |= {
        "x": Recipe(row["x"].shape, ends[1], ends[1], set=(last,) if wide else ()),
        "x_zero": ends[0],
        "weight": Recipe(
            row["weight"].shape,
            high,
            high,
            set=((products, 2 * products, 1, low), *(fine if wide else ())),
        ),
    }
    return fitted(row, draw, selection, ends, bias=not wide)


def _one_position(parts: Parts) -> dict[str, Any]:
    return {} if parts is linear else {"rows": 1, "columns": 1, "kernel": (1, 1)}


def design(parts: Parts) -> list[dict[str, Any]]:
    """Return the features of each case of `pairs`: all pairs of the factors that a layer has."""
    without = {"groups"} if parts is not conv else set()
    without |= {*OF_WINDOWS} if parts is linear else set()
    return covering({k: v for k, v in FACTORS.items() if k not in without})


def _paired(draw: CaseRandom, selection: Selection, *, parts: Parts, rows: list[Any]) -> Row:
    has, ends = draw.turn(rows), code_range(draw, selection)
    groups = has.get("groups", 1)
    row = _parts_with(draw, ends, parts, has, groups)
    outputs, high = row["weight"].shape[0], 2 * weight_ends(ends)[1] + 1
    if has["weight_zero"]:
        row["weight"] = seeded(draw, row["weight"].shape, 0, high)
        row["weight_zero"] = np.array([inner(draw, 0, high) for _ in range(outputs)])
    zero = {"odd": inner(draw, *ends), "zero": 0, "end": ends[draw.integer(0, 1)]}
    row["x_zero"] = zero[has["x_zero"]]
    case = fitted(
        row,
        draw,
        selection,
        ends,
        bias=has["bias"],
        zero_point=0 if has["zero_point"] == "zero" else inner(draw, *ends),
    )
    if has["clamp"] != "none":
        case["qmin"] = case["zero_point"]
    if has["clamp"] == "relu6":
        case["qmax"] = draw.integer(case["qmin"], case["qmax"] - 1)
    return case


def _parts_with(
    draw: CaseRandom, ends: Ends, parts: Parts, has: dict[str, Any], groups: int
) -> Row:
    if parts is linear:
        return parts(draw, ends, products=draw.pick((9, 17)), outputs=4)
    kernel = has["kernel"]
    row = parts(draw, ends, outputs=6, kernel=kernel, **_products(parts, 2 * kernel[0] * kernel[1]))
    channels = 6 if parts is depthwise else 2 * groups
    row["x"] = seeded(draw, (channels, 7, 6), *ends)
    row |= {key: np.array(has[key]) for key in ("padding", "stride", "dilation")}
    return {**row, "groups": groups} if parts is conv else row


# (flag, how, what it is, size, how many are stored, what they catch)
Kind = tuple[str, Callable[..., Row], str, str, int, tuple[str, ...]]


def _of_axis(
    axis: str, flag: str, sizes: tuple[tuple[int, ...], tuple[int, ...]], **more: Any
) -> list[Kind]:
    """Return the kinds of an axis: with small sizes, and with large ones."""
    catches = (f"tail.{flag}", *OF_AXIS[flag])
    return [
        (
            flag if size == "small" else f"many_{flag}",
            partial(_sized, axis=axis, pool=pool, **more),
            f"{pool[0]} to {pool[-1]} {flag}, at and beside powers of two",
            size,
            len(pool),
            catches,
        )
        for size, pool in zip(("small", "large"), sizes, strict=True)
    ]


OF_AXIS = {
    "products": ("accumulator.partial", "accumulator.float32", "accumulator.narrow"),
    "channels": ("axis.scale", "bias.tile", "tail.order"),
    "columns": ("axis.layout", "tail.order"),
    "rows": ("axis.layout", "tail.order"),
}
MANY_PRODUCTS = _of_axis("products", "products", (SMALL, PRODUCTS))
MANY_CHANNELS = _of_axis("outputs", "channels", (SMALL, CHANNELS), apart=64)
COLUMNS = _of_axis("columns", "columns", (SMALL, LARGE), rows=2, outputs=2)
ROWS = _of_axis("rows", "rows", ((7, 8, 9, 16, 17, 32, 33, 65), (128, 257)), columns=2, outputs=2)
SUMS: list[Kind] = [
    (
        "large_sums",
        partial(_summed, pool=SUMMED),
        "products of one sign, whose sums pass 2^15, 2^20 and 2^24, channels from high to low",
        "large",
        len(SUMMED),
        ("accumulator.narrow", "accumulator.float32", "accumulator.partial"),
    ),
    (
        "largest_sums",
        _at_ends,
        "the largest sums that products make, of 16-bit codes at int32's ends",
        "large",
        1,
        ("accumulator.narrow", "accumulator.float32", "accumulator.wrap"),
    ),
    (
        "cancelling",
        _cancelling,
        "half of a sum far above the whole",
        "large",
        4,
        ("accumulator.partial", "accumulator.float32"),
    ),
]
SHAPES: list[Kind] = [
    (
        "windows",
        _windows,
        "kernels to 7, strides and dilations to 4",
        "small",
        len(WINDOWS),
        ("axis.kernel", "axis.stride", "axis.dilation", "axis.padding", "zero_point.padding"),
    ),
]
GROUPED: list[Kind] = [
    (
        "many_groups",
        _grouped,
        "2 to 64 groups",
        "small",
        len(GROUPS),
        ("tail.groups", "axis.groups"),
    ),
]
IN_PAIRS = (
    *("zero_point.cross_terms", "zero_point.padding", "zero_point.missing"),
    *("axis.groups", "axis.padding", "axis.stride", "axis.dilation", "clamp.relu"),
)


def _families(kinds: list[Kind], parts: Parts) -> tuple[Family, ...]:
    rows = design(parts)
    pairs: Kind = (
        "pairs",
        partial(_paired, rows=rows),
        f"all pairs of features in {len(rows)} cases: " + ", ".join(rows[0]),
        "small",
        len(rows),
        IN_PAIRS,
    )
    return tuple(
        Family(
            flag,
            by_case(isolated(partial(how, parts=parts))),
            description,
            catches,
            edition=EDITION,
            size=size,
            stored=stored,
            lacks=("tie",),
        )
        for flag, how, description, size, stored, catches in (*kinds, pairs)
    )


CONV2D = _families(
    [*MANY_PRODUCTS, *MANY_CHANNELS, *COLUMNS, *ROWS, *SHAPES, *GROUPED, *SUMS], conv
)
DEPTHWISE = _families([*MANY_CHANNELS, *COLUMNS, *ROWS, *SHAPES], depthwise)
LINEAR = _families([*MANY_PRODUCTS, *MANY_CHANNELS, *SUMS], linear)
