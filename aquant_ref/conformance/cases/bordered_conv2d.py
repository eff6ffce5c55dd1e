"""Make cases of `bordered_conv2d`: a convolution, then the crossings of each channel.

M = unit/scale is a small multiple of a power of two, so that crossings can equal elements.
Crossing k lies in (least' + k, least' + k + 1] steps, with least' the smallest code less the
zero point.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_parts import accumulators, conv_parts
from aquant_ref.conformance.cases.layer_scales import exact_units, spread_of
from aquant_ref.conformance.cases.tensors import Row, by_case, odd
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

PARTS = 64  # of a step, in which borders are drawn


def _drawn(draw: CaseRandom, *, relu: int = 0, **geometry: Any) -> tuple[Row, Array]:
    """Draw a case with any crossings; return its elements (O, positions) in steps, too."""
    bits = draw.pick((2, 2, 4))
    low, high = draw.pick(((0, 15), (-8, 7), (0, 255)))
    row = conv_parts(draw, (low, high), **geometry)
    acc, outputs = accumulators(row), len(row["weight"])
    least = draw.pick((0, -(2 ** (bits - 1))))
    zero = odd(draw, least, least + 2**bits - 1)
    scales, factors, shifts = exact_units(draw, spread_of(acc), 2**bits - 1, outputs)
    bias = draw.integers(-spread_of(acc) // 4, spread_of(acc) // 4, (outputs,))
    cells = least - zero + np.arange(2**bits - 1)
    row |= scales
    row |= {
        "bias": bias * scales["x_scale"] * scales["weight_scale"],
        "relu": relu,
        "crossings": cells + draw.integers(1, PARTS, (outputs, len(cells))) / PARTS,
        "least": least,
    }
    return row, (acc + bias[:, None]) * np.ldexp(factors * 1.0, -shifts)[:, None]


def _at(draw: CaseRandom, _selection: Selection, *, beyond: bool = False, **geometry: Any) -> Row:
    """Put one crossing of each channel at an element, or just above it."""
    row, t = _drawn(draw, **geometry)
    crossings = row["crossings"]
    start = int(np.ceil(crossings[0, 0])) - 1
    for channel, values in enumerate(t):
        candidates = values[(values > start) & (values < start + crossings.shape[1])]
        if len(candidates):
            value = draw.pick(candidates.tolist())
            cell = int(np.ceil(value)) - 1 - start
            if beyond and value < start + cell + 1:
                value = float(np.nextafter(value, np.inf))
            crossings[channel, cell] = value
    return row


def _any(draw: CaseRandom, _selection: Selection, **geometry: Any) -> Row:
    row, _ = _drawn(draw, **geometry)
    return row


def _nearest(draw: CaseRandom, _selection: Selection) -> Row:
    """Draw borders of 1/2, and elements that are ties."""
    row, _ = _drawn(draw)
    crossings = row["crossings"]
    crossings[:] = np.ceil(crossings) - 0.5
    unit = row["x_scale"] * row["weight_scale"]
    acc = accumulators(row)
    for channel, values in enumerate(acc):
        target = draw.pick(crossings[channel].tolist()) * row["scale"]
        row["bias"][channel] = target - values[0] * unit[channel]
    return row


def _channels(draw: CaseRandom, _selection: Selection) -> Row:
    """Draw borders near 0 in one channel and near 1 in the next."""
    row, _ = _drawn(draw)
    cells = np.ceil(row["crossings"]) - 1
    border = np.where(np.arange(len(cells)) % 2 == draw.integer(0, 1), 1, PARTS - 1) / PARTS
    return {**row, "crossings": cells + border[:, None]}


EDGE: dict[str, Any] = {"size": (2, 1), "kernel": (3, 3), "padding": (1, 2, 1, 1)}

FAMILIES = (
    Family(
        "at_crossing",
        by_case(_at),
        "an element of each channel is its crossing: reached",
        ("border.strict", "border.argument", "border.coefficients"),
    ),
    Family(
        "below_crossing",
        by_case(partial(_at, beyond=True)),
        "a crossing just above an element",
        ("round.float32", "border.coefficients"),
    ),
    Family(
        "nearest",
        by_case(_nearest),
        "borders of 1/2: half_up, with ties",
        ("border.strict", "round.rule", "border.half"),
    ),
    Family(
        "channels",
        by_case(_channels),
        "borders near 0 and near 1 by turns",
        ("border.channel", "border.half", "border.argument"),
    ),
    Family(
        "relu",
        by_case(partial(_any, relu=1)),
        "a ReLU before the border",
        ("clamp.relu", "border.clip"),
    ),
    Family(
        "image_edge",
        by_case(partial(_any, **EDGE)),
        "an image smaller than its kernel",
        ("zero_point.padding", "axis.padding", "border.half"),
    ),
    Family(
        "random",
        by_case(_any),
        "any crossings",
        ("border.half", "border.clip", "border.channel", "zero_point.missing"),
    ),
)
