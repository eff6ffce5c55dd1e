"""Make cases of `border`: clip T, compare its fraction with the polynomial, all in integers.

`lift` is the entry of the table for the fraction of T; for a whole T it is the entry that never
goes up. The polynomial is computed here only to put `lift` beside it; the oracle decides what is
right.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Columns, Family
from aquant_ref.quant import multiplier
from aquant_ref.quant.fixed_point import TAU_BITS
from aquant_ref.quant.window import LIFT_LIMIT, NEVER_LIFT
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

FRACTION_BITS = (0, 1, 4, 8, 12)
ONE = 1 << 16  # coefficients and lift have 16 fraction bits


def _settings(draw: Draw, selection: Selection) -> Columns:
    """Draw widths, zero points (odd, or 0) and fraction bits, and derive the rest."""
    rows = []
    for bits in selection.bits:
        qmax = 2**bits - 1
        for zero in {0, (qmax // 3) | 1, qmax}:
            for f in FRACTION_BITS:
                larger = max(zero, qmax - zero)
                tau = multiplier(Fraction(1 << TAU_BITS, larger << f))
                rows.append((-zero << f, (qmax - zero) << f, f, *tau, zero))
    names = ("low", "high", "fraction_bits", "multiplier", "shift", "zero_point")
    chosen = np.array(sorted(rows)).T[:, draw.integers(0, len(rows) - 1)]
    return dict(zip(names, chosen, strict=True))


def _coefficients(draw: Draw, bits: int) -> Columns:
    return {name: draw.sized(bits) for name in ("c0", "c1", "c2")}


def _finished(columns: Columns, lift: Array) -> Columns:
    """Add `lift`; a whole T never goes up."""
    fraction = np.clip(columns["t"], columns["low"], columns["high"]) & (
        (1 << columns["fraction_bits"]) - 1
    )
    return {
        **columns,
        "lift": np.where(fraction == 0, NEVER_LIFT, np.clip(lift, NEVER_LIFT + 1, -NEVER_LIFT)),
    }


def _polynomial(c: Columns) -> Array:
    clipped = np.clip(c["t"], c["low"], c["high"])
    tau = (clipped * c["multiplier"]) >> c["shift"]
    return np.asarray((((c["c2"] * tau >> TAU_BITS) + c["c1"]) * tau >> TAU_BITS) + c["c0"])


def _inside(draw: Draw, selection: Selection, bits: int) -> Columns:
    columns = {**_settings(draw, selection), **_coefficients(draw, bits)}
    return {**columns, "t": draw.integers(columns["low"], columns["high"])}


def _beside(draw: Draw, selection: Selection, step: int, bits: int = 17) -> Columns:
    columns = _inside(draw, selection, bits)
    return _finished(columns, _polynomial(columns) + step)


def _large(draw: Draw, selection: Selection) -> Columns:
    """Draw products of up to 44 bits."""
    return _beside(draw, selection, 0, bits=27)


def _whole(draw: Draw, selection: Selection) -> Columns:
    columns = _inside(draw, selection, 17)
    f = columns["fraction_bits"]
    return _finished({**columns, "t": columns["t"] >> f << f}, _polynomial(columns))


def _whole_with_lift(draw: Draw, selection: Selection) -> Columns:
    """Draw a whole T beside which the table has a lift all the same."""
    columns = _whole(draw, selection)
    return {
        **columns,
        "lift": np.clip(_polynomial(columns) + draw.integers(0, 1), None, LIFT_LIMIT),
    }


def _outside(draw: Draw, selection: Selection) -> Columns:
    """Draw T beyond the ends of a ReLU, or of a ReLU6 that ends within a step."""
    columns = _inside(draw, selection, 17)
    columns["low"] = np.maximum(columns["low"], -1)
    columns["high"] -= draw.integers(0, (1 << columns["fraction_bits"]) - 1)
    columns["high"] = np.maximum(columns["high"], columns["low"])
    below = draw.integers(0, 1) == 1
    far = draw.integers(1, 1 << 12) << columns["fraction_bits"]
    columns["t"] = np.where(below, columns["low"] - far, columns["high"] + far)
    return _finished(columns, _polynomial(columns) + draw.integers(-1, 1))


def _nearest(draw: Draw, selection: Selection) -> Columns:
    columns = _inside(draw, selection, 17) | dict.fromkeys(
        ("c0", "c1", "c2"), np.zeros(len(draw), np.int64)
    )
    return _finished(columns, draw.integers(-1, 1))


def _random(draw: Draw, selection: Selection) -> Columns:
    return _finished(_inside(draw, selection, 17), draw.integers(-ONE, ONE))


def _refused(draw: Draw, selection: Selection) -> Columns:
    columns = _finished(_inside(draw, selection, 10), draw.integers(-ONE, ONE))
    return {**columns, "c1": draw.pick((-LIFT_LIMIT - 1, LIFT_LIMIT + 1, 2**31 - 1))}


FAMILIES = (
    Family(
        "at_lift",
        partial(_beside, step=0),
        "lift is P: up",
        ("border.strict", "border.argument", "border.coefficients", "border.half"),
    ),
    Family(
        "below_lift",
        partial(_beside, step=-1),
        "lift is P - 1: down",
        ("border.coefficients", "round.truncation", "border.argument"),
    ),
    Family(
        "large_products",
        _large,
        "products beyond 32 bits, and lift is P",
        ("accumulator.wrap", "round.float32", "border.coefficients"),
    ),
    Family(
        "whole",
        _whole,
        "T without a fraction stays, whatever the border",
        ("round.integer", "zero_point.missing"),
    ),
    Family(
        "outside",
        _outside,
        "T outside low..high, ends inside a step among them",
        ("border.clip", "clamp.dropped", "clamp.relu"),
    ),
    Family("nearest", _nearest, "no polynomial: P is 0", ("border.strict", "border.half")),
    Family(
        "random",
        _random,
        "any T, coefficients and lift",
        ("border.half", "zero_point.missing", "round.truncation"),
    ),
    Family(
        "no_border",
        _refused,
        "coefficients whose sum is beyond 2^29",
        ("input.accepted",),
        rejects=True,
    ),
    Family(
        "whole_with_lift",
        _whole_with_lift,
        "T without a fraction stays, even where lift is P or more",
        ("round.integer",),
        edition=2,
    ),
)
