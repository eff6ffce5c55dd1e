"""Make cases of layers as other engines compute them: codes of at most 8 bits, float32 scales.

The engines agree on most accumulators and part beside ties. So the scale of the result is chosen to
bring an element within the last bits of a tie, where a neighbouring variation has another code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_float import (
    FLOAT_BIAS,
    beside_tie,
    fraction_bias,
    powers,
    settled,
    wrapping,
)
from aquant_ref.conformance.cases.layer_parts import conv_parts, linear_parts
from aquant_ref.conformance.cases.layer_scales import scaled, tied
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Make = Callable[..., Row]


def _layer(
    draw: CaseRandom,
    selection: Selection,
    *,
    parts: Callable[..., Row],
    finish: Callable[..., Row],
    **geometry: Any,
) -> Row:
    ends = code_range(draw, selection)
    row = parts(draw, ends, **geometry)
    if selection.profile in SYMMETRIC:
        row["x_zero"] = 0
    return finish(row, draw, selection, ends)


def _scaled(*given: Any, **more: Any) -> Row:
    """Draw scales of 12 bits, as the engine of the variation takes them."""
    row = scaled(*given, **more)
    if given[2].profile == "power_of_two":
        return powers(row)
    return settled(row, given[1]) if given[2].profile == "onednn" else row


def _tied(*given: Any, **more: Any) -> Row:
    power = given[2].profile == "power_of_two"
    plain = given[2].profile == "onednn" or power
    return tied(*given, plain=plain, powers=power, **more)


def _weight_zero(draw: CaseRandom, selection: Selection, *, parts: Make, finish: Make) -> Row:
    """Make weights unsigned codes with one zero point for each channel."""
    ends = code_range(draw, selection)
    row = parts(draw, ends)
    high = (1 << (ends[1] - ends[0]).bit_length()) - 1
    row["weight"] = image(draw, 0, high, *row["weight"].shape)
    row["weight_zero"] = np.array([odd(draw, 0, high) for _ in row["weight"]])
    return finish(row, draw, selection, ends)


def _relu6(draw: CaseRandom, selection: Selection, *, parts: Make, finish: Make) -> Row:
    row = _layer(draw, selection, parts=parts, finish=finish)
    row["qmin"] = row["zero_point"]
    row["qmax"] = draw.integer(row["qmin"], row["qmax"] - 1)
    return row


def _windows(
    draw: CaseRandom, selection: Selection, *, parts: Make, finish: Make, grouped: bool
) -> Row:
    """Draw unlike strides, dilations and paddings, so that most windows reach over an edge."""
    geometry: dict[str, Any] = {"groups": draw.pick((1, 2))} if grouped else {}
    return _layer(
        draw,
        selection,
        parts=parts,
        finish=finish,
        size=draw.pick(((4, 3), (3, 4))),
        kernel=(2, 2),
        stride=draw.pick(((1, 2), (2, 1))),
        dilation=draw.pick(((1, 2), (2, 1), (1, 1))),
        padding=draw.pick(((0, 1, 2, 0), (2, 0, 0, 1), (1, 0, 2, 1), (0, 2, 1, 0))),
        **geometry,
    )


def _no_scale(draw: CaseRandom, selection: Selection, *, parts: Make, finish: Make) -> Row:
    row = _layer(draw, selection, parts=parts, finish=finish)
    bad = draw.pick((1e-46, 2.0**-127, 2.0**127, 0.0, -1.0))
    name = draw.pick(("x_scale", "weight_scale", "scale"))
    return {**row, name: row[name] * 0 + bad}


def _zero_points(draw: CaseRandom, selection: Selection, *, parts: Make, finish: Make) -> Row:
    row = _layer(draw, selection, parts=parts, finish=finish)
    return {**row, draw.pick(("x_zero", "zero_point")): odd(draw, -9, 9)}


def _no_power(draw: CaseRandom, selection: Selection, *, parts: Make, finish: Make) -> Row:
    row = _layer(draw, selection, parts=parts, finish=finish)
    return {**row, "scale": row["scale"] * draw.pick((1.5, 1.25, 3.0))}


BESIDE_TIE = (
    "round.float64",
    "multiplier.float32",
    "zero_point.order",
    "round.twice",
    "round.rule",
)
# (flag, how, what it is, what it catches); `how` gets the parts of the layer
COMMON: list[tuple[str, Make, str, tuple[str, ...]]] = [
    (
        "tie",
        partial(_layer, finish=_tied),
        "an element of each channel is k + 1/2 steps exactly, with an odd zero point",
        ("round.rule", "zero_point.order", "round.truncation", "bias.order"),
    ),
    (
        "beside_tie",
        partial(_layer, finish=beside_tie),
        "the scale brings an element within the last bits of a tie",
        BESIDE_TIE,
    ),
    (
        "channel_scales",
        partial(_layer, finish=partial(_scaled, unlike=5)),
        "scales of the channels that are up to 64 times apart, and biases",
        ("axis.scale", "bias.scale", "bias.order"),
    ),
    (
        "weight_zero",
        partial(_weight_zero, finish=_scaled),
        "weights with zero points of their own, one a channel",
        ("zero_point.cross_terms", "zero_point.missing", "axis.scale"),
    ),
    (
        "relu6",
        partial(_relu6, finish=_scaled),
        "qmin is the zero point, and qmax is lower",
        ("clamp.dropped", "clamp.relu"),
    ),
    (
        "saturation",
        partial(_layer, finish=partial(_scaled, reach=8)),
        "most elements are beyond the range",
        ("clamp.wrap", "clamp.levels", "zero_point.clip"),
    ),
]
FRACTION = (
    "fraction_bias",
    partial(_layer, finish=fraction_bias),
    "the bias is a whole number of units and a half, or beside it; a unit has several steps",
    ("bias.floor", "bias.scale", "round.rule", "round.reciprocal"),
)
WRAPPING = (
    "wrapping",
    partial(_layer, finish=wrapping),
    "accumulators that wrap where the bias is added, and those beside them",
    ("bias.overflow",),
)
WIDE = (
    "wide_tie",
    partial(_layer, finish=partial(_tied, spread=1 << 35)),
    "a tie of an accumulator of up to 38 bits",
    ("accumulator.wrap", "bias.overflow", "accumulator.narrow"),
)
NEAR = (
    "near_tie",
    partial(_layer, finish=partial(_tied, beside=1)),
    "an accumulator beside a tie",
    ("round.twice", "round.cast"),
)
RANDOM = (
    "random",
    partial(_layer, finish=_scaled),
    "any codes, unequal scales, odd zero points",
    ("axis.layout", "zero_point.missing", "zero_point.offset", "zero_point.clip"),
)


def _windows_row(grouped: bool) -> tuple[str, Make, str, tuple[str, ...]]:
    return (
        "windows",
        partial(_windows, finish=_scaled, grouped=grouped),
        "unlike strides, dilations and paddings of an odd zero point",
        ("axis.stride", "axis.padding", "axis.dilation", "zero_point.padding", "axis.kernel"),
    )


def families(profile: str, parts: Make, windows: bool = False, grouped: bool = False) -> Any:
    """Return the families of one layer in a variation."""
    left_out = LEFT_OUT.get(profile, ())
    kinds = [row for row in COMMON if row[0] not in left_out]
    kinds += [_windows_row(grouped) if windows else RANDOM] + [WIDE] * (profile in SYMMETRIC)
    kinds += [NEAR] * (profile == "power_of_two")
    kinds += [FRACTION] * (profile in FLOAT_BIAS) + [WRAPPING] * (profile == "qnnpack")
    of_flag = {"beside_tie": (*ALSO.get(profile, ()), *BESIDE_TIE)}
    ordinary = [
        Family(flag, by_case(partial(how, parts=parts)), text, of_flag.get(flag, catches))
        for flag, how, text, catches in kinds
    ]
    flag, how, description = REFUSED.get(profile, NO_SCALE)
    make = by_case(partial(how, parts=parts, finish=_scaled))
    refused = Family(flag, make, description, ("input.accepted",), rejects=True)
    return (*ordinary, refused)


SYMMETRIC = ("tflite_16x8",)
ALSO = {"tflite_16x8": ("multiplier.reduced",), "float64_product": ("round.float32",)}
LEFT_OUT = {
    "tflite_16x8": ("weight_zero",),
    "power_of_two": ("beside_tie",),
    "float64_product": ("channel_scales",),  # which its ties have
}
NO_SCALE = (
    "no_scale",
    _no_scale,
    "scales that no normal float32 is, or whose reciprocal is none",
)
REFUSED = {
    "tflite_16x8": ("zero_points", _zero_points, "a zero point that is not 0"),
    "power_of_two": ("no_power", _no_power, "a multiplier that is no power of two"),
}
PROFILES = (
    "float32_product",
    "float32_zero_first",
    "onednn",
    "fbgemm",
    "fbgemm_tensor",
    "qnnpack",
    "tflite_16x8",
    "power_of_two",
    "float64_product",
)
DEPTHWISE_PARTS = partial(conv_parts, depthwise=True)
CONV2D = {p: families(p, conv_parts, windows=True, grouped=True) for p in PROFILES}
DEPTHWISE = {p: families(p, DEPTHWISE_PARTS, windows=True) for p in PROFILES}
LINEAR = {p: families(p, linear_parts) for p in PROFILES}
