"""Make cases of `multiplier`: a real number to a mantissa of 31 bits and a shift."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Columns, Family
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

TOP = 2.0**31
ULP = 2.0**-22  # below TOP
# what is taken from TOP: a mantissa that rounds to it, and one that does not
CARRIED = np.array([0.5, 0.5 - ULP, 0.49, 0.4, 0.3, 0.25, 0.1, 2.0**-10, 2.0**-20, 2 * ULP, ULP])
STAYS = np.array([0.5 + ULP, 0.5 + 2 * ULP, 0.51, 0.6, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 2.5])


def _scaled(draw: Draw, mantissa: Reals, low: int = -30, high: int = 30) -> Columns:
    """Scale a mantissa in [2^30, 2^31] by a power of two."""
    return {"m": np.ldexp(mantissa, draw.integers(low, high) - 31)}


def _powers(draw: Draw, _selection: Selection) -> Columns:
    (exponent,) = draw.cross(range(-32, 31))
    return {"m": np.ldexp(1.0, exponent)}


def _carries(draw: Draw, _selection: Selection) -> Columns:
    """Draw around the tie 2^31 - 1/2, from which the mantissa rounds up to 2^31."""
    below = draw.pick((0.5, 0.25, 2.0**-10, 2.0**-21, 2.0**-22, 0.5 + 2.0**-20, 0.75, 1.0))
    return _scaled(draw, TOP - below)


def _ties(draw: Draw, _selection: Selection, beside: float) -> Columns:
    return _scaled(draw, draw.integers(2**30, 2**31 - 2) + 0.5 + beside * draw.pick((-1, 1)))


def _above_one(draw: Draw, _selection: Selection) -> Columns:
    return _scaled(draw, draw.integers(2**30, 2**31 - 1) + draw.unit(), 1, 31)


def _large_shifts(draw: Draw, _selection: Selection) -> Columns:
    return _scaled(draw, draw.integers(2**30, 2**31 - 1) + draw.unit(), -31, -17)


def _products(draw: Draw, _selection: Selection) -> Columns:
    return {"m": draw.scales(-10, -2) * draw.scales(-10, -2) / draw.scales(-6, 0)}


def _refused(draw: Draw, _selection: Selection) -> Columns:
    values = (0.0, -0.5, np.inf, np.nan, 2.0**31, 1e300, 2.0**-34, 5e-324)
    return {"m": draw.pick(values)}


def _last_shifts(draw: Draw, _selection: Selection, rejects: bool) -> Columns:
    """Draw mantissas right below 2^31 at either end of the shifts; a carry reduces the shift."""
    largest, least = (STAYS, CARRIED) if rejects else (CARRIED, STAYS)
    (m,) = draw.cross([*np.ldexp(TOP - largest, -63), *(TOP - least)])
    return {"m": m}


FAMILIES = (
    Family(
        "power_of_two",
        _powers,
        "the mantissa is 2^30, the first of its range",
        ("multiplier.range", "multiplier.shift", "multiplier.above_one"),
    ),
    Family(
        "carry",
        _carries,
        "the mantissa rounds to 2^31, or only almost",
        ("multiplier.carry", "round.cast", "multiplier.float32"),
    ),
    Family(
        "tie",
        partial(_ties, beside=0.0),
        "the mantissa is k + 1/2",
        ("round.rule", "round.cast", "multiplier.float32"),
    ),
    Family(
        "near_tie",
        partial(_ties, beside=2.0**-20),
        "one float64 beside such a tie",
        ("round.cast", "multiplier.float32", "round.rule"),
    ),
    Family(
        "above_one",
        _above_one,
        "M >= 1",
        ("multiplier.above_one", "multiplier.float32", "multiplier.shift"),
    ),
    Family(
        "large_shift",
        _large_shifts,
        "shifts of 48 to 62",
        ("multiplier.large_shift", "multiplier.float32"),
    ),
    Family(
        "scales",
        _products,
        "scale * scale / scale, as networks have them",
        ("multiplier.float32", "round.cast", "multiplier.shift"),
    ),
    Family(
        "no_multiplier",
        _refused,
        "not finite, not above zero, or out of the range of shifts",
        ("input.accepted",),
        rejects=True,
    ),
    Family(
        "last_shift",
        partial(_last_shifts, rejects=False),
        "shifts of 0, and of 63 that a carry makes 62",
        ("multiplier.carry", "multiplier.above_one", "multiplier.large_shift"),
        edition=1,
    ),
    Family(
        "beyond_last_shift",
        partial(_last_shifts, rejects=True),
        "shifts of 63, and of 0 that a carry makes -1",
        ("input.accepted",),
        rejects=True,
        edition=1,
    ),
)
