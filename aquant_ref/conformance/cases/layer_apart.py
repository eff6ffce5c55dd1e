"""Make layers for which neighbouring variations have different codes, each in a channel of its own.

Scales of few bits hide how a multiplier is derived: x_scale*weight_scale is then a float32 number.
Here it has 26 bits where it is computed in float32, and the scale of the result has 24. The bias is
a whole number of units, exact in float64. It brings an accumulator beside a tie, where the last bit
of a multiplier decides.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.features import isolated
from aquant_ref.conformance.cases.layer_float import of_bits, settled_scale, single
from aquant_ref.conformance.cases.layer_large import accumulators, conv, depthwise, linear
from aquant_ref.conformance.cases.layer_scales import all_alike, finished, zero_point
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, snapped
from aquant_ref.conformance.expected.layers import coded
from aquant_ref.conformance.expected.refusal import Refused

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

EDITION = 4
DRAWS, TIES, TRIED = 24, 96, 6  # of scales, of ties for a channel, and of those the closest ones
IN_FLOAT32 = (13, 26)  # bits of scales and of accumulators
IN_MORE = (12, 28)  # a mantissa of 31 bits shows in large accumulators alone

SINGLE = "itself with a multiplier in float32"
UNIT = "itself with x_scale*weight_scale in float32"
# What each is told from; one channel each.
RIVALS: dict[str, tuple[str, ...]] = {
    "ideal": ("exact", SINGLE),
    "exact": ("ideal", SINGLE),
    "tflite_single": ("ideal", SINGLE),
    "tflite_up": ("exact", "tflite_away", SINGLE),
    "tflite_away": ("exact", "tflite_up", SINGLE),
    "float32": ("float32_product", "fbgemm", "fbgemm_tensor", "qnnpack"),
    "float64": ("exact", "float32"),
    "float64_onnx": ("float64_product", "exact", "float32_zero_first"),
    "float32_product": ("float32", "fbgemm", "fbgemm_tensor", "qnnpack"),
    "float32_zero_first": ("onednn", "float32_product"),
    "onednn": ("float64_onnx", "float32_zero_first", "fbgemm"),
    "fbgemm": ("float32", "float32_product", "fbgemm_tensor"),
    "fbgemm_tensor": ("float32", "float32_product", "fbgemm"),
    "qnnpack": ("float32", "float32_product", "fbgemm"),
    "float64_product": ("float64_onnx", "float32_product", "float32_zero_first"),
}


def apart(
    draw: CaseRandom,
    selection: Selection,
    *,
    parts: Callable[..., Row],
    rivals: tuple[str, ...] = (),
) -> Row:
    """Draw scales until every channel parts its rival; return the best that was drawn.

    Rivals that are given are parted by scales of `IN_FLOAT32` bits.
    """
    in_more = not rivals and selection.profile in contract.LAYER_VARIATIONS
    size = IN_MORE if in_more and selection.profile != "float32" else IN_FLOAT32
    rivals, ends = rivals or RIVALS[selection.profile], code_range(draw, selection)
    row = parts(draw, ends, outputs=len(rivals))
    acc, zero = accumulators(row)[:, 0].tolist(), zero_point(draw, selection, ends)
    of_case = {"zero_point": zero, "qmin": ends[0], "qmax": ends[1]}
    best, most = {**row}, -1
    for _ in range(DRAWS):
        scales, found = _scales(draw, selection, ends, len(rivals), size), []
        for k, (rival, value) in enumerate(zip(rivals, acc, strict=True)):
            fields = {**scales, "weight_scale": [float(scales["weight_scale"][k])], **of_case}
            bias = _bias(draw, (selection.profile, rival), value, fields)
            if bias is None:
                break
            found.append(bias)
        if len(found) > most:
            units = np.array(found + [0] * (len(rivals) - len(found)))
            best, most = finished(row, scales, units, zero, ends), len(found)
        if most == len(rivals):
            break
    return best


def _scales(
    draw: CaseRandom,
    selection: Selection,
    ends: tuple[int, int],
    outputs: int,
    sizes: tuple[int, int],
) -> Row:
    """Draw scales with which accumulators of so many bits fill the range."""
    (bits, size), plain = sizes, selection.profile == "onednn"
    weights = [of_bits(draw, bits, -12, -9) for _ in range(outputs)]
    if plain:
        weights = [settled_scale(each) for each in weights]
    if all_alike(draw, selection):
        weights = weights[:1] * len(weights)
    x_scale = 2.0 ** draw.integer(-8, -4) if plain else of_bits(draw, bits, -8, -4)
    reach = (1 + draw.integer(0, 2**20) / 2**20) * 2.0**size / (ends[1] - ends[0])
    out = snapped(max(weights) * x_scale * reach)
    return {"x_scale": x_scale, "weight_scale": np.array(weights), "scale": out}


def _bias(draw: CaseRandom, both: tuple[str, str], acc: int, fields: dict[str, Any]) -> int | None:
    """Return the bias in units with which both variations have different codes, if there is one."""
    unit = Fraction(fields["x_scale"]) * Fraction(fields["weight_scale"][0])
    step, zero = Fraction(fields["scale"]) / unit, fields["zero_point"]
    (own, rival), other = both, fields
    if rival in (SINGLE, UNIT):
        rival, other = own, _with_single(fields, unit_alone=rival == UNIT)
    k = draw.integers(fields["qmin"] - zero, fields["qmax"] - zero - 1, (TIES,))
    ties = (np.unique(k) + 0.5) * float(step)  # in units
    nearest = np.rint(ties)
    closest = np.argsort(abs(ties - nearest), kind="stable")[:TRIED]
    for total in nearest[closest].astype(np.int64).tolist():
        bias = total - acc
        codes = {
            _code(own, acc, float(bias * unit), fields),
            _code(rival, acc, bias * other["x_scale"] * other["weight_scale"][0], other),
        }
        if len(codes) == 2 and None not in codes:
            return bias
    return None


def _code(profile: str, acc: int, bias: float, fields: dict[str, Any]) -> int | None:
    """Return the code in a variation; None if it is refused."""
    try:
        ((code,),) = coded([[acc]], bias=[bias], profile=profile, **fields)
    except Refused:
        return None
    return int(code)


def _with_single(fields: dict[str, Any], *, unit_alone: bool) -> dict[str, Any]:
    """Return scales with the unit in float32, and the multiplier that float32 makes of it."""
    unit = single(fields["x_scale"] * fields["weight_scale"][0])
    if unit_alone:
        return {**fields, "x_scale": unit, "weight_scale": [1.0]}
    m = float(np.float32(unit) / np.float32(fields["scale"]))
    return {**fields, "x_scale": m, "weight_scale": [1.0], "scale": 1.0}


def _families(parts: Callable[..., Row]) -> dict[str, tuple[Family, ...]]:
    """Return the family for each variation; that of "" is the one of requantizations."""

    def family(against: str) -> tuple[Family, ...]:
        return (
            Family(
                "apart",
                by_case(isolated(partial(apart, parts=parts))),
                f"each channel has another code in {against}; scales of many bits",
                CATCHES,
                edition=EDITION,
                lacks=("tie",),
            ),
        )

    wide = Family(
        "wide_scales",
        by_case(isolated(partial(apart, parts=parts, rivals=(UNIT, SINGLE)))),
        "x_scale*weight_scale has 26 bits; rounded to float32 it makes another code",
        ("multiplier.float32",),
        edition=EDITION + 1,
        lacks=("tie",),
    )
    told = {p: " and ".join(dict.fromkeys(RIVALS[p])) for p in PROFILES}
    return {"": (*family("a neighbouring variation"), wide)} | {
        p: family(told[p]) for p in PROFILES
    }


CATCHES = (
    *("multiplier.float32", "multiplier.reduced"),
    *("round.float64", "round.float32", "round.twice", "bias.floor"),
)
PROFILES = tuple(each for each in RIVALS if each not in contract.LAYER_VARIATIONS)
CONV2D = _families(partial(conv, products=2, columns=1, kernel=(1, 1)))
DEPTHWISE = _families(partial(depthwise, columns=1, kernel=(1, 1)))
LINEAR = _families(partial(linear, products=2))
