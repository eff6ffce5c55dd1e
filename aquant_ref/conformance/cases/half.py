"""Make cases of `quantize` and `dequantize` in float16 and bfloat16.

Reals and scales are numbers of the type, so that nothing depends on how they are converted.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases import dequantize, dequantize_float32, quantize, quantize_float32
from aquant_ref.conformance.cases.family import (
    Columns,
    Family,
    between,
    code_ranges,
    odd_zero_point,
)
from aquant_ref.conformance.cases.quantize import columns_of, target
from aquant_ref.conformance.expected.half import FORMATS
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from collections.abc import Callable

    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.expected.half import Format


def _kind(selection: Selection) -> Format:
    return FORMATS[selection.profile.removesuffix("_to_float32")]


def _near(values: Reals, kind: Format, moved: Any = 0) -> Reals:
    """Round to the type, but never to infinity; then move so many units of the last place."""
    unit = np.maximum(np.frexp(values)[1] - kind.bits, kind.least)
    largest = 2.0**kind.beyond - 2.0 ** (kind.beyond - kind.bits)
    return np.clip(np.ldexp(np.rint(np.ldexp(values, -unit)) + moved, unit), -largest, largest)


def _scales(draw: Draw, kind: Format) -> Reals:
    return np.ldexp(draw.integers(2 ** (kind.bits - 1), 2**kind.bits - 1), draw.integers(-15, -9))


def _tie(draw: Draw, selection: Selection) -> tuple[Any, ...]:
    """Draw a tie in steps that the type holds, the zero point and the range."""
    low, zero, ends = target(draw, selection)
    return np.clip(low, -128, 127) + 0.5, zero, ends


def _ties(draw: Draw, selection: Selection) -> Columns:
    tie, zero, ends = _tie(draw, selection)
    scale = np.ldexp(1.0, draw.integers(-8, 3))
    return columns_of(draw, selection, tie * scale, scale, zero, ends)


def _near_ties(draw: Draw, selection: Selection) -> Columns:
    columns = _ties(draw, selection)
    r = _near(columns["r"], _kind(selection), draw.pick((-1, 1)))
    return {**columns, "r": r}


def _quotients(draw: Draw, selection: Selection) -> Columns:
    """Pick a number whose quotient is rounded to a tie that it is not; 1/2 is the tie of none."""
    kind, (tie, zero, ends) = _kind(selection), _tie(draw, selection)
    tie = np.where(abs(tie) < 1, 3 * tie, tie)
    chosen = scale = _scales(draw, kind)
    found = np.zeros(len(draw), bool)
    for _ in range(8):
        other = _scales(draw, kind)
        for moved in (-1, 0, 1):
            r = _near(tie * other, kind, moved)
            quotient = r / other
            apart = ~found & (quotient != tie) & (_near(quotient, kind) == tie)
            chosen, scale = np.where(apart, r, chosen), np.where(apart, other, scale)
            found |= apart
    return columns_of(draw, selection, chosen, scale, zero, ends)


def _products(draw: Draw, selection: Selection) -> Columns:
    """Pick a number whose product with the reciprocal is a tie, and the quotient is none.

    In float32 it is the other way round: a quotient of two numbers of 11 bits that is rounded to a
    tie is one.
    """
    if selection.profile.endswith("_to_float32"):
        return _products_in_float32(draw, selection)
    kind, (tie, zero, ends) = _kind(selection), _tie(draw, selection)
    chosen = scale = _scales(draw, kind)
    found = np.zeros(len(draw), bool)
    for _ in range(8):
        other = _scales(draw, kind)
        for moved in (-2, -1, 0, 1, 2):
            r = _near(tie * other, kind, moved)
            product = _near(r * _near(1 / other, kind), kind)
            apart = ~found & (_near(r / other, kind) != tie) & (product == tie)
            chosen, scale = np.where(apart, r, chosen), np.where(apart, other, scale)
            found |= apart
    return columns_of(draw, selection, chosen, scale, zero, ends)


def _products_in_float32(draw: Draw, selection: Selection) -> Columns:
    tie, zero, ends = _tie(draw, selection)
    chosen, scale = tie, np.ones(len(draw))
    found = abs(tie) > 2**6  # the product with a scale of 5 bits needs more than 11
    for _ in range(16):
        other = draw.integers(1, 15) * 2.0 + 1
        product = np.float32(tie * other) * (np.float32(1) / other.astype(np.float32))
        apart = ~found & (np.rint(product) != np.rint(tie))
        chosen, scale = np.where(apart, tie * other, chosen), np.where(apart, other, scale)
        found |= apart
    return columns_of(draw, selection, chosen, scale, zero, ends)


def _narrowed(
    draw: Draw, selection: Selection, *, make: Callable[[Draw, Selection], Columns]
) -> Columns:
    columns, kind = make(draw, selection), _kind(selection)
    scale = np.maximum(_near(columns["scale"], kind), 2.0**kind.normal)
    return {**columns, "r": _near(columns["r"], kind), "scale": scale}


def _beyond(draw: Draw, selection: Selection) -> Columns:
    """Draw quotients that are infinite in the type, and infinity."""
    kind, (_, zero, ends) = _kind(selection), target(draw, selection)
    size = draw.pick((2.0 ** (kind.beyond - 1), 2.0 ** (kind.beyond - 2), np.inf))
    sign, scale = draw.pick((-1.0, 1.0)), draw.pick((0.125, 0.5, 1.0, 2.0**kind.normal))
    return columns_of(draw, selection, size * sign, scale, zero, ends)


def _subnormal(draw: Draw, selection: Selection) -> Columns:
    """Draw subnormal numbers of more than half of the least normal scale."""
    kind, (_, zero, ends) = _kind(selection), target(draw, selection)
    half = 2 ** (kind.bits - 2)
    r = np.ldexp(draw.integers(half + 1, 2 * half - 1) * draw.pick((-1.0, 1.0)), kind.least)
    zero = np.clip(zero, ends[0] + 1, ends[1] - 1)
    return columns_of(draw, selection, r, np.full(len(draw), 2.0**kind.normal), zero, ends)


def _no_scale(draw: Draw, selection: Selection) -> Columns:
    kind, (_, zero, ends) = _kind(selection), target(draw, selection)
    bad = draw.pick(
        (2.0**kind.least, 2.0 ** (kind.normal - 1), 2.0 ** (1 - kind.normal), 0.0, -1.0)
    )
    return columns_of(draw, selection, np.full(len(draw), 1.0), bad, zero, ends)


OF_FLOAT32 = {f.flag: f for f in quantize_float32.COMMON}
QUANTIZED = (
    Family("tie", _ties, OF_FLOAT32["tie"].description, quantize_float32.ROUNDED),
    Family(
        "near_tie",
        _near_ties,
        "the neighbours of a tie",
        ("round.float_half", "round.rule", "round.cast"),
    ),
    Family(
        "quotient_tie",
        _quotients,
        "a quotient that is rounded to a tie by the type, not by float32",
        ("round.float32", "round.half", "round.reciprocal"),
    ),
    Family(
        "product_tie",
        _products,
        "of the quotient and the product with the reciprocal one is a tie, where such are near",
        ("round.reciprocal",),
    ),
    *(
        Family(flag, partial(_narrowed, make=make), f.description, f.catches)
        for flag, make in (
            ("range_end", quantize.range_ends),
            ("relu", quantize.relu),
            ("random", quantize.random),
        )
        for f in (OF_FLOAT32[flag],)
    ),
    Family(
        "beyond",
        _beyond,
        "the quotient is infinite in the type, or the number is",
        ("accumulator.wrap", "clamp.wrap", "clamp.levels"),
    ),
    Family(
        "subnormal",
        _subnormal,
        "subnormal numbers of more than half a step",
        ("round.subnormal",),
    ),
    OF_FLOAT32["nan"],
    Family("no_scale", _no_scale, OF_FLOAT32["no_scale"].description, ("input.accepted",), True),
)


def _ends(draw: Draw, selection: Selection) -> Columns:
    kind = _kind(selection)
    pairs = [(a, b) for ends in selection.ranges for a in ends for b in ends]
    scales = (1.0, 0.5, (2**kind.bits - 1) * 2.0**-12, 2.0**kind.normal)
    pair, scale = draw.cross(range(len(pairs)), scales)
    q, zero = np.array(pairs).T[:, pair]
    return {"q": q, "scale": scale, "zero_point": zero}


def _inexact(draw: Draw, selection: Selection) -> Columns:
    """Draw odd scales of all bits, so that nearly every product is rounded."""
    kind, (qmin, qmax) = _kind(selection), code_ranges(draw, selection)
    half = 2 ** (kind.bits - 2)
    scale = np.ldexp(draw.integers(half, 2 * half - 1) * 2.0 + 1, draw.integers(-18, -6))
    q = draw.integers(qmin, qmax)
    return {"q": q, "scale": scale, "zero_point": odd_zero_point(draw, qmin, qmax)}


def _overflow(draw: Draw, selection: Selection) -> Columns:
    """Draw scales by which some products are infinite, and others large."""
    kind, (qmin, qmax) = _kind(selection), code_ranges(draw, selection)
    q, zero = between(draw, qmin, qmax), odd_zero_point(draw, qmin, qmax)
    q = np.where(q == zero, qmin, q)
    exponent = draw.integers(kind.beyond - 6, min(kind.beyond - 1, -kind.normal))
    return {"q": q, "scale": np.ldexp(1.0, exponent), "zero_point": zero}


def _zeros(draw: Draw, selection: Selection) -> Columns:
    columns = dequantize.zeros(draw, selection)
    return {**columns, "scale": _scales(draw, _kind(selection))}


def _no_step(draw: Draw, selection: Selection) -> Columns:
    kind = _kind(selection)
    bad = draw.pick(
        (2.0**kind.least, 2.0 ** (kind.normal - 1), 2.0 ** (1 - kind.normal), 0.0, -1.0)
    )
    return {**_inexact(draw, selection), "scale": bad}


OF_REALS = {f.flag: f for f in dequantize_float32.FAMILIES["float32"]}
DEQUANTIZED = (
    Family(
        "range_end",
        _ends,
        OF_REALS["range_end"].description,
        ("accumulator.narrow", "zero_point.missing"),
    ),
    Family("zero", _zeros, OF_REALS["zero"].description, OF_REALS["zero"].catches),
    Family(
        "inexact",
        _inexact,
        "the exact product has more bits than the type",
        ("round.half", "zero_point.order"),
    ),
    Family(
        "overflow",
        _overflow,
        "the largest numbers, and infinity",
        ("clamp.wrap", "round.half"),
    ),
    Family("no_scale", _no_step, OF_REALS["no_scale"].description, ("input.accepted",), True),
)
QUANTIZE = dict.fromkeys(("float16", "bfloat16", "float16_to_float32"), QUANTIZED)
DEQUANTIZE = dict.fromkeys(("float16", "bfloat16"), DEQUANTIZED)
