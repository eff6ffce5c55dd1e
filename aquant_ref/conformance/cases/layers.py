"""Make cases of `conv2d`, `depthwise` and `linear`: from codes to codes, with a bias.

The bias makes a tie: it brings one element of each channel to k + 1/2 steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_parts import conv_parts, linear_parts
from aquant_ref.conformance.cases.layer_scales import at_end, scaled, tied
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Parts = Callable[..., Row]
Finish = Callable[..., Row]


def _layer(
    draw: CaseRandom,
    selection: Selection,
    *,
    parts: Parts,
    finish: Finish = scaled,
    **geometry: Any,
) -> Row:
    ends = code_range(draw, selection)
    return finish(parts(draw, ends, **geometry), draw, selection, ends)


def _edge(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    """Draw an image smaller than its kernel."""
    return _layer(
        draw,
        selection,
        parts=parts,
        size=draw.pick(((1, 1), (1, 2), (2, 1))),
        kernel=(3, 3),
        padding=draw.pick(((1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1))),
    )


def _sides(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    return _layer(
        draw,
        selection,
        parts=parts,
        padding=draw.pick(((0, 1, 2, 0), (2, 0, 0, 1), (1, 0, 2, 1), (0, 2, 1, 0))),
    )


def _strides(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    stride = draw.pick(((1, 2), (2, 1), (3, 2), (2, 3)))
    return _layer(draw, selection, parts=parts, size=draw.pick(((5, 6), (6, 5))), stride=stride)


def _dilations(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    dilation = draw.pick(((1, 2), (2, 1), (2, 3), (3, 2)))
    size = draw.pick(((5, 4), (4, 5)))
    return _layer(draw, selection, parts=parts, size=size, kernel=(2, 2), dilation=dilation)


def _groups(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    return _layer(draw, selection, parts=parts, size=(2, 3), groups=draw.pick((2, 3)))


def _weight_zero(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    """Make weights unsigned codes with one zero point for each channel."""
    ends = code_range(draw, selection)
    row = parts(draw, ends)
    outputs = len(row["weight"])
    high = (1 << min((ends[1] - ends[0]).bit_length(), 8)) - 1
    row["weight"] = image(draw, 0, high, *row["weight"].shape)
    row["weight_zero"] = np.array([odd(draw, 0, high) for _ in range(outputs)])
    return scaled(row, draw, selection, ends)


def _type_ends(draw: CaseRandom, selection: Selection, *, parts: Parts) -> Row:
    """Put all codes and weights at an end of their range, neighbours mostly at the same one."""
    ends = code_range(draw, selection)
    row = parts(draw, ends)
    for name in ("x", "weight"):
        values = row[name]
        runs = draw.integers(0, 1, (-(-values.size // 4),)).repeat(4)[: values.size]
        row[name] = np.where(runs.reshape(values.shape) == 1, values.max(), values.min())
    row["x"] = np.where(row["x"] == row["x"].max(), ends[1], ends[0])
    return scaled(row, draw, selection, ends)


def _relu(draw: CaseRandom, selection: Selection, *, parts: Parts, six: bool = False) -> Row:
    row = _layer(draw, selection, parts=parts)
    row["qmin"] = row["zero_point"]
    if six:
        row["qmax"] = draw.integer(row["qmin"], row["qmax"] - 1)
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
