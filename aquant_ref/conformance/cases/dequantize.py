"""Make cases of `dequantize`: scale * (q - zero point), one float64 product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Columns, Family, code_ranges, odd_zero_point
from aquant_ref.typing import Codes, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def _columns(q: Codes, scale: Reals, zero: Integers) -> Columns:
    return {"q": q, "scale": scale, "zero_point": zero}


def _ends(draw: Draw, selection: Selection) -> Columns:
    pairs = [(a, b) for ends in selection.ranges for a in ends for b in ends]
    pair, scale = draw.cross(range(len(pairs)), (1.0, 0.5, 0.1, 1 / 3, 1 / 255))
    q, zero = np.array(pairs).T[:, pair]
    return _columns(q, scale, zero)


def zeros(draw: Draw, selection: Selection) -> Columns:
    """Draw codes that are the zero point."""
    code = odd_zero_point(draw, *code_ranges(draw, selection))
    return _columns(code, draw.scales(), code)


def _inexact(draw: Draw, selection: Selection) -> Columns:
    """Draw scales of 53 bits, so that the product has more and is rounded."""
    qmin, qmax = code_ranges(draw, selection)
    return _columns(draw.integers(qmin, qmax), 0.01 + draw.unit(), odd_zero_point(draw, qmin, qmax))


def _tiny(draw: Draw, selection: Selection) -> Columns:
    qmin, qmax = code_ranges(draw, selection)
    scale = draw.pick((5e-324, 1e-310, 2.0**-1022, 2.0**-1000))
    return _columns(draw.integers(qmin, qmax), scale, odd_zero_point(draw, qmin, qmax))


def random(draw: Draw, selection: Selection) -> Columns:
    """Draw any code, and a scale of 24 bits."""
    qmin, qmax = code_ranges(draw, selection)
    return _columns(draw.integers(qmin, qmax), draw.scales(), odd_zero_point(draw, qmin, qmax))


FAMILIES = (
    Family(
        "range_end",
        _ends,
        "the code and the zero point at ends of ranges: their difference needs one bit more",
        ("accumulator.narrow", "zero_point.missing", "round.float32", "round.reciprocal"),
    ),
    Family(
        "zero",
        zeros,
        "the zero point means 0",
        ("zero_point.missing", "zero_point.offset", "zero_point.order"),
    ),
    Family(
        "inexact",
        _inexact,
        "the exact product has more than 53 bits",
        ("round.float32", "zero_point.order", "round.reciprocal"),
    ),
    Family("tiny", _tiny, "subnormal scales", ("round.float32",)),
    Family(
        "random",
        random,
        "any code, scales of 24 bits",
        ("zero_point.missing", "zero_point.offset", "round.float32"),
    ),
)
