"""Make cases of `matmul`: the products of two tensors of codes, batch by batch, without a bias."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import (
    Row,
    by_case,
    code_range,
    image,
    odd,
    scale,
    snapped,
)
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Sizes = tuple[int, int, int, int]  # of the batch, rows, what is summed, columns
SIZES: tuple[Sizes, ...] = (
    *((1, 2, 3, 4), (2, 3, 2, 1), (1, 3, 5, 2), (2, 1, 4, 3), (3, 2, 1, 2)),
    *((1, 1, 9, 2), (1, 2, 17, 1), (1, 9, 2, 1), (1, 1, 2, 17)),
)
# each has a rest after vectors of 8, 16 and 32
LENGTHS = (33, 35, 41, 47, 49, 55, 63, 65)
LONG = tuple(sizes for k in LENGTHS for sizes in ((1, 1, k, 2), (1, 2, k, 1)))
WIDE = tuple(sizes for n in LENGTHS for sizes in ((1, n, 2, 1), (1, 1, 2, n)))
MOST_STEPS = 2**12  # of codes of 16 bits, so that no sum leaves int32


def codes(
    draw: CaseRandom,
    ends: tuple[int, int],
    sizes: tuple[Sizes, ...] = SIZES,
    zero: Callable[..., int] = odd,
) -> tuple[Row, Array]:
    """Draw both tensors; return them with their accumulators."""
    batch, rows, summed, columns = draw.pick(sizes)
    row: Row = {"a_zero": zero(draw, *ends), "b_zero": zero(draw, *ends)}
    for name, shape in (("a", (rows, summed)), ("b", (summed, columns))):
        drawn, zero = image(draw, *ends, batch, *shape), row[f"{name}_zero"]
        row[name] = zero + np.clip(drawn - zero, -MOST_STEPS, MOST_STEPS)
    return row, (row["a"] - row["a_zero"]) @ (row["b"] - row["b_zero"])


def finished(
    draw: CaseRandom, row: Row, ends: tuple[int, int], scales: tuple[float, float, float]
) -> Row:
    """Complete the case: with an odd zero point, unless it has one."""
    named = dict(zip(("a_scale", "b_scale", "scale"), scales, strict=True))
    return {"zero_point": odd(draw, *ends), **row, **named, "qmin": ends[0], "qmax": ends[1]}


def scaled(
    draw: CaseRandom,
    selection: Selection,
    *,
    reach: float = 1.0,
    sizes: tuple[Sizes, ...] = SIZES,
) -> Row:
    """Draw scales of 12 bits; elements cover `reach` times the range."""
    ends = code_range(draw, selection)
    row, acc = codes(draw, ends, sizes)
    a_scale, b_scale = scale(draw), scale(draw)
    most = max(1, int(abs(acc).max()))
    out = snapped(a_scale * b_scale * most / ((ends[1] - ends[0]) * reach))
    return finished(draw, row, ends, (a_scale, b_scale, out))


def _tied(draw: CaseRandom, selection: Selection, *, beside: int = 0) -> Row:
    """Bring an element of each batch to k + 1/2 steps, or `beside` accumulator steps beside it.

    Its row and its column have one product that is not 0, a power of two, so that the multiplier
    is exact; another one moves it beside the tie.
    """
    ends = code_range(draw, selection)
    sizes = tuple(each for each in SIZES if each[2] > 1)
    row, _ = codes(draw, ends, sizes, _middle)
    powers = 1
    for name in ("a", "b"):
        zero = row[f"{name}_zero"]
        most = min(zero - ends[0], ends[1] - zero, MOST_STEPS)
        power = 1 << draw.integer(max(0, most.bit_length() - 3), most.bit_length() - 1)
        lines = row[name] if name == "a" else row[name].transpose(0, 2, 1)
        for line in (each[draw.integer(0, len(each) - 1)] for each in lines):
            line[:] = zero
            line[0] = zero + (draw.pick((-1, 1)) * power if name == "a" else power)
            line[1] = zero + beside * (draw.pick((-1, 1)) if name == "a" else 1)
        powers *= power
    zero = _middle(draw, *ends)
    room = min(zero - ends[0], ends[1] - zero, max(1, powers // 64))  # a step is small beside it
    halves, unit = 2 * draw.integer(0, room - 1) + 1, float(np.ldexp(1.0, draw.integer(-12, -8)))
    b_scale = scale(draw)
    scales = halves * unit, b_scale, 2 * powers * unit * b_scale
    return finished(draw, {**row, "zero_point": zero}, ends, scales)


def _middle(draw: CaseRandom, low: int, high: int) -> int:
    """Draw an odd zero point with a code on either side."""
    return min(odd(draw, low, high), high - 2)


def _type_ends(draw: CaseRandom, selection: Selection) -> Row:
    """Put all codes at one end of their range, and the zero points at the other."""
    ends = code_range(draw, selection)
    row, _ = codes(draw, ends, ((1, 2, 3, 4), (2, 1, 4, 3)))
    for name in ("a", "b"):
        upper = draw.integer(0, 1)
        row[name] = np.full_like(row[name], ends[upper])
        row[f"{name}_zero"] = ends[1 - upper]
        if ends[1] - ends[0] > 255:
            row[f"{name}_zero"] = ends[upper] - (2 * upper - 1) * MOST_STEPS
    acc = (row["a"] - row["a_zero"]) @ (row["b"] - row["b_zero"])
    a_scale, b_scale = scale(draw), scale(draw)
    out = snapped(a_scale * b_scale * int(abs(acc).max()) / ((ends[1] - ends[0]) / 2))
    return finished(draw, row, ends, (a_scale, b_scale, out))


def _relu(draw: CaseRandom, selection: Selection, *, six: bool = False) -> Row:
    row = scaled(draw, selection)
    row["qmin"] = row["zero_point"]
    if six:
        row["qmax"] = draw.integer(row["qmin"], row["qmax"] - 1)
    return row


FAMILIES = (
    Family(
        "tie",
        by_case(_tied),
        "an element of each batch is k + 1/2 steps exactly",
        ("round.rule", "zero_point.order"),
    ),
    Family(
        "near_tie",
        by_case(partial(_tied, beside=1)),
        "an accumulator beside such a tie",
        ("round.cast", "round.truncation", "round.twice"),
    ),
    Family(
        "type_end",
        by_case(_type_ends),
        "all codes at one end of their range, zero points at the other",
        ("accumulator.narrow", "accumulator.pairs", "zero_point.offset"),
    ),
    Family(
        "saturation",
        by_case(partial(scaled, reach=8)),
        "most elements are beyond the range",
        ("clamp.wrap", "clamp.levels", "zero_point.clip"),
    ),
    Family("relu", by_case(_relu), "qmin is the zero point", ("clamp.relu", "clamp.dropped")),
    Family(
        "relu6",
        by_case(partial(_relu, six=True)),
        "qmax is lower too",
        ("clamp.dropped", "clamp.relu"),
    ),
    Family(
        "long",
        by_case(partial(scaled, sizes=LONG)),
        "sums of 33 to 65 products, with a rest after vectors of 8, 16 and 32",
        ("size.tail", "zero_point.cross_terms", "accumulator.narrow"),
    ),
    Family(
        "wide",
        by_case(partial(scaled, sizes=WIDE)),
        "33 to 65 rows or columns, with a rest after vectors of 8, 16 and 32",
        ("size.tail", "axis.layout"),
    ),
    Family(
        "random",
        by_case(scaled),
        "any codes, unequal scales, odd zero points, sizes unlike one another",
        ("axis.layout", "axis.batch", "zero_point.missing", "zero_point.cross_terms"),
    ),
)
