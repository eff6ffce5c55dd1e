"""Make cases of `requantize_any`: any positive multiplier, not only one of 31 bits.

CMSIS-NN and TOSA take such multipliers. A kernel that normalises them, or reduces them to 16 bits,
loses what small ones have: so they are 1, powers of two, odd, at the ends, and all sizes between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import (
    Columns,
    Family,
    beside_ends,
    between,
    bit_length,
    code_ranges,
    odd_zero_point,
)
from aquant_ref.conformance.cases.requantize import FACTORS, LEFT_SHIFTED, close_ties, columns_of
from aquant_ref.integer.requantize import MULTIPLIER_END
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.integer.shift import MAX_SHIFT
from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

Multipliers = Callable[["Draw"], Array]
NORMAL = 2**30  # the least multiplier of 31 bits
CHOSEN = (1, 2, 3, 5, 255, 2**15 - 1, 2**15, 2**15 + 1, 2**16, 2**29 + 1, NORMAL - 1)


def _odd(draw: Draw) -> Array:
    """Draw odd multipliers below 2^30, small ones as often as large ones."""
    return np.asarray(np.abs(draw.sized(30)) | np.int64(1))


def _chosen(draw: Draw) -> Array:
    (chosen,) = draw.cross(CHOSEN)
    return chosen


def _powers(draw: Draw) -> Array:
    return np.asarray(np.int64(1) << draw.integers(0, 29))


def _least_shift(selection: Selection) -> int:
    """Return 31 where a left shift would have to stay inside int32."""
    return 31 if selection.profile in LEFT_SHIFTED else 0


def _range(draw: Draw, selection: Selection) -> tuple[Array, list[Array]]:
    qmin, qmax = code_ranges(draw, selection)
    return odd_zero_point(draw, qmin, qmax), [qmin, qmax]


def _ties(draw: Draw, selection: Selection, sign: int) -> Columns:
    """For acc = w*2^e and multiplier = f*2^a, the shift a + e + 1 gives w*f/2."""
    zero, (qmin, qmax) = _range(draw, selection)
    if sign > 0:
        zero = np.maximum(qmin, np.minimum(zero, qmax - 2))
        low = between(draw, zero, qmax - 1) - zero
    else:
        zero = np.maximum(zero, qmin + 1)
        low = between(draw, qmin, zero - 1) - zero
    size = abs(2 * low + 1)
    factor = draw.pick(FACTORS)
    factor = np.where(factor <= size, factor, 1)
    w = np.where(low < 0, -1, 1) * ((size // factor - 1) | 1)
    e = between(draw, np.full(len(draw), 8), 30 - bit_length(w))
    least = np.maximum(_least_shift(selection) - 1 - e, 0)
    a = between(draw, least, 30 - bit_length(factor))
    return columns_of(selection, w << e, factor << a, a + e + 1, zero, [qmin, qmax])


def _reaching(
    draw: Draw,
    selection: Selection,
    m: Array,
    twice: Integers,
    zero: Integers,
    ends: list[Array],
    *,
    wide: bool = False,
) -> Columns:
    """Draw one of the two accumulators around twice/2 steps, and a shift for which it is int32."""
    most = np.minimum(29 + bit_length(m) - bit_length(twice), MAX_SHIFT)
    least = np.full(len(draw), max(_least_shift(selection), 1))
    shift = np.maximum(most, least) if wide else between(draw, least, most)
    size = (abs(twice) << np.minimum(shift - 1, 62 - bit_length(twice))) // m
    acc = np.sign(twice) * size + draw.integers(0, 1)
    return columns_of(selection, acc, m, shift, zero, ends)


def _near_ties(
    draw: Draw, selection: Selection, *, multipliers: Multipliers = _odd, wide: bool = False
) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    twice = 2 * (between(draw, qmin, qmax - 1) - zero) + 1
    m = multipliers(draw)
    return _reaching(draw, selection, m, twice, zero, [qmin, qmax], wide=wide)


def _range_ends(draw: Draw, selection: Selection) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    y = beside_ends(draw, qmin, qmax) - zero
    return _reaching(draw, selection, _odd(draw), 2 * y, zero, [qmin, qmax])


def _type_ends(draw: Draw, selection: Selection) -> Columns:
    accumulators = (INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX)
    multipliers = (1, 2, 3, 2**15, NORMAL - 1, NORMAL, MULTIPLIER_END - 1)
    acc, m, shift = draw.cross(accumulators, multipliers, range(MAX_SHIFT + 1))
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def _above_one(draw: Draw, selection: Selection) -> Columns:
    """Draw a shift below the bits of the multiplier."""
    m, acc = _odd(draw), draw.sized(8)
    shift = between(draw, np.zeros(len(draw), np.int64), bit_length(m) - 1)
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def _random(draw: Draw, selection: Selection) -> Columns:
    m = between(draw, np.ones(len(draw), np.int64), np.int64(1) << draw.integers(1, 30))
    shift = between(draw, np.full(len(draw), _least_shift(selection)), bit_length(m) + 20)
    return columns_of(selection, draw.sized(31), m, shift, *_range(draw, selection))


def _refused(draw: Draw, selection: Selection) -> Columns:
    bad = ((0, 31), (-1, 31), (-(2**15), 40), (INT32_MIN, 31), (1, -1), (2**15, 63))
    pair, acc = draw.cross(range(len(bad)), (1, -1, 1000))
    m, shift = np.array(bad).T[:, pair]
    made = columns_of(selection, acc, m, np.clip(shift, 31, 40), *_range(draw, selection))
    return {**made, "shift": shift}


FAMILIES = (
    Family(
        "tie",
        partial(_ties, sign=1),
        "k + 1/2 exactly, above zero, with an odd zero point",
        ("round.rule", "zero_point.order", "round.constant", "round.cast", "multiplier.shift"),
    ),
    Family(
        "negative_tie",
        partial(_ties, sign=-1),
        "-(k + 1/2) exactly: the rules differ most there",
        ("round.rule", "round.constant", "round.truncation"),
    ),
    Family(
        "near_tie",
        _near_ties,
        "the accumulators on both sides of a tie, odd multipliers of any size",
        ("round.twice", "round.truncation", "round.cast", "multiplier.range", "multiplier.reduced"),
    ),
    Family(
        "small_multiplier",
        partial(_near_ties, multipliers=_chosen),
        "the same with 1, 2, 3, 255, numbers at 2^15, 2^16 and 2^30 - 1",
        ("multiplier.range", "multiplier.reduced", "round.twice"),
    ),
    Family(
        "power_of_two",
        partial(_near_ties, multipliers=_powers),
        "the same with powers of two from 1 to 2^29",
        ("multiplier.range", "multiplier.shift", "round.twice"),
    ),
    Family(
        "wide_accumulator",
        partial(_near_ties, wide=True),
        "the same with accumulators of 28 bits and more",
        ("round.float32", "round.twice", "accumulator.narrow", "accumulator.wrap"),
    ),
    Family(
        "range_end",
        _range_ends,
        "codes next to qmin and qmax, inside and outside",
        ("clamp.levels", "clamp.wrap", "zero_point.clip", "zero_point.offset"),
    ),
    Family(
        "type_end",
        _type_ends,
        "accumulators, multipliers and shifts at the ends of their types, crossed",
        ("accumulator.wrap", "multiplier.large_shift", "multiplier.range", "accumulator.narrow"),
    ),
    Family(
        "above_one",
        _above_one,
        "a multiplier of more bits than the shift",
        ("multiplier.above_one", "multiplier.no_shift", "multiplier.range"),
    ),
    Family(
        "random",
        _random,
        "any accumulator, multiplier and shift",
        ("zero_point.missing", "zero_point.offset", "multiplier.range"),
    ),
    Family(
        "no_multiplier",
        _refused,
        "multipliers that are not positive, shifts outside 0..62",
        ("input.accepted", "multiplier.range"),
        rejects=True,
    ),
    Family(
        "close_tie",
        close_ties,
        "products of 60 to 62 bits, as near a tie as float64 cannot tell",
        ("round.float64", "round.twice"),
        edition=1,
    ),
)
