"""Choose units, bias and output scale for the accumulators of a layer.

The bias of a channel is a whole number of its units, x_scale * weight_scale, whose product has at
most 24 bits (AQ-SNAP-1): so neither the bias in units nor a real accumulator is rounded in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.layer_parts import accumulators
from aquant_ref.conformance.cases.tensors import Row, odd, scale, snapped
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

ACC_MAX = 2**31 - 1


def spread_of(acc: Array) -> int:
    """Return the largest absolute accumulator, at least 1."""
    return max(1, int(abs(acc).max()))


def exact_units(
    draw: CaseRandom,
    spread: int,
    steps: int,
    outputs: int,
    *,
    alike: bool = False,
    plain: bool = False,
    powers: bool = False,
) -> tuple[Row, Array, Array]:
    """Draw scales with M = factor / 2^shift exactly; return them, the factors and the shifts.

    With `plain`, all scales are powers of two but for the factors; with `powers`, these are 1.
    """
    factors = draw.integers(0, 1 if steps >= 15 and not powers else 0, (outputs,)) * 2 + 1
    base = max(1, (2 * spread // steps).bit_length())
    shifts = base + draw.integers(0, 2, (outputs,))
    if alike:
        factors[:], shifts[:] = factors[0], shifts[0]
    # a quotient by x_scale, which is no power of two, is rounded: a bias has to survive that
    odd_part, mantissa = (1, 256) if plain else (draw.pick((3, 5, 7)), draw.integer(256, 511))
    scales = {
        "x_scale": float(np.ldexp(odd_part, draw.integer(-11, -7))),
        "weight_scale": np.ldexp(factors * mantissa * 1.0, draw.integer(-16, -12) - shifts),
    }
    scales["scale"] = float(scales["x_scale"] * scales["weight_scale"][0] / factors[0])
    scales["scale"] = float(np.ldexp(scales["scale"], int(shifts[0])))
    return scales, factors, shifts


def zero_point(draw: CaseRandom, selection: Selection, ends: tuple[int, int]) -> int:
    """Draw an odd zero point, or return 0 where the variation has no other."""
    chosen = contract.get(selection.operation).alternatives.get(selection.profile)
    return 0 if chosen and chosen.symmetric else odd(draw, *ends)


def all_alike(draw: CaseRandom, selection: Selection) -> bool:
    """Draw whether all channels share one scale."""
    return draw.pick(selection.scales) == "tensor"


def tied(
    row: Row,
    draw: CaseRandom,
    selection: Selection,
    ends: tuple[int, int],
    *,
    beside: int = 0,
    spread: int = 1,
    plain: bool = False,
    powers: bool = False,
) -> Row:
    """Bring one element of each channel to k + 1/2 steps, or `beside` accumulator steps beside it.

    The ties are below and above zero in turn where the zero point allows both. Accumulators are as
    large as `spread`.
    """
    acc, zero = accumulators(row), zero_point(draw, selection, ends)
    alike = all_alike(draw, selection)
    steps, outputs = ends[1] - ends[0], len(acc)
    kind = {"alike": alike, "plain": plain, "powers": powers}
    scales, factors, shifts = exact_units(draw, max(spread, spread_of(acc)), steps, outputs, **kind)
    bias: list[int] = []
    for values, factor, shift in zip(acc, factors.tolist(), shifts.tolist(), strict=True):
        low, high = 2 * (ends[0] - zero) + 1, 2 * (ends[1] - zero) - 1  # of 2k + 1, inside
        if low < 0 < high:
            low, high = (low, -1) if len(bias) % 2 == 0 else (1, high)
        low, high = -(-low // factor), high // factor
        twice = draw.integer(low, high) | 1
        twice = twice if twice <= high else twice - 2
        target = twice * 2 ** (shift - 1) + (draw.pick((-beside, beside)) if beside else 0)
        bias.append(target - int(values[draw.integer(0, len(values) - 1)]))
    return finished(row, scales, np.array(bias), zero, ends)


def finished(row: Row, scales: Row, bias: Array, zero: int, ends: tuple[int, int]) -> Row:
    """Complete the case; `bias` is in units."""
    nothing = np.zeros(len(bias), np.int64)
    unit = scales["x_scale"] * scales["weight_scale"]
    return {
        "weight_zero": nothing,
        **row,
        **scales,
        "bias": bias * unit,
        "zero_point": zero,
        "qmin": ends[0],
        "qmax": ends[1],
    }


def scaled(
    row: Row,
    draw: CaseRandom,
    selection: Selection,
    ends: tuple[int, int],
    *,
    unlike: int = 1,
    reach: float = 1.0,
) -> Row:
    """Draw scales of 12 bits, up to 2^unlike apart; elements cover `reach` times the range."""
    acc, zero = accumulators(row), zero_point(draw, selection, ends)
    outputs, spread = len(acc), spread_of(acc)
    weight_scale = np.array([scale(draw, -8 - unlike, -8) for _ in range(outputs)])
    if all_alike(draw, selection):
        weight_scale[:] = weight_scale[0]
    x_scale = scale(draw)
    out = snapped(float(weight_scale.max()) * x_scale * spread / ((ends[1] - ends[0]) * reach))
    bias = draw.integers(-spread // 2, spread // 2, (outputs,))
    return finished(
        row, {"x_scale": x_scale, "weight_scale": weight_scale, "scale": out}, bias, zero, ends
    )


def at_end(
    row: Row, draw: CaseRandom, selection: Selection, ends: tuple[int, int], beyond: int = 0
) -> Row:
    """Bring an accumulator of each channel to an end of int32, or `beyond` steps past it."""
    acc, zero = accumulators(row), odd(draw, *ends)
    scales, _, _ = exact_units(
        draw, ACC_MAX, ends[1] - ends[0], len(acc), alike=all_alike(draw, selection)
    )
    upper = draw.integer(0, 1) == 1
    bias = ACC_MAX + beyond - acc.max(axis=1) if upper else -ACC_MAX - 1 - beyond - acc.min(axis=1)
    return finished(row, scales, bias, zero, ends)
