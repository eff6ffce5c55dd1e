"""Cases of `conv2d`, `depthwise` and `linear`: from codes to codes, with a bias.

The bias of a channel is a whole number of its units, x_scale * weight_scale, whose product has at
most 24 bits (AQ-SNAP-1): so neither the bias in units nor a real accumulator is rounded in float64.
A tie is made by its bias: it brings one element of each channel to k + 1/2 steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import (
    Row,
    by_case,
    code_range,
    image,
    odd,
    scale,
    sizes,
    snapped,
)
from aquant_ref.conformance.draw import Array, One
from aquant_ref.conformance.judges.layers import convolved
from aquant_ref.conformance.selection import Selection
from aquant_ref.oracle import linear as product

ACC_MAX = 2**31 - 1

# What the layer reads: codes, weights and where its windows are


def weights(one: One, qmin: int, qmax: int, *shape: int) -> Array:
    """Signed weights of at most 8 bits, the ends among them."""
    end = 1 << min((qmax - qmin).bit_length(), 8) - 1
    return image(one, -end, end - 1, *shape)


def conv_parts(
    one: One,
    ends: tuple[int, int],
    *,
    depthwise: bool = False,
    groups: int = 1,
    size: tuple[int, int] | None = None,
    kernel: tuple[int, int] | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Row:
    """Codes, zero point, weights and windows of a convolution, all sizes unlike one another."""
    height, width = size or sizes(one)
    kh, kw = kernel or one.pick(((2, 2), (2, 1), (1, 2), (3, 2), (1, 1)))
    kh, kw = min(kh, height + sum(padding[:2])), min(kw, width + sum(padding[2:]))
    if depthwise:
        groups = one.pick((2, 3))
        members, each = 1, one.pick((1, 2))
    else:
        members, each = one.pick(
            ((2, 1), (1, 2), (2, 3)) if groups > 1 else ((2, 3), (3, 2), (1, 2))
        )
    row: Row = {
        "x": image(one, *ends, members * groups, height, width),
        "x_zero": odd(one, *ends),
        "weight": weights(one, *ends, each * groups, members, kh, kw),
        "stride": np.array(stride),
        "padding": np.array(padding),
        "dilation": np.array(dilation),
    }
    return row if depthwise else {**row, "groups": groups}


def linear_parts(one: One, ends: tuple[int, int]) -> Row:
    """Codes, zero point and weights of a linear layer, with other numbers of inputs and outputs."""
    inputs, outputs = one.pick(((5, 3), (3, 4), (7, 2), (2, 5), (9, 4)))
    return {
        "x": image(one, *ends, inputs),
        "x_zero": odd(one, *ends),
        "weight": weights(one, *ends, outputs, inputs),
    }


def accumulators(row: Row) -> Array:
    """(O, positions) int64, without the bias."""
    x, weight = row["x"] - row["x_zero"], row["weight"]
    if "weight_zero" in row:
        weight = weight - row["weight_zero"].reshape(-1, *(1,) * (weight.ndim - 1))
    if x.ndim == 1:
        acc = product(x.tolist(), weight.tolist())
    else:
        windows = {key: row[key].tolist() for key in ("stride", "padding", "dilation")}
        acc = convolved(x.tolist(), weight.tolist(), row.get("groups", len(x)), **windows)
    return np.array(acc, np.int64).reshape(len(weight), -1)


# What it makes of the accumulators: units, bias, the scale of the result


def spread_of(acc: Array) -> int:
    """The largest absolute accumulator, at least 1."""
    return max(1, int(abs(acc).max()))


def exact_units(
    one: One, spread: int, steps: int, outputs: int, *, alike: bool = False
) -> tuple[Row, Array, Array]:
    """Scales with M = factor / 2^shift exactly: these, and factor and shift of each channel."""
    factors = one.integers(0, 1 if steps >= 15 else 0, (outputs,)) * 2 + 1
    base = max(1, (2 * spread // steps).bit_length())
    shifts = base + one.integers(0, 2, (outputs,))
    if alike:
        factors[:], shifts[:] = factors[0], shifts[0]
    # a quotient by x_scale, which is no power of two, is rounded: a bias has to survive that
    odd_part, mantissa = one.pick((3, 5, 7)), one.integer(256, 511)
    scales = {
        "x_scale": float(np.ldexp(odd_part, one.integer(-11, -7))),
        "weight_scale": np.ldexp(factors * mantissa * 1.0, one.integer(-16, -12) - shifts),
    }
    scales["scale"] = float(scales["x_scale"] * scales["weight_scale"][0] / factors[0])
    scales["scale"] = float(np.ldexp(scales["scale"], int(shifts[0])))
    return scales, factors, shifts


def _alike(one: One, selection: Selection) -> bool:
    """Whether the scales of all channels are one; whether the layer may have one for each."""
    return one.pick(selection.granularity) == "tensor"


def tied(
    row: Row,
    one: One,
    selection: Selection,
    ends: tuple[int, int],
    *,
    beside: int = 0,
    spread: int = 1,
) -> Row:
    """One element of each channel is k + 1/2 steps, or `beside` accumulator steps away from it.

    Below zero and above by turns, where the zero point lets it; accumulators as large as `spread`.
    """
    acc, zero = accumulators(row), odd(one, *ends)
    alike = _alike(one, selection)
    scales, factors, shifts = exact_units(
        one, max(spread, spread_of(acc)), ends[1] - ends[0], len(acc), alike=alike
    )
    bias: list[int] = []
    for values, factor, shift in zip(acc, factors.tolist(), shifts.tolist(), strict=True):
        low, high = 2 * (ends[0] - zero) + 1, 2 * (ends[1] - zero) - 1  # of 2k + 1, inside
        if low < 0 < high:
            low, high = (low, -1) if len(bias) % 2 == 0 else (1, high)
        low, high = -(-low // factor), high // factor
        twice = one.integer(low, high) | 1
        twice = twice if twice <= high else twice - 2
        target = twice * 2 ** (shift - 1) + (one.pick((-beside, beside)) if beside else 0)
        bias.append(target - int(values[one.integer(0, len(values) - 1)]))
    return finished(row, scales, np.array(bias), zero, ends)


def finished(row: Row, scales: Row, bias: Array, zero: int, ends: tuple[int, int]) -> Row:
    """The whole case, its bias given in units."""
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
    one: One,
    selection: Selection,
    ends: tuple[int, int],
    *,
    unlike: int = 1,
    reach: float = 1.0,
) -> Row:
    """Any scales of 12 bits, those of the channels up to 2^unlike apart; `reach` ranges are met."""
    acc, zero = accumulators(row), odd(one, *ends)
    outputs, spread = len(acc), spread_of(acc)
    weight_scale = np.array([scale(one, -8 - unlike, -8) for _ in range(outputs)])
    if _alike(one, selection):
        weight_scale[:] = weight_scale[0]
    x_scale = scale(one)
    out = snapped(float(weight_scale.max()) * x_scale * spread / ((ends[1] - ends[0]) * reach))
    bias = one.integers(-spread // 2, spread // 2, (outputs,))
    return finished(
        row, {"x_scale": x_scale, "weight_scale": weight_scale, "scale": out}, bias, zero, ends
    )


def at_end(row: Row, one: One, selection: Selection, ends: tuple[int, int], beyond: int = 0) -> Row:
    """An accumulator of each channel is the first or last int32, or so many steps beyond it."""
    acc, zero = accumulators(row), odd(one, *ends)
    scales, _, _ = exact_units(
        one, ACC_MAX, ends[1] - ends[0], len(acc), alike=_alike(one, selection)
    )
    upper = one.integer(0, 1) == 1
    bias = ACC_MAX + beyond - acc.max(axis=1) if upper else -ACC_MAX - 1 - beyond - acc.min(axis=1)
    return finished(row, scales, bias, zero, ends)


Parts = Callable[..., Row]
Finish = Callable[..., Row]


def _layer(
    one: One, selection: Selection, *, parts: Parts, finish: Finish = scaled, **geometry: Any
) -> Row:
    ends = code_range(one, selection)
    return finish(parts(one, ends, **geometry), one, selection, ends)


def _edge(one: One, selection: Selection, *, parts: Parts) -> Row:
    """An image smaller than its kernel."""
    return _layer(
        one,
        selection,
        parts=parts,
        size=one.pick(((1, 1), (1, 2), (2, 1))),
        kernel=(3, 3),
        padding=one.pick(((1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1))),
    )


def _sides(one: One, selection: Selection, *, parts: Parts) -> Row:
    return _layer(
        one,
        selection,
        parts=parts,
        padding=one.pick(((0, 1, 2, 0), (2, 0, 0, 1), (1, 0, 2, 1), (0, 2, 1, 0))),
    )


def _strides(one: One, selection: Selection, *, parts: Parts) -> Row:
    stride = one.pick(((1, 2), (2, 1), (3, 2), (2, 3)))
    return _layer(one, selection, parts=parts, size=one.pick(((5, 6), (6, 5))), stride=stride)


def _dilations(one: One, selection: Selection, *, parts: Parts) -> Row:
    dilation = one.pick(((1, 2), (2, 1), (2, 3), (3, 2)))
    size = one.pick(((5, 4), (4, 5)))
    return _layer(one, selection, parts=parts, size=size, kernel=(2, 2), dilation=dilation)


def _groups(one: One, selection: Selection, *, parts: Parts) -> Row:
    return _layer(one, selection, parts=parts, size=(2, 3), groups=one.pick((2, 3)))


def _weight_zero(one: One, selection: Selection, *, parts: Parts) -> Row:
    """Weights are codes with a zero point of their own, one for each channel."""
    ends = code_range(one, selection)
    row = parts(one, ends)
    outputs = len(row["weight"])
    high = (1 << min((ends[1] - ends[0]).bit_length(), 8)) - 1
    row["weight"] = image(one, 0, high, *row["weight"].shape)
    row["weight_zero"] = np.array([odd(one, 0, high) for _ in range(outputs)])
    return scaled(row, one, selection, ends)


def _type_ends(one: One, selection: Selection, *, parts: Parts) -> Row:
    """All codes and weights at one of their ends, neighbours mostly at the same."""
    ends = code_range(one, selection)
    row = parts(one, ends)
    for name in ("x", "weight"):
        values = row[name]
        runs = one.integers(0, 1, (-(-values.size // 4),)).repeat(4)[: values.size]
        row[name] = np.where(runs.reshape(values.shape) == 1, values.max(), values.min())
    row["x"] = np.where(row["x"] == row["x"].max(), ends[1], ends[0])
    return scaled(row, one, selection, ends)


def _relu(one: One, selection: Selection, *, parts: Parts, six: bool = False) -> Row:
    row = _layer(one, selection, parts=parts)
    row["qmin"] = row["zero_point"]
    if six:
        row["qmax"] = one.integer(row["qmin"], row["qmax"] - 1)
    return row


# (flag, how, what it is, what it catches); `how` gets the parts of the layer
COMMON: list[tuple[str, Callable[..., Row], str, tuple[str, ...]]] = [
    (
        "tie",
        partial(_layer, finish=tied),
        "an element of each channel is k + 1/2 steps exactly",
        ("round.rule", "zero_point.order", "bias.order", "bias.floor"),
    ),
    (
        "near_tie",
        partial(_layer, finish=partial(tied, beside=1)),
        "an accumulator beside such a tie",
        ("round.cast", "round.truncation", "round.twice"),
    ),
    (
        "wide_near_tie",
        partial(_layer, finish=partial(tied, beside=1, spread=1 << 26)),
        "an accumulator of up to 30 bits beside a tie",
        ("round.float32", "bias.overflow", "accumulator.narrow"),
    ),
    (
        "channel_scales",
        partial(_layer, finish=partial(scaled, unlike=5)),
        "scales of the channels that are up to 64 times apart, and biases",
        ("axis.scale", "bias.scale", "bias.order", "multiplier.shift"),
    ),
    (
        "accumulator_end",
        partial(_layer, finish=at_end),
        "accumulators at an end of int32",
        ("accumulator.wrap", "bias.overflow"),
    ),
    (
        "type_end",
        _type_ends,
        "all codes and weights at an end of their type, neighbours mostly at the same one",
        ("accumulator.pairs", "accumulator.narrow", "clamp.wrap", "zero_point.offset"),
    ),
    (
        "weight_zero",
        _weight_zero,
        "weights with zero points of their own, one a channel",
        ("zero_point.cross_terms", "zero_point.missing", "axis.scale"),
    ),
    ("relu", _relu, "qmin is the zero point", ("clamp.relu", "clamp.dropped")),
    ("relu6", partial(_relu, six=True), "qmax is lower too", ("clamp.dropped", "clamp.relu")),
    (
        "saturation",
        partial(_layer, finish=partial(scaled, reach=8)),
        "most elements are beyond the range",
        ("clamp.wrap", "clamp.levels", "zero_point.clip"),
    ),
    (
        "random",
        _layer,
        "any codes, unequal scales, odd zero points, sizes unlike one another",
        ("axis.layout", "axis.columns", "axis.kernel", "zero_point.missing", "zero_point.offset"),
    ),
]
WINDOWS: list[tuple[str, Callable[..., Row], str, tuple[str, ...]]] = [
    (
        "image_edge",
        _edge,
        "an image smaller than its kernel, and an odd zero point",
        ("zero_point.padding", "zero_point.cross_terms", "axis.padding"),
    ),
    (
        "four_paddings",
        _sides,
        "another padding on each side",
        ("axis.padding", "zero_point.padding", "zero_point.cross_terms"),
    ),
    ("strides", _strides, "another stride on each axis", ("axis.stride",)),
    ("dilations", _dilations, "another dilation on each axis", ("axis.dilation",)),
]
GROUPS: list[tuple[str, Callable[..., Row], str, tuple[str, ...]]] = [
    ("groups", _groups, "several groups of unlike sizes", ("axis.groups", "axis.scale")),
]


def _families(
    kinds: list[tuple[str, Callable[..., Row], str, tuple[str, ...]]], parts: Parts
) -> tuple[Family, ...]:
    ordinary = [
        Family(flag, by_case(partial(how, parts=parts)), description, catches)
        for flag, how, description, catches in kinds
    ]
    beyond = Family(
        "beyond_int32",
        by_case(partial(_layer, parts=parts, finish=partial(at_end, beyond=1))),
        "an accumulator one beyond int32",
        ("input.accepted",),
        rejects=True,
    )
    return (*ordinary, beyond)


CONV2D = _families([*COMMON, *WINDOWS, *GROUPS], conv_parts)
DEPTHWISE = _families([*COMMON, *WINDOWS], partial(conv_parts, depthwise=True))
LINEAR = _families(COMMON, linear_parts)
