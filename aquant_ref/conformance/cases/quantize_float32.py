"""Make cases of `quantize` in float32: by division, by the reciprocal, or zero point first.

Reals and scales are float32 numbers, so that nothing depends on how they are converted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases import quantize
from aquant_ref.conformance.cases.family import Columns, Family, between
from aquant_ref.conformance.cases.quantize import columns_of, target
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

LARGEST = float(np.finfo(np.float32).max)


def _single(values: Reals) -> Reals:
    """Round to float32; the dtype stays float64."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float32).astype(np.float64)


def _beside(values: Reals, steps: int) -> Reals:
    """Return the float32 so many steps above or below."""
    moved = values.astype(np.float32)
    for _ in range(abs(steps)):
        moved = np.nextafter(moved, np.float32(np.inf * np.sign(steps)))
    return moved.astype(np.float64)


def _narrowed(
    draw: Draw, selection: Selection, *, make: Callable[[Draw, Selection], Columns]
) -> Columns:
    columns = make(draw, selection)
    infinite = np.isinf(columns["r"])
    r = np.where(infinite, columns["r"], _single(np.where(infinite, 0, columns["r"])))
    return {**columns, "r": r, "scale": _single(columns["scale"])}


def _near_ties(draw: Draw, selection: Selection) -> Columns:
    """Draw the neighbours of any tie, those of 1/2 step most often."""
    columns = quantize.ties(draw, selection)
    r = np.where(draw.integers(0, 1) == 1, columns["scale"] / 2, columns["r"])
    up = draw.integers(0, 2) == 0
    return {**columns, "r": np.where(up, _beside(r, 1), _beside(r, -1))}


def _quotients(draw: Draw, selection: Selection) -> Columns:
    """Pick a float32 near (k + 1/2)*scale whose quotient and product are on two sides of the tie.

    If there is none, pick one whose quotient rounds to the tie.
    """
    low, zero, ends = target(draw, selection)
    tie, scale = low + 0.5, draw.scales()
    chosen = _single(tie * scale)
    for nearby in (-2, 2, -1, 1, 0):
        r = _beside(_single(tie * scale), nearby)
        quotient = r.astype(np.float32) / scale.astype(np.float32)
        product = r.astype(np.float32) * (np.float32(1) / scale.astype(np.float32))
        apart = (quotient == tie) & (product != tie)
        chosen = np.where(apart | ((quotient == tie) & (nearby == 0)), r, chosen)
    return columns_of(draw, selection, chosen, scale, zero, ends)


def _products(draw: Draw, selection: Selection) -> Columns:
    """As above, but the product with the reciprocal is the tie, and the quotient is not."""
    low, zero, ends = target(draw, selection)
    tie, scale = low + 0.5, draw.scales()
    chosen = _single(tie * scale)
    for nearby in (-2, 2, -1, 1):
        r = _beside(_single(tie * scale), nearby)
        quotient = r.astype(np.float32) / scale.astype(np.float32)
        product = r.astype(np.float32) * (np.float32(1) / scale.astype(np.float32))
        chosen = np.where((product == tie) & (quotient != tie), r, chosen)
    return columns_of(draw, selection, chosen, scale, zero, ends)


def _absorbed(draw: Draw, selection: Selection) -> Columns:
    """Draw small numbers beside a tie, from which a large zero point takes the last bits."""
    _, zero, ends = target(draw, selection)
    zero = np.where(abs(zero) < 2, ends[1] - 1, zero)
    tie = between(draw, np.full(len(draw), -2), np.full(len(draw), 1)) + 0.5
    scale = np.ldexp(1.0, draw.integers(-8, 2))
    up = draw.integers(0, 1) == 1
    r = np.where(up, _beside(tie * scale, 1), _beside(tie * scale, -1))
    return columns_of(draw, selection, r, scale, zero, ends)


def _fused(draw: Draw, selection: Selection) -> Columns:
    """Draw products that round to a tie alone, but not when the zero point is added exactly."""
    _, zero, ends = target(draw, selection)
    zero = np.where(abs(zero) > 3, draw.integers(1, 3), zero)
    tie, scale = draw.pick((-1.5, -0.5, 0.5, 1.5)), draw.scales()
    inverse = (np.float32(1) / scale.astype(np.float32)).astype(np.float64)
    chosen = _single(tie * scale)
    for nearby in (-2, 2, -1, 1, 0):
        r = _beside(_single(tie * scale), nearby)
        twice = (zero + (r * inverse).astype(np.float32)).astype(np.float32)
        chosen = np.where(twice != (zero + r * inverse).astype(np.float32), r, chosen)
    return columns_of(draw, selection, chosen, scale, zero, ends)


def _beyond_int32(draw: Draw, selection: Selection) -> Columns:
    _, zero, ends = target(draw, selection)
    size, sign, scale = draw.cross(
        (2.0**31, 2.0**32, 2.0**32 + 512, 3e9, 1e10, 2.0**63, 1e30, LARGEST, np.inf),
        (-1.0, 1.0),
        (1.0, 0.5, 2.0**-20),
    )
    finite = np.where(np.isinf(size), 0, size)
    r = np.where(np.isinf(size), size, _single(finite)) * sign
    return columns_of(draw, selection, r, scale, zero, ends)


def _tiny(draw: Draw, selection: Selection) -> Columns:
    _, zero, ends = target(draw, selection)
    r, sign, scale = draw.cross((0.0, 2.0**-126, 2.0**-100), (-1.0, 1.0), (1.0, 2.0**-20, 2.0**100))
    return columns_of(draw, selection, r * sign, scale, zero, ends)


def _no_scale(draw: Draw, selection: Selection) -> Columns:
    _, zero, ends = target(draw, selection)
    scale = draw.pick((1e-46, 2.0**-140, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0))
    return columns_of(draw, selection, np.full(len(draw), 1.0), scale, zero, ends)


ROUNDED = ("round.rule", "zero_point.order", "round.constant", "round.cast")

COMMON: tuple[Family, ...] = (
    Family("tie", quantize.ties, "r/scale is k + 1/2 exactly, with an odd zero point", ROUNDED),
    Family(
        "near_tie",
        _near_ties,
        "the float32 neighbours of a tie",
        ("round.float_half", "round.rule", "round.cast"),
    ),
    Family(
        "quotient_tie",
        _quotients,
        "the float32 quotient is a tie; the product with the reciprocal is none, where one is near",
        ("round.reciprocal", "round.float64", "round.rule"),
    ),
    Family(
        "product_tie",
        _products,
        "the float32 product with the reciprocal is a tie, the quotient is not, where one is near",
        ("round.reciprocal", "round.float64", "round.rule"),
    ),
    Family(
        "absorbed",
        _absorbed,
        "beside a tie, by less than the last bit of the sum with the zero point",
        ("zero_point.order", "round.float64"),
    ),
    Family(
        "fused",
        _fused,
        "a product that rounds to a tie, which the exact sum with the zero point is not",
        ("round.twice", "zero_point.order"),
    ),
    Family(
        "range_end",
        partial(_narrowed, make=quantize.range_ends),
        "codes next to qmin and qmax, inside and outside",
        ("clamp.levels", "zero_point.clip", "clamp.wrap", "zero_point.missing"),
    ),
    Family(
        "relu",
        partial(_narrowed, make=quantize.relu),
        "qmin is the zero point",
        ("clamp.relu", "clamp.dropped", "zero_point.clip", "zero_point.missing"),
    ),
    Family(
        "relu6",
        partial(_narrowed, make=quantize.relu6),
        "qmax is below the largest code",
        ("clamp.dropped", "clamp.relu"),
    ),
    Family(
        "beyond_int32",
        _beyond_int32,
        "the quotient does not fit int32, or is infinite",
        ("accumulator.wrap", "clamp.wrap"),
    ),
    Family("tiny", _tiny, "zero and numbers next to it", ("zero_point.missing",)),
    Family(
        "random",
        partial(_narrowed, make=quantize.random),
        "any number near the range, unequal scales, odd zero points",
        ("zero_point.missing", "zero_point.offset", "round.cast", "round.truncation"),
    ),
    Family("nan", quantize.nan, "NaN has no code", ("input.accepted",), rejects=True),
    Family(
        "no_scale",
        _no_scale,
        "scales that no normal float32 is, or whose reciprocal is none",
        ("input.accepted",),
        rejects=True,
    ),
)
FAMILIES = dict.fromkeys(("float32", "float32_reciprocal", "float32_zero_first"), COMMON)
