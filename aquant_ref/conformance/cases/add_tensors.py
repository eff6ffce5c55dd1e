"""Make cases of `add_tensors`: the scalar `add` of every element, one pair of scales a tensor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.features import isolated
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd, scale, sizes
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Scales = tuple[float, float, float]
Shape = tuple[int, int, int]


def row_of(
    draw: CaseRandom, ends: tuple[int, int], scales: Scales, shape: Shape | None = None
) -> Row:
    """Draw codes and zero points anywhere in one range; any small shape unless one is given."""
    shape = shape or (draw.pick((1, 2, 3)), *sizes(draw))
    return {
        "a": image(draw, *ends, *shape),
        "a_scale": scales[0],
        "a_zero": odd(draw, *ends),
        "b": image(draw, *ends, *shape),
        "b_scale": scales[1],
        "b_zero": odd(draw, *ends),
        "scale": scales[2],
        "zero_point": odd(draw, *ends),
        "qmin": ends[0],
        "qmax": ends[1],
    }


def ties(
    draw: CaseRandom, selection: Selection, *, beside: int = 0, shape: Shape | None = None
) -> Row:
    """Choose b so that the sum is half*(2k + 1), in steps of b; the result's step is 2*half."""
    factor, half = (2 * draw.integer(0, 3) + 1 for _ in range(2))
    unit = float(np.ldexp(1.0, draw.integer(-12, -4)))
    ends = code_range(draw, selection)
    row = row_of(draw, ends, (factor * unit, unit, 2 * half * unit), shape)
    centred = factor * (row["a"] - row["a_zero"])
    near = centred + row["b"] - row["b_zero"]
    tie = half * (2 * (near // (2 * half)) + 1)
    away = draw.integers(0, 1, near.shape) * 2 - 1
    return {**row, "b": np.clip(tie - centred + row["b_zero"] + beside * away, *ends)}


def _halves(draw: CaseRandom, selection: Selection) -> Row:
    """Draw terms a little below 1/2 of a step: each is rounded down, their sum up."""
    unit, step = scale(draw), draw.integer(3, 9)
    ends = code_range(draw, selection)
    row = row_of(draw, ends, (unit, unit, step * unit))
    sign = draw.integers(0, 1, row["a"].shape) * 2 - 1
    for name in ("a", "b"):
        part: Array = draw.integers(step // 4, (step - 1) // 2, sign.shape)
        row[name] = np.clip(row[f"{name}_zero"] + sign * part, *ends)
    return row


def opposite(draw: CaseRandom, selection: Selection, *, shape: Shape | None = None) -> Row:
    """Draw terms outside the range of the result whose sum is inside."""
    unit = scale(draw)
    ends = code_range(draw, selection)
    row = row_of(draw, ends, (4 * unit, 4 * unit, unit), shape)
    inverse = row["a_zero"] - row["a"] + draw.integers(-1, 1, row["a"].shape)
    return {**row, "b": np.clip(row["b_zero"] + inverse, *ends)}


def random(
    draw: CaseRandom, selection: Selection, *, relu: bool = False, shape: Shape | None = None
) -> Row:
    """Draw any codes and scales, or those of a ReLU."""
    scales = scale(draw, -8, -5), scale(draw, -8, -5), scale(draw, -7, -4)
    row = row_of(draw, code_range(draw, selection), scales, shape)
    return {**row, "qmin": row["zero_point"]} if relu else row


def _close_ties(draw: CaseRandom, selection: Selection) -> Row:
    """Draw sums of N/2 steps, N odd, and 2^-31 steps more or less; a scale of 31 bits makes it."""
    unit = float(np.ldexp(1.0, draw.integer(-12, -4)))
    row = row_of(draw, code_range(draw, selection), (unit * (1 + 2.0**-30), unit, 2 * unit), SMALL)
    low, high, a_zero, b_zero = row["qmin"], row["qmax"], row["a_zero"], row["b_zero"]
    one = np.where(draw.integers(0, 1, SMALL) == 1, 1, -1)
    one = np.where(a_zero == low, 1, np.where(a_zero == high, -1, one))
    rest = row["b"] - b_zero
    return {**row, "a": a_zero + one, "b": b_zero + rest - np.sign(rest) * (rest % 2)}


def _far(draw: CaseRandom, selection: Selection) -> Row:
    """Draw sums of up to 2^46 steps."""
    unit = scale(draw)
    row = row_of(draw, code_range(draw, selection), (unit, unit * 2.0**-30, unit * 2.0**-30), SMALL)
    zeros = np.arange(row["a"].size).reshape(SMALL) % 3 == 0
    return {**row, "a": np.where(zeros, row["a_zero"], row["a"])}


SMALL = (1, 2, 3)
LATER = 4  # the edition
CLOSE = (
    Family(
        "close_tie",
        by_case(isolated(_close_ties)),
        "closer to a tie than float32 tells, by a scale that is no float32",
        ("round.float32",),
        edition=LATER,
        stored=2,
        lacks=("tie",),
    ),
    Family(
        "far",
        by_case(_far),
        "sums beyond int32 in steps, and terms of nothing",
        ("clamp.wrap", "accumulator.wrap"),
        edition=LATER,
        stored=2,
    ),
)
FAMILIES = (
    Family(
        "tie",
        by_case(ties),
        "sums are k + 1/2 steps exactly, with unequal scales",
        ("round.rule", "zero_point.order", "add.branch_rounded", "add.one_scale"),
    ),
    Family(
        "near_tie",
        by_case(partial(ties, beside=1)),
        "the smallest step beside such ties",
        ("round.cast", "add.branch_rounded", "round.truncation", "round.twice"),
    ),
    Family(
        "halves",
        by_case(_halves),
        "each term is rounded down alone, their sum up",
        ("add.branch_rounded",),
    ),
    Family(
        "opposite",
        by_case(opposite),
        "each term is outside the range, their sum inside",
        ("add.branch_clipped", "add.relu"),
    ),
    Family(
        "relu",
        by_case(partial(random, relu=True)),
        "qmin is the zero point",
        ("add.relu", "clamp.relu", "clamp.dropped"),
    ),
    Family(
        "random",
        by_case(random),
        "three unequal scales, odd zero points",
        ("add.one_scale", "zero_point.missing", "add.branch_rounded", "zero_point.offset"),
    ),
)
