"""Make cases of `dequantize` in float32: scale * (q - zero point), one float32 product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases import dequantize
from aquant_ref.conformance.cases.family import Columns, Family, code_ranges, odd_zero_point

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def _ends(draw: Draw, selection: Selection) -> Columns:
    pairs = [(a, b) for ends in selection.ranges for a in ends for b in ends]
    scales = (1.0, 0.5, 13421773 * 2.0**-27, 2.0**-126, 2.0**100)
    pair, scale = draw.cross(range(len(pairs)), scales)
    q, zero = np.array(pairs).T[:, pair]
    return {"q": q, "scale": scale, "zero_point": zero}


def _odd(draw: Draw, selection: Selection) -> Columns:
    """Draw odd scales of 24 bits, so that nearly every product is rounded."""
    qmin, qmax = code_ranges(draw, selection)
    scale = np.ldexp(draw.integers(2**22, 2**23 - 1) * 2.0 + 1, draw.integers(-36, -22))
    q = draw.integers(qmin, qmax)
    return {"q": q, "scale": scale, "zero_point": odd_zero_point(draw, qmin, qmax)}


def _no_scale(draw: Draw, selection: Selection) -> Columns:
    columns = _odd(draw, selection)
    return {**columns, "scale": draw.pick((1e-46, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0))}


FAMILIES: dict[str, tuple[Family, ...]] = {
    "float32": (
        Family(
            "range_end",
            _ends,
            "the code and the zero point at ends of ranges: their difference needs one bit more",
            ("accumulator.narrow", "zero_point.missing", "round.float64"),
        ),
        Family(
            "zero",
            dequantize.zeros,
            "the zero point means 0",
            ("zero_point.missing", "zero_point.offset", "zero_point.order"),
        ),
        Family(
            "inexact",
            _odd,
            "the exact product has more than 24 bits",
            ("round.float64", "zero_point.order", "round.reciprocal"),
        ),
        Family(
            "random",
            dequantize.random,
            "any code, scales of 24 bits",
            ("zero_point.missing", "zero_point.offset", "round.float64"),
        ),
        Family(
            "no_scale",
            _no_scale,
            "scales that no normal float32 is, or whose reciprocal is none",
            ("input.accepted",),
            rejects=True,
        ),
    )
}
