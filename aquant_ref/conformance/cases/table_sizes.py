"""Make cases of convolutions with borders whose sizes lie at and beside those of registers."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.layer_large import accumulators, conv, seeded
from aquant_ref.conformance.cases.layer_scales import exact_units, spread_of
from aquant_ref.conformance.cases.layer_sizes import LARGE, SMALL
from aquant_ref.conformance.cases.recipe import Recipe
from aquant_ref.conformance.cases.tensor_sizes import CHANNELS, family
from aquant_ref.conformance.expected.tables import NEVER_LIFT

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.family import Family
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.cases.tensor_sizes import Make
    from aquant_ref.conformance.cases.tensors import Row

PARTS = 64  # of a step, in which borders are drawn
WIDE = 16  # wide codes of a table, four a step
PRODUCTS = (127, 128, 129, 256, 257, 576)
COUNTS = (1, 15, 16, 17, 63, 64, 127, 128, 255)
MANY_COUNTS = (256, 257, 300)
MOST_CHANNELS = 17  # whose scales differ


def _bordered(
    draw: CaseRandom,
    _selection: Selection,
    *,
    axis: str = "",
    pool: tuple[int, ...] = (),
    counts: tuple[int, ...] = (15,),
    **sizes: Any,
) -> Row:
    """Draw crossings anywhere in their steps, as many as elements pass."""
    given = {**sizes, axis: draw.turn(pool)} if axis else sizes
    count = draw.turn(counts) if len(counts) > 1 else counts[0]
    row = conv(draw, (-128, 127), **given)
    acc = accumulators(row)
    outputs = len(acc)
    scales, _, shifts = exact_units(
        draw, spread_of(acc), count + 1, outputs, alike=outputs > MOST_CHANNELS
    )
    first = -(count // 2)
    unit = scales["x_scale"] * scales["weight_scale"]
    bias = draw.integers(-spread_of(acc) // 8, spread_of(acc) // 8, (outputs,))
    if outputs > MOST_CHANNELS:
        least = int(bias[0])
        scales["weight_scale"] = Recipe((outputs,), 1, 1, times=float(scales["weight_scale"][0]))
        bias_of = seeded(draw, (outputs,), -abs(least), abs(least), times=float(unit[0]))
    return {
        **{key: row[key] for key in row if key != "weight_zero"},
        **scales,
        "bias": bias_of if outputs > MOST_CHANNELS else bias * unit,
        "relu": 0,
        "crossings": seeded(
            draw,
            (outputs, count),
            first * PARTS + 1,
            first * PARTS + PARTS,
            steps=(0, PARTS),
            times=1 / PARTS,
        ),
        "least": first,
    }


def _fused(
    draw: CaseRandom,
    _selection: Selection,
    *,
    axis: str = "",
    pool: tuple[int, ...] = (),
    fusion: int = 1 << 13,
    lift: int = 1 << 15,
    **sizes: Any,
) -> Row:
    """Draw tables with a row for each product; whole numbers never go up."""
    given = {**sizes, axis: draw.turn(pool)} if axis else sizes
    row = conv(draw, (0, 12), **given)
    products = prod(row["weight"].shape[1:])
    shape, size = (products, WIDE), products * WIDE
    zero = draw.integer(0, 3)
    del row["x_zero"]
    return {
        **{key: row[key] for key in row if key != "x"},
        "u": row["x"],
        "pad_code": zero * 4,
        "codes": np.arange(WIDE)[None] // 4,
        "lift": seeded(draw, shape, -lift, lift, set=((0, size, 4, NEVER_LIFT),)),
        "fusion": seeded(draw, shape, -fusion, fusion),
        "zero": zero,
        "weight": seeded(draw, row["weight"].shape, -7, 8),
    }


def _families(make: Make, catches: tuple[str, ...]) -> list[Family]:
    """Return families of sizes on each axis of a convolution."""
    return [
        family(
            flag if size == "small" else f"many_{flag}",
            partial(make, axis=axis, pool=pool, **rest),
            f"{pool[0]} to {pool[-1]} {flag}, at and beside powers of two",
            (f"tail.{'channels' if axis == 'outputs' else flag}", *catches),
            len(pool),
            size,
        )
        for flag, axis, pools, rest in (
            ("products", "products", (SMALL, PRODUCTS), {"outputs": 2}),
            ("outputs", "outputs", (SMALL, CHANNELS[:-1]), {"products": 4, "columns": 2}),
            ("columns", "columns", (SMALL, LARGE), {"outputs": 2, "products": 4}),
        )
        for size, pool in zip(("small", "large"), pools, strict=True)
    ]


BORDERED_CONV2D = (
    *_families(_bordered, ("border.channel", "accumulator.partial")),
    family(
        "counts",
        partial(_bordered, counts=COUNTS, products=64, outputs=4, columns=8),
        "1 to 255 crossings, as of 8-bit codes",
        ("threshold.count",),
        len(COUNTS),
        "large",
    ),
)
FUSED_CONV2D = (
    *_families(_fused, ("border.row", "accumulator.partial")),
    family(
        "large_fusion",
        partial(_fused, fusion=1 << 24, lift=1 << 25, products=36, kernel=(3, 3), rows=2),
        "sums of fusion beyond int16, to 2^27",
        ("border.fusion", "accumulator.narrow"),
        4,
    ),
)
