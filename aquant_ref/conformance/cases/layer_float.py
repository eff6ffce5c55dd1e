"""Choose scales and bias for a layer that an engine computes in float32."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import oracle
from aquant_ref.conformance.cases.layer_parts import accumulators
from aquant_ref.conformance.cases.layer_scales import (
    all_alike,
    finished,
    scaled,
    spread_of,
    zero_point,
)
from aquant_ref.conformance.expected.layer_peers import code_of
from aquant_ref.conformance.expected.refusal import Refused
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.cases.tensors import Row

FLOAT_BIAS = ("onednn", "fbgemm", "fbgemm_tensor", "qnnpack")  # any bias, not only whole units
# what each is told from beside a tie; more than once where that is rare
NEIGHBOURS = {
    "float32_product": ("float32", "qnnpack", "float32_zero_first"),
    "float32_zero_first": ("float32_product", "float32", "float64"),
    "onednn": ("fbgemm", "fbgemm_tensor", "qnnpack"),
    "fbgemm": ("fbgemm_tensor", "fbgemm_tensor", "qnnpack", "onednn"),
    "fbgemm_tensor": ("fbgemm", "fbgemm", "qnnpack", "onednn"),
    "qnnpack": ("fbgemm", "fbgemm_tensor", "onednn"),
    "tflite_16x8": ("float64",),
    "float64_product": ("float64_onnx", "float64_onnx", "float32_product", "float32_zero_first"),
}
TRIES = 16


def single(value: float) -> float:
    """Round to float32."""
    return float(np.float32(value))


def of_bits(draw: CaseRandom, bits: int, low: int, high: int) -> float:
    """Draw an odd number of so many bits times a power of two in 2^low..2^high."""
    mantissa = draw.integer(1 << (bits - 2), (1 << (bits - 1)) - 1) * 2 + 1
    return float(np.ldexp(mantissa, draw.integer(low, high) - bits + 1))


def settled_scale(scale: float) -> float:
    """Return a scale of 12 bits that is the reciprocal of its reciprocal in float32."""
    value = np.float32(oracle.to_float(Fraction(scale), 12, -149))
    step = np.ldexp(np.float32(1), int(np.frexp(value)[1]) - 12)
    while np.float32(1) / (np.float32(1) / value) != value:
        value -= step
    return float(value)


def settled(row: Row, draw: CaseRandom) -> Row:
    """Choose scales for which the order of multiplications does not matter (AQ-LAYER-3)."""
    power = 2.0 ** draw.integer(-8, -4)
    factor = power / row["x_scale"]
    weight_scale = np.array([settled_scale(each) for each in row["weight_scale"].tolist()])
    bias = [single(each * factor) for each in row["bias"].tolist()]
    scale = single(row["scale"] * factor)
    changed = {"x_scale": power, "weight_scale": weight_scale, "scale": scale}
    return {**row, **changed, "bias": np.array(bias)}


def beside_tie(row: Row, draw: CaseRandom, selection: Selection, ends: tuple[int, int]) -> Row:
    """Bring an element to a tie, but for rounding, where most neighbours have another code."""
    acc = accumulators(row)
    others = NEIGHBOURS[selection.profile]
    best, most = row, -1
    for _ in range(TRIES):
        channel, position = draw.integer(0, len(acc) - 1), draw.integer(0, acc.shape[1] - 1)
        made = _near(row, acc[:, position], draw, selection, ends)
        made, fields = _tuned(made, acc, draw, channel, position)
        value = int(acc[channel, position])
        right = _code(selection.profile, value, fields)
        unlike = sum(_code(other, value, fields) not in (right, None) for other in others)
        if unlike > most:
            best, most = made, unlike
        if most == len(others):
            break
    return best


def _near(
    row: Row, acc: Array, draw: CaseRandom, selection: Selection, ends: tuple[int, int]
) -> Row:
    """Draw scales whose product has 26 bits, and a bias.

    A real bias cancels most of the accumulators (O,), so that its own rounding shows.
    """
    plain = selection.profile == "onednn"
    weights = [of_bits(draw, 13, -12, -9) for _ in range(len(acc))]
    if plain:
        weights = [settled_scale(each) for each in weights]
    if all_alike(draw, selection):
        weights = weights[:1] * len(weights)
    x_scale = 2.0 ** draw.integer(-8, -4) if plain else of_bits(draw, 13, -8, -4)
    weight_scale = np.array(weights)
    scales: Row = {"x_scale": x_scale, "weight_scale": weight_scale, "scale": 1.0}
    size = 1 << draw.integer(8, 15)
    bias = draw.integers(-size, size, (len(acc),))
    inside = ends[0] + 1, ends[1] - 1
    made = finished(row, scales, bias, zero_point(draw, selection, inside), ends)
    if selection.profile in FLOAT_BIAS:
        left = abs(acc) // 2 ** draw.integer(2, 5)
        parts = draw.integers(-left, left, (len(acc),)) + draw.integer(-400, 400) / 1024
        reals = (parts - acc) * x_scale * weight_scale
        made["bias"] = np.array([single(each) for each in reals.tolist()])
    return made


def _tuned(
    made: Row, acc: Array, draw: CaseRandom, channel: int, position: int
) -> tuple[Row, dict[str, Any]]:
    """Choose the scale of the result; return the fields of the channel as well."""
    zero, low, high = made["zero_point"], made["qmin"], made["qmax"]
    unit = made["x_scale"] * made["weight_scale"][channel]
    real = float(acc[channel, position]) * unit + float(made["bias"][channel])
    steps = draw.integer(0, (high - zero if real >= 0 else zero - low) - 1) + 0.5
    scale = single(abs(real) / steps) or unit
    scale = float(np.float32(scale) + np.spacing(np.float32(scale)) * draw.integer(-2, 2))
    made = {**made, "scale": scale}
    names = ("x_scale", "scale", "zero_point", "qmin", "qmax")
    of_channel = {name: float(made[name][channel]) for name in ("weight_scale", "bias")}
    return made, {**{name: made[name] for name in names}, **of_channel}


def _code(profile: str, acc: int, fields: dict[str, Any]) -> int | None:
    """Return the code in a variation; None if it is refused."""
    try:
        if profile in ("float32", "float64", "float64_onnx"):
            unit = Fraction(fields["x_scale"]) * Fraction(fields["weight_scale"])
            total = acc + int(Fraction(fields["bias"]) / unit)
            ends = {name: fields[name] for name in ("zero_point", "qmin", "qmax")}
            return oracle.requantize_real(total, unit / Fraction(fields["scale"]), profile, **ends)
        return code_of(profile, acc, **fields)
    except Refused:
        return None


def powers(row: Row) -> Row:
    """Choose the next lower powers of two for all scales, with the same bias in units."""
    units = np.rint(row["bias"] / (row["x_scale"] * row["weight_scale"]))
    lower = {name: 2.0 ** np.floor(np.log2(row[name])) for name in ("x_scale", "scale")}
    weight_scale = 2.0 ** np.floor(np.log2(row["weight_scale"]))
    made = {name: float(value) for name, value in lower.items()}
    bias = units * (made["x_scale"] * weight_scale)
    return {**row, **made, "weight_scale": weight_scale, "bias": bias}


def fraction_bias(row: Row, draw: CaseRandom, selection: Selection, ends: tuple[int, int]) -> Row:
    """Make the bias k + 1/2 units, but for rounding, with units of 2 to 3 steps of the result."""
    made = scaled(row, draw, selection, ends)
    made = settled(made, draw) if selection.profile == "onednn" else made
    acc = accumulators(row)
    unit = made["x_scale"] * made["weight_scale"]
    made["scale"] = single(float(unit.max()) / (2 + draw.integer(0, 1023) / 1024))
    half = (ends[1] - ends[0]) // 6
    middle = draw.integers(-half, half, (len(acc),)) - acc[:, 0]
    middle[0] -= middle[0] % 2  # a tie that goes down
    reals = [np.float32(each) for each in ((middle + 0.5) * unit).tolist()]
    moved = [each + np.spacing(each) * draw.integer(-1, 1) for each in reals[1:]]
    return {**made, "bias": np.array([reals[0], *moved], np.float64)}


def wrapping(row: Row, draw: CaseRandom, selection: Selection, ends: tuple[int, int]) -> Row:
    """Bring accumulators across an end of int32, by a bias that float32 holds exactly."""
    made = scaled(row, draw, selection, ends)
    acc = accumulators(row)
    unit = np.array([2.0 ** np.floor(np.log2(each)) for each in made["weight_scale"].tolist()])
    made |= {"x_scale": 2.0**-6, "weight_scale": unit}
    steps = 2.0**31 - 128 * draw.integers(0, max(1, spread_of(acc) // 128), (len(acc),))
    sign = np.where(draw.integers(0, 1, (len(acc),)) == 1, 1, -1)
    steps[0], sign[0] = 2.0**32, 1  # which int32 does not hold, and which becomes 0 in it
    made["bias"] = sign * steps * 2.0**-6 * unit
    made["scale"] = single(float(unit.max()) * 2.0**-6 * 2.0**31 / ((ends[1] - ends[0]) * 0.4))
    return made
