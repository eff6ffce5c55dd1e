"""Make cases of `round`: a real number to an integer by a named rule."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.conformance.cases.draw import Draw, nudged
from aquant_ref.conformance.cases.family import Columns, Family

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

LARGE = 2.0**52  # from here on a float64 has no fraction


def _columns(draw: Draw, selection: Selection, t: ArrayLike) -> Columns:
    return {"rounding": draw.pick(selection.rounding), "t": np.asarray(t, np.float64)}


def _ties(draw: Draw, selection: Selection, sign: int) -> Columns:
    return _columns(draw, selection, sign * (abs(draw.sized(40)) + 0.5))


def _near_ties(draw: Draw, selection: Selection) -> Columns:
    tie, towards = draw.cross((0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5, 100.5), (-np.inf, np.inf))
    return _columns(draw, selection, nudged(tie, towards))


def _integers(draw: Draw, selection: Selection) -> Columns:
    return _columns(draw, selection, draw.sized(30))


def _large(draw: Draw, selection: Selection) -> Columns:
    size = LARGE / 4 * draw.pick((1, 2, 4, 8)) + draw.integers(-9, 9) / 2
    return _columns(draw, selection, size * draw.pick((-1, 1)))


def _fractions(draw: Draw, selection: Selection) -> Columns:
    return _columns(draw, selection, draw.sized(8) + draw.pick((0.25, 0.75, 0.4, 0.6, 0.999)))


def _tiny(draw: Draw, selection: Selection) -> Columns:
    sizes = (0.0, 5e-324, 2.0**-1022, 1e-300, 2.0**-53, 2.0**-30)
    size, sign = draw.cross(sizes, (-1.0, 1.0))
    return _columns(draw, selection, size * sign)


def _beyond_int32(draw: Draw, selection: Selection) -> Columns:
    size = 2.0 ** draw.pick((31, 32, 33, 40)) + draw.integers(-5, 5) / 2
    return _columns(draw, selection, size * draw.pick((-1, 1)))


def _random(draw: Draw, selection: Selection) -> Columns:
    return _columns(draw, selection, draw.sized(20) + draw.unit())


def _refused(draw: Draw, selection: Selection) -> Columns:
    return _columns(draw, selection, draw.pick((np.nan,)))


FAMILIES = (
    Family(
        "tie",
        partial(_ties, sign=1),
        "k + 1/2, above zero",
        ("round.rule", "round.constant", "round.cast"),
    ),
    Family(
        "negative_tie",
        partial(_ties, sign=-1),
        "-(k + 1/2): the rules differ most there",
        ("round.rule", "round.truncation", "round.constant", "round.cast"),
    ),
    Family(
        "near_tie",
        _near_ties,
        "the float64 neighbours of a tie, 0.49999999999999994 among them",
        ("round.float_half", "round.float32", "round.twice"),
    ),
    Family("integer", _integers, "integers stay what they are", ("round.integer",)),
    Family(
        "large",
        _large,
        "near 2^50 to 2^53, where t + 1/2 is rounded itself",
        ("round.float_half", "round.float32", "accumulator.wrap"),
    ),
    Family(
        "fraction",
        _fractions,
        "no ties: the same for all nearest rules",
        ("round.truncation", "round.cast"),
    ),
    Family(
        "tiny", _tiny, "zero, subnormal numbers, and others far below 1/2", ("round.truncation",)
    ),
    Family(
        "beyond_int32",
        _beyond_int32,
        "the result does not fit int32",
        ("accumulator.wrap", "round.float32"),
    ),
    Family("random", _random, "any number of moderate size", ("round.cast", "round.truncation")),
    Family("nan", _refused, "NaN is no number", ("input.accepted",), rejects=True),
)
