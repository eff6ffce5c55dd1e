"""Make cases of `requantize`: acc * multiplier * 2^-shift, rounded, plus the zero point, clipped.

Ties need a multiplier with few bits: for acc = w*2^e and multiplier = f*2^a, with w and f odd, the
shift a + 1 + e gives w*f/2. Division gives near ties with any multiplier: acc is the integer below
or above (y + 1/2)*2^shift/multiplier. The nearest of all are products of a sum and a difference:
(t*2^r - e)*(t*2^r + e) = t^2*2^(2r) - e^2, with t odd, is e^2 below a tie of the shift 2r + 1.
"""

from __future__ import annotations

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
    relu6_range,
)
from aquant_ref.integer.requantize import MULTIPLIER_END, MULTIPLIER_MIN
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.integer.shift import MAX_SHIFT
from aquant_ref.typing import Accumulators, Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

FACTORS = (1, 1, 3, 5, 7, 9, 11, 13, 15)  # odd parts of multipliers
LEFT_SHIFTED = ("tflite_up", "tflite_away")  # whose left shift has to stay inside int32


def columns_of(
    selection: Selection,
    acc: Accumulators,
    m: Integers,
    shift: Integers,
    zero: Integers,
    ends: list[Integers],
) -> Columns:
    """Return the columns; accumulators are cut to what a left shift leaves in int32."""
    least, largest = np.full_like(acc, INT32_MIN), np.full_like(acc, INT32_MAX)
    if selection.profile in LEFT_SHIFTED:
        left = np.maximum(31 - shift, 0)
        least, largest = least >> left, largest >> left
    return {
        "acc": np.clip(acc, least, largest),
        "multiplier": m,
        "shift": shift,
        "zero_point": zero,
        "qmin": ends[0],
        "qmax": ends[1],
    }


def _range(draw: Draw, selection: Selection) -> tuple[Array, list[Array]]:
    qmin, qmax = code_ranges(draw, selection)
    return odd_zero_point(draw, qmin, qmax), [qmin, qmax]


def _multipliers(draw: Draw) -> Array:
    return draw.integers(MULTIPLIER_MIN, MULTIPLIER_END - 1)


def _quotient(draw: Draw, twice: Integers, m: Integers, shift: Integers) -> Array:
    """Draw one of the two accumulators around twice/2 * 2^shift / m."""
    return np.asarray((twice << (shift - 1)) // m + draw.integers(0, 1))


def _ties(draw: Draw, selection: Selection, sign: int) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    if sign > 0:
        zero = np.maximum(qmin, np.minimum(zero, qmax - 2))
        low = between(draw, zero, qmax - 1) - zero
    else:
        low = between(draw, qmin, zero - 1) - zero
    size = abs(2 * low + 1)
    factor = draw.pick(FACTORS)
    factor = np.where(factor <= size, factor, 1)
    log = bit_length(factor) - 1
    w = np.where(low < 0, -1, 1) * ((size // factor - 1) | 1)
    e = between(draw, log, 30 - bit_length(w))
    return columns_of(selection, w << e, factor << (30 - log), 31 - log + e, zero, [qmin, qmax])


def _near_ties(draw: Draw, selection: Selection, wide: bool) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    twice = 2 * (between(draw, qmin, qmax - 1) - zero) + 1
    m, most = _multipliers(draw), 61 - bit_length(twice)
    shift = most if wide else between(draw, np.full(len(draw), 31), most)
    return columns_of(selection, _quotient(draw, twice, m, shift), m, shift, zero, [qmin, qmax])


def _reaching(
    draw: Draw, selection: Selection, y: Integers, zero: Integers, ends: list[Integers]
) -> Columns:
    """Draw accumulators around the exact y, M < 1."""
    m = _multipliers(draw)
    shift = between(draw, np.full(len(draw), 31), 60 - bit_length(y))
    return columns_of(selection, _quotient(draw, 2 * y, m, shift), m, shift, zero, ends)


def _first_ties(draw: Draw, selection: Selection) -> Columns:
    """Draw negative ties of the first of two roundings, on which the code depends."""
    zero, (qmin, qmax) = _range(draw, selection)
    zero = np.maximum(zero, qmin + 1)
    size = zero - between(draw, qmin, zero - 1)
    rest = between(draw, np.ones(len(draw), np.int64), 29 - bit_length(size))
    high = -(2 * size - 1) * (1 << rest >> 1) + (selection.profile == "tflite_away")
    half = np.full(len(draw), MULTIPLIER_MIN)
    return columns_of(selection, 2 * high - 1, half, 31 + rest, zero, [qmin, qmax])


def _range_ends(draw: Draw, selection: Selection) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    y = beside_ends(draw, qmin, qmax) - zero
    return _reaching(draw, selection, y, zero, [qmin, qmax])


def _saturated(draw: Draw, selection: Selection) -> Columns:
    zero, ends = _range(draw, selection)
    return _reaching(draw, selection, draw.sized(24), zero, ends)


def _relu(draw: Draw, selection: Selection) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    y = between(draw, qmin - zero - 3, qmax - zero)
    return _reaching(draw, selection, y, zero, [zero, qmax])


def _relu6(draw: Draw, selection: Selection) -> Columns:
    zero, (qmin, qmax) = _range(draw, selection)
    zero, top = relu6_range(draw, zero, qmin, qmax)
    return _reaching(draw, selection, between(draw, top - 1, qmax + 1) - zero, zero, [zero, top])


def _type_ends(draw: Draw, selection: Selection) -> Columns:
    accumulators = (INT32_MIN, INT32_MIN + 1, -(2**30), -1, 0, 1, 2**30, INT32_MAX - 1, INT32_MAX)
    multipliers = (MULTIPLIER_MIN, MULTIPLIER_MIN + 1, 3 << 29, MULTIPLIER_END - 1)
    acc, m, shift = draw.cross(accumulators, multipliers, range(MAX_SHIFT + 1))
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def _above_one(draw: Draw, selection: Selection) -> Columns:
    acc, shift = draw.sized(8), draw.integers(20, 30)
    return columns_of(selection, acc, _multipliers(draw), shift, *_range(draw, selection))


def _large_shifts(draw: Draw, selection: Selection) -> Columns:
    twice = draw.pick((-5, -3, -1, 1, 3, 5))
    m, shift = _multipliers(draw), between(draw, np.full(len(draw), 48), 63 - bit_length(twice))
    acc = _quotient(draw, twice, m, shift)
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def _no_shift(draw: Draw, selection: Selection) -> Columns:
    """Draw M of 2^28 and more, so that only 0 stays inside a range."""
    acc, shift, m = draw.cross(
        (0, 1, -1, 2, -2, 3), range(3), (MULTIPLIER_MIN, MULTIPLIER_MIN + 1, MULTIPLIER_END - 1)
    )
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def close_ties(draw: Draw, selection: Selection) -> Columns:
    """Draw products of 60 to 62 bits within 49 of a tie, which float64 cannot tell from it."""
    zero, (qmin, qmax) = _range(draw, selection)
    sign = draw.pick((1, -1))
    zero = np.clip(zero, qmin + 1, qmax - 2)
    room = np.where(sign > 0, qmax - 1 - zero, zero - qmin - 1)  # for k of the tie k + 1/2
    most = np.minimum(np.sqrt(2 * room + 1).astype(np.int64), 255)  # t^2 is 2k + 1
    t = 2 * draw.integers(0, (most - 1) // 2) + 1
    r, e = 31 - bit_length(t), draw.integers(1, 7)
    acc, m = sign * ((t << r) - e), (t << r) + e
    return columns_of(selection, acc, m, 2 * r + 1, zero, [qmin, qmax])


def _last_shifts(draw: Draw, selection: Selection) -> Columns:
    """Draw products of 60 bits and more, so that the last shifts leave 0 or 1."""
    acc, m, shift = draw.cross(
        (INT32_MAX, INT32_MIN, INT32_MAX - 1, 1 - 2**31, 2**30 + 1),
        (MULTIPLIER_END - 1, MULTIPLIER_END - 2, 3 << 29, MULTIPLIER_MIN + 1, MULTIPLIER_MIN),
        (MAX_SHIFT, MAX_SHIFT - 1),
    )
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def _random(draw: Draw, selection: Selection) -> Columns:
    acc, m, shift = draw.sized(31), _multipliers(draw), draw.integers(31, 50)
    return columns_of(selection, acc, m, shift, *_range(draw, selection))


def _refused(draw: Draw, selection: Selection) -> Columns:
    bad = ((0, 31), (-1, 31), (2**30 - 1, 31), (-(2**30), 40), (2**30, -1), (2**30, 63))
    pair, acc = draw.cross(range(len(bad)), (1, -1, 1000))
    m, shift = np.array(bad).T[:, pair]
    return {
        **columns_of(selection, acc, m, np.clip(shift, 31, 40), *_range(draw, selection)),
        "shift": shift,
    }


FAMILIES = (
    Family(
        "tie",
        partial(_ties, sign=1),
        "k + 1/2 exactly, above zero, with an odd zero point",
        (
            *("round.rule", "zero_point.order", "round.constant", "round.cast"),
            "multiplier.shift",
        ),
    ),
    Family(
        "negative_tie",
        partial(_ties, sign=-1),
        "-(k + 1/2) exactly: the rules differ most there",
        ("round.rule", "round.constant", "round.truncation", "zero_point.order"),
    ),
    Family(
        "near_tie",
        partial(_near_ties, wide=False),
        "the accumulators on both sides of a tie, any multiplier",
        (
            *("round.twice", "round.truncation", "round.float32", "round.constant", "round.cast"),
            "multiplier.reduced",
        ),
    ),
    Family(
        "wide_accumulator",
        partial(_near_ties, wide=True),
        "the same with accumulators of 28 bits and more",
        (
            *("round.float32", "accumulator.narrow", "round.twice", "accumulator.wrap"),
            "multiplier.reduced",
        ),
    ),
    Family(
        "range_end",
        _range_ends,
        "codes next to qmin and qmax, inside and outside",
        (
            *("clamp.levels", "zero_point.clip", "clamp.wrap"),
            *("zero_point.offset", "zero_point.missing"),
        ),
    ),
    Family(
        "saturation",
        _saturated,
        "far outside the range",
        ("clamp.wrap", "zero_point.clip", "accumulator.narrow", "clamp.levels"),
    ),
    Family(
        "relu",
        _relu,
        "qmin is the zero point",
        ("clamp.relu", "clamp.dropped", "zero_point.clip", "zero_point.missing"),
    ),
    Family("relu6", _relu6, "qmax is below the largest code", ("clamp.dropped", "clamp.relu")),
    Family(
        "type_end",
        _type_ends,
        "accumulators, multipliers and shifts at the ends of their types, crossed",
        ("accumulator.wrap", "multiplier.large_shift", "multiplier.range", "accumulator.narrow"),
    ),
    Family(
        "above_one",
        _above_one,
        "M >= 1: shifts below 31",
        ("multiplier.above_one", "multiplier.shift", "round.twice"),
    ),
    Family(
        "large_shift",
        _large_shifts,
        "shifts of 48 to 62, near ties at 1/2, 3/2 and 5/2",
        ("multiplier.large_shift", "round.twice", "accumulator.wrap"),
    ),
    Family(
        "random",
        _random,
        "any accumulator, multiplier and shift",
        ("zero_point.missing", "zero_point.offset", "multiplier.shift", "round.truncation"),
    ),
    Family(
        "no_multiplier",
        _refused,
        "mantissas that are not normalised, shifts outside 0..62",
        ("input.accepted", "multiplier.range"),
        rejects=True,
    ),
    Family(
        "no_shift",
        _no_shift,
        "shifts of 0 to 2: at 0 there is no half to add",
        ("multiplier.no_shift", "multiplier.above_one"),
        edition=1,
    ),
    Family(
        "first_tie",
        _first_ties,
        "the first of two roundings is of a negative tie",
        ("round.rule", "round.twice"),
        edition=2,
    ),
    Family(
        "close_tie",
        close_ties,
        "products of 60 to 62 bits, as near a tie as float64 cannot tell",
        ("round.float64", "round.float32", "round.twice", "multiplier.reduced"),
        edition=3,
    ),
    Family(
        "last_shift",
        _last_shifts,
        "shifts of 61 and 62 of products of 60 to 62 bits",
        ("multiplier.large_shift", "accumulator.wrap", "round.twice"),
        edition=3,
    ),
)
