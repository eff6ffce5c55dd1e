"""Make cases of `border_round`: up exactly where the fraction of t reaches the border."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.conformance.cases.draw import Draw, nudged
from aquant_ref.conformance.cases.family import Columns, Family
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection


def _columns(t: ArrayLike, border: ArrayLike) -> Columns:
    return {"t": np.asarray(t, np.float64), "border": np.asarray(border, np.float64)}


def _at(draw: Draw, _selection: Selection) -> Columns:
    border = draw.integers(1, 2**12 - 1) * 2.0**-12
    return _columns(draw.sized(10) + border, border)


def _beside(draw: Draw, selection: Selection, towards: float) -> Columns:
    columns = _at(draw, selection)
    return {**columns, "t": nudged(columns["t"], towards)}


def _integers(draw: Draw, _selection: Selection) -> Columns:
    t, border = draw.cross(range(-9, 10), (1.0, 0.5, 1e-6, 5e-324, 1 - 2.0**-53))
    return _columns(t, border)


def _below_an_integer(draw: Draw, _selection: Selection) -> Columns:
    """Draw numbers whose fraction needs more bits than they have: in float64 it is rounded."""
    size, border = draw.cross(
        (5e-324, 1e-300, 1e-30, 2.0**-60, 2.0**-54, 2.0**-53, 1e-9),
        (1.0, 1 - 2.0**-53, 1 - 2.0**-52, 0.75, 1e-6),
    )
    return _columns(-size, border)


def _ties(draw: Draw, _selection: Selection) -> Columns:
    return _columns(draw.sized(12) + 0.5, np.full(len(draw), 0.5))


def _border_of_one(draw: Draw, _selection: Selection) -> Columns:
    return _columns(draw.sized(8) + draw.pick((0.25, 0.5, 0.999)), np.full(len(draw), 1.0))


def _random(draw: Draw, _selection: Selection) -> Columns:
    return _columns(draw.sized(12) + draw.unit(), 1 - draw.unit())


def _large(draw: Draw, _selection: Selection) -> Columns:
    """Draw numbers whose whole part is no float32, or no int32."""
    border = draw.integers(1, 2**7) * 2.0**-7
    size = np.ldexp(1.0, draw.integers(25, 44))
    whole = np.floor(size * (1 + draw.unit())) // 2 * 2 + 1
    below = draw.integers(0, 1) * 2.0**-8
    return _columns(draw.pick((-1, 1)) * whole + border - below, border)


def _refused(draw: Draw, _selection: Selection) -> Columns:
    t, border = draw.cross((0.0, 1.25, -2.5), (0.0, -0.5, np.nextafter(1.0, 2.0), np.nan))
    return _columns(t, border)


def _not_finite(draw: Draw, _selection: Selection) -> Columns:
    border: Array = np.full(len(draw), 0.5)
    return _columns(np.full(len(draw), np.nan), border)


FAMILIES = (
    Family(
        "at_border",
        _at,
        "the fraction is the border itself, which goes up",
        ("border.strict", "border.half"),
    ),
    Family(
        "below_border",
        partial(_beside, towards=-np.inf),
        "the float64 just below it",
        ("border.coefficients", "round.float32", "border.half"),
    ),
    Family(
        "above_border",
        partial(_beside, towards=np.inf),
        "the float64 just above it",
        ("border.half", "round.float32"),
    ),
    Family("integer", _integers, "integers stay, whatever the border", ("round.integer",)),
    Family(
        "below_integer",
        _below_an_integer,
        "so little below zero that the fraction is rounded itself",
        ("round.float_half", "round.truncation"),
    ),
    Family(
        "half",
        _ties,
        "the border 1/2 is half_up",
        ("round.rule", "border.strict", "round.truncation"),
    ),
    Family(
        "border_of_one",
        _border_of_one,
        "the border 1 is floor",
        ("border.half", "border.clip", "round.truncation"),
    ),
    Family(
        "random",
        _random,
        "any number, any border",
        ("border.half", "round.truncation", "border.argument"),
    ),
    Family(
        "no_border",
        _refused,
        "borders outside (0, 1]",
        ("input.accepted", "border.clip"),
        rejects=True,
    ),
    Family("nan", _not_finite, "NaN is no number", ("input.accepted",), rejects=True),
    Family(
        "large",
        _large,
        "odd numbers beyond 2^24, most of them beyond int32",
        ("round.float32", "accumulator.wrap"),
        edition=2,
    ),
)
