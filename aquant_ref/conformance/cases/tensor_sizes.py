"""Make cases of sums, pools and thresholds with sizes at and beside those of registers.

Their tensors are recipes. Scales have 12 bits and the output's is none of their multiples, so that
ties are rare; what is computed of a tail in another way changes codes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.features import isolated
from aquant_ref.conformance.cases.layer_large import inner, seeded
from aquant_ref.conformance.cases.layer_sizes import EDITION, LARGE, SMALL
from aquant_ref.conformance.cases.recipe import Recipe
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Shape = tuple[int, int, int]
Make = Callable[..., Row]
WINDOWS = ((1, 7), (7, 1), (4, 4), (5, 7), (7, 7), (8, 8), (3, 11), (9, 7))
LARGE_WINDOWS = ((15, 17), (16, 16), (1, 257), (23, 23), (32, 33))
CHANNELS = (127, 128, 129, 255, 256, 257, 512)
COUNTS = (1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65)
MANY_COUNTS = (127, 128, 129, 255, 256, 257, 1000)


def of_axis(axis: int, rest: Shape) -> Callable[[int], Shape]:
    """Return what puts a size on one axis of a shape."""
    return lambda size: (*rest[:axis], size, *rest[axis + 1 :])  # type: ignore[return-value]


COLUMNS = of_axis(2, (2, 2, 0))
ROWS = of_axis(1, (1, 0, 2))
ROW_COUNTS = (7, 8, 9, 16, 17, 32, 33, 65), (128, 257)
WITH_ROWS = 3  # the edition


def _scale(draw: CaseRandom, power: int) -> float:
    """Draw a scale of 12 bits whose mantissa is odd, above 2^power."""
    return float(np.ldexp(2049 + 2 * draw.integer(0, 1022), power - 11))


def _range(draw: CaseRandom, ends: tuple[int, int]) -> Row:
    return {"zero_point": inner(draw, *ends), "qmin": ends[0], "qmax": ends[1]}


def _add(
    draw: CaseRandom, selection: Selection, *, pool: tuple[int, ...], shape: Callable[[int], Shape]
) -> Row:
    ends, size = code_range(draw, selection), shape(draw.turn(pool))
    row: Row = {}
    for name in "ab":
        row |= {
            name: seeded(draw, size, *ends),
            f"{name}_scale": _scale(draw, draw.integer(-8, -7)),
            f"{name}_zero": inner(draw, *ends),
        }
    return {**row, "scale": _scale(draw, -6), **_range(draw, ends)}


def _windows(draw: CaseRandom, ends: tuple[int, int], shape: Shape, kernel: tuple[int, int]) -> Row:
    """Draw windows side by side, so many rows and columns of them in each channel."""
    channels, rows, columns = shape
    return {
        "x": seeded(draw, (channels, rows * kernel[0], columns * kernel[1]), *ends),
        "kernel": np.array(kernel),
        "stride": np.array(kernel),
        "padding": np.array((0, 0, 0, 0)),
        "dilation": np.array((1, 1)),
    }


def _mean(row: Row, draw: CaseRandom, ends: tuple[int, int]) -> Row:
    """Make it a mean, whose elements spread over the range."""
    steps = max(1, int(np.log2(prod(row["kernel"].tolist())) / 2))
    return {
        **row,
        "x_scale": _scale(draw, -7),
        "x_zero": inner(draw, *ends),
        "count_padding": draw.integer(0, 1),
        "scale": _scale(draw, -7 - steps),
        **_range(draw, ends),
    }


def _pooled(
    draw: CaseRandom,
    selection: Selection,
    *,
    mean: bool,
    pool: tuple[int, ...],
    shape: Callable[[int], Shape],
) -> Row:
    ends, kernel = code_range(draw, selection), draw.pick(((2, 2), (3, 2), (1, 3)))
    row = _windows(draw, ends, shape(draw.turn(pool)), kernel)
    return _mean(row, draw, ends) if mean else row


def _large_window(
    draw: CaseRandom, selection: Selection, *, mean: bool, pool: tuple[tuple[int, int], ...]
) -> Row:
    ends = code_range(draw, selection)
    row = _windows(draw, ends, (2, 1, 2), draw.turn(pool))
    return _mean(row, draw, ends) if mean else row


def _summed(draw: CaseRandom, selection: Selection) -> Row:
    """Draw codes near an end of their range: sums pass 2^15 and 2^16."""
    ends = code_range(draw, selection)
    row = _mean(_windows(draw, ends, (2, 1, 2), draw.turn(LARGE_WINDOWS)), draw, ends)
    low, high = ends
    near = (
        (high - (high - low) // 8, high) if draw.integer(0, 1) else (low, low + (high - low) // 8)
    )
    zero = {"x_zero": high if near[0] == low else low, "scale": row["x_scale"] * 2049 / 2048}
    zero |= {"zero_point": zero["x_zero"]}
    return {**row, "x": seeded(draw, row["x"].shape, *near), **zero}


def _counted(
    draw: CaseRandom,
    _selection: Selection,
    *,
    counts: tuple[int, ...] = (15,),
    pool: tuple[int, ...] = (5,),
    shape: Callable[[int], Shape] = COLUMNS,
) -> Row:
    """Draw thresholds of which a channel has so many, and accumulators from below to above all."""
    count = draw.turn(counts) if len(counts) > 1 else counts[0]
    size = shape(draw.turn(pool))
    step = draw.integer(3, 40)
    low, each = draw.integer(-(2**20), 2**20), draw.integer(-7, 7) * step * 2
    channel = each, *(0,) * (len(size) - 1)
    acc = seeded(draw, size, low - step, low + (count + 1) * step, steps=channel)
    last = size[0] * size[1] * size[2]
    above = low + (count + 1) * step + abs(each) * size[0]
    return {
        "acc": Recipe(**{**vars(acc), "set": ((last - 1, last, 1, above),)}),
        "thresholds": seeded(draw, (size[0], count), low, low + step - 1, steps=(each, step)),
        "least": draw.pick((0, 0, -(count + 1) // 2)),
    }


def family(
    flag: str,
    make: Make,
    what: str,
    catches: tuple[str, ...],
    stored: int,
    size: str = "small",
    *,
    edition: int = EDITION,
) -> Family:
    """Return a family of this edition."""
    later: dict[str, Any] = {"edition": edition, "size": size, "stored": stored}
    return Family(flag, by_case(isolated(make)), what, catches, **later, lacks=("tie",))


def sized(
    make: Make,
    flag: str,
    pools: tuple[tuple[int, ...], tuple[int, ...]],
    shape: Callable[[int], Shape],
    catches: tuple[str, ...],
    edition: int = EDITION,
) -> list[Family]:
    """Return a family of small sizes on one axis, and one of large sizes."""
    return [
        family(
            flag if size == "small" else f"many_{flag}",
            partial(make, pool=pool, shape=shape),
            f"{pool[0]} to {pool[-1]} {flag}, at and beside powers of two",
            (f"tail.{flag}", *catches),
            len(pool),
            size,
            edition=edition,
        )
        for size, pool in zip(("small", "large"), pools, strict=True)
    ]


def _rows(make: Make) -> list[Family]:
    return sized(make, "rows", ROW_COUNTS, ROWS, ("axis.layout",), WITH_ROWS)


def _of_pool(mean: bool) -> tuple[Family, ...]:
    make, ends = partial(_pooled, mean=mean), ("pool.reciprocal", "pool.count") if mean else ()
    windows = partial(_large_window, mean=mean)
    return (
        *sized(make, "channels", (SMALL, CHANNELS), of_axis(0, (0, 1, 2)), ("axis.layout",)),
        *sized(make, "columns", (SMALL, LARGE), COLUMNS, ("axis.layout",)),
        family(
            "windows",
            partial(windows, pool=WINDOWS),
            "windows of 7 to 64 pixels",
            ("tail.elements", *ends),
            len(WINDOWS),
        ),
        family(
            "large_windows",
            partial(windows, pool=LARGE_WINDOWS),
            "windows of 255 to 1,056 pixels",
            ("tail.elements", *ends),
            len(LARGE_WINDOWS),
            "large",
        ),
        *_rows(make),
    )


ADD_TENSORS = (
    *sized(_add, "elements", (SMALL, LARGE), of_axis(2, (1, 1, 0)), ("tail.order",)),
    *sized(_add, "channels", (SMALL, CHANNELS), of_axis(0, (0, 1, 2)), ("axis.layout",)),
)
AVG_POOL2D = (
    *_of_pool(mean=True),
    family(
        "large_sums",
        _summed,
        "sums that pass 2^15 and 2^16",
        ("accumulator.narrow",),
        len(LARGE_WINDOWS),
        "large",
    ),
)
MAX_POOL2D = _of_pool(mean=False)
THRESHOLDS = (
    *sized(_counted, "channels", (SMALL, CHANNELS), of_axis(0, (0, 1, 2)), ("border.channel",)),
    *sized(_counted, "columns", (SMALL, LARGE), COLUMNS, ("axis.layout",)),
    family(
        "counts",
        partial(_counted, counts=COUNTS),
        "1 to 65 thresholds, some accumulators above all",
        ("threshold.count",),
        len(COUNTS),
    ),
    family(
        "many_counts",
        partial(_counted, counts=MANY_COUNTS),
        "127 to 1,000 thresholds, some accumulators above all",
        ("threshold.count",),
        len(MANY_COUNTS),
        "large",
    ),
    *_rows(_counted),
)
