"""Make layers at the ends of fixed point: mantissas that carry, shifts of 0, 1 and 62.

`multiplier` and `requantize` are asked for these as well; a layer derives them from its scales.
A linear layer also has a sum of -2^31 without a bias.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_float import of_bits
from aquant_ref.conformance.cases.layer_large import (
    accumulators,
    conv,
    depthwise,
    fitted,
    linear,
    seeded,
)
from aquant_ref.conformance.cases.layer_scales import finished
from aquant_ref.conformance.cases.recipe import Recipe
from aquant_ref.conformance.cases.requantize import LEFT_SHIFTED
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, odd
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

EDITION = 5
ZERO_SUMS = 8  # an edition of its own
OUTPUTS = 4
ENDS = ("carry", 0, "carry", 62, "carry", 1)  # in turn: the carry, or the shift
SMALL_SUMS = (0, 1, -1, 3)  # M is above 2^29: all but 0 saturate, or leave int32 first
# 65,793 products of 255 * -128 and one of 128 * -1 are -2^31
MOST_PRODUCTS = 65794


def _at_end(draw: CaseRandom, selection: Selection, *, parts: Callable[..., Row]) -> Row:
    ends, kind = code_range(draw, selection), draw.turn(ENDS)
    if kind in (0, 1) and selection.profile in LEFT_SHIFTED:
        kind = 62  # a left shift would leave int32
    row = parts(draw, ends, outputs=OUTPUTS)
    row |= {"x": seeded(draw, row["x"].shape, ends[0], ends[0] + 3), "x_zero": ends[0]}
    acc, zero = accumulators(row)[:, 0], odd(draw, *ends)
    scales, total = _carry(draw, ends, zero) if kind == "carry" else _shifted(draw, int(kind))
    return finished(row, scales, total - acc, zero, ends)


def _last(draw: CaseRandom, selection: Selection, *, parts: Callable[..., Row]) -> Row:
    """Draw the least M that has a shift: its mantissa carries, or else it would be one of 63."""
    ends = code_range(draw, selection)
    row = parts(draw, ends, outputs=2)
    power = draw.integer(-30, -26), draw.integer(-30, -26)
    scales: Row = {
        "x_scale": float(np.ldexp(2**16 - 1, power[0])),
        "weight_scale": np.full(2, np.ldexp(2**16 + 1.0, power[1])),
        "scale": float(np.ldexp(1.0, 64 + sum(power))),
    }
    bias = draw.integers(-(2**20), 2**20, (2,))
    return finished(row, scales, bias, odd(draw, *ends), ends)


def _carry(draw: CaseRandom, ends: tuple[int, int], zero: int) -> tuple[Row, Array]:
    """Draw M = 2^e*(1 - 2^-32), and accumulators that are ties with the mantissa 2^30."""
    k, e = 16, -draw.integer(2, 4)
    power = draw.integer(-30, -26), draw.integer(-30, -26)
    scales = {
        "x_scale": float(np.ldexp(2**k - 1, power[0])),
        "weight_scale": np.full(OUTPUTS, np.ldexp(2**k + 1.0, power[1])),
        "scale": float(np.ldexp(1.0, 2 * k + sum(power) - e)),
    }
    twice = draw.integers(ends[0] - zero, ends[1] - zero - 1, (OUTPUTS,)) * 2 + 1
    return scales, twice << (-e - 1)


def _shifted(draw: CaseRandom, shift: int) -> tuple[Row, Array]:
    """Draw scales of 10 bits whose multiplier has this shift, and accumulators that show it."""
    x_scale, weight_scale = of_bits(draw, 10, -4, 4), of_bits(draw, 10, -8, -4)
    m = x_scale * weight_scale  # in [2^(31 - shift) / 2, 2^(31 - shift)), but for the scale
    power = int(np.frexp(m)[1]) - (31 - shift)
    scales = {
        "x_scale": x_scale,
        "weight_scale": np.full(OUTPUTS, weight_scale),
        "scale": float(np.ldexp(1.0, power)),
    }
    if shift < 31:
        return scales, np.array(SMALL_SUMS)
    far = 2**31 - draw.integers(1, 2**20, (OUTPUTS,))
    return scales, far * np.array((1, -1, 1, -1))


def _sum(draw: CaseRandom, selection: Selection) -> Row:
    """Sum the largest products of 8 bits to -2^31; codes of more bits reach it in fewer."""
    ends = code_range(draw, selection)
    size = ends[1] - ends[0]
    row = linear(draw, ends, products=MOST_PRODUCTS, outputs=2)
    whole = min(2**31 // (128 * size), MOST_PRODUCTS - 1)
    rest = min(2**31 - 128 * size * whole, size)
    x = Recipe(
        row["x"].shape,
        ends[1],
        ends[1],
        set=((whole, whole + 1, 1, ends[0] + rest), (whole + 1, MOST_PRODUCTS, 1, ends[0])),
    )
    weight = Recipe(
        row["weight"].shape,
        -128,
        -128,
        set=((whole, whole + 1, 1, -1), (MOST_PRODUCTS, 2 * MOST_PRODUCTS, 1, 1)),
    )
    return fitted(
        {**row, "x": x, "x_zero": ends[0], "weight": weight}, draw, selection, ends, bias=False
    )


def _ends(parts: Callable[..., Row]) -> tuple[Family, Family]:
    last = Family(
        "last_carry",
        by_case(partial(_last, parts=parts)),
        "the least multiplier: its mantissa rounds to 2^31, and its shift is 62",
        ("multiplier.carry", "multiplier.large_shift"),
        edition=EDITION + 1,
        stored=1,
    )
    ends = Family(
        "multiplier_end",
        by_case(partial(_at_end, parts=parts)),
        "mantissas that round to 2^31, and shifts of 0, 1 and 62, in turn",
        ("multiplier.carry", "multiplier.no_shift", "multiplier.large_shift", "clamp.wrap"),
        edition=EDITION,
        stored=len(ENDS),
    )
    return ends, last


def _zero_sums(draw: CaseRandom, selection: Selection, *, parts: Callable[..., Row]) -> Row:
    """Draw codes of 8 bits above their zero point, which meet zero points of weights."""
    ends = code_range(draw, selection)
    steps = min(255, ends[1] - ends[0])
    row = parts(draw, ends, products=draw.pick((160, 300)), outputs=3)
    row |= {
        "x": seeded(draw, row["x"].shape, ends[0] + steps - steps // 4, ends[0] + steps),
        "x_zero": ends[0],
        "weight": seeded(draw, row["weight"].shape, 0, 255),
        "weight_zero": np.array((101, 127, 153)),
    }
    return fitted(row, draw, selection, ends)


def _sums_of_codes(parts: Callable[..., Row]) -> Family:
    return Family(
        "zero_sums",
        by_case(partial(_zero_sums, parts=parts)),
        "sums of codes, which meet the zero points of weights, that pass 2^15",
        ("zero_point.cross_terms", "accumulator.narrow"),
        edition=ZERO_SUMS,
        size="large",
        stored=1,
    )


SUM = Family(
    "sum_end",
    by_case(_sum),
    "a sum of products that is -2^31, without a bias",
    ("accumulator.wrap", "accumulator.saturated"),
    edition=EDITION,
    size="large",
    stored=1,
)
CONV2D = (
    *_ends(partial(conv, products=2, columns=1, kernel=(1, 1))),
    _sums_of_codes(partial(conv, columns=2, kernel=(1, 1))),
)
DEPTHWISE = _ends(partial(depthwise, columns=1, kernel=(1, 1)))
LINEAR = (*_ends(partial(linear, products=2)), SUM, _sums_of_codes(linear))
