"""Make matrix products that part variations, that have three batches, and large sums of codes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_float import of_bits, single
from aquant_ref.conformance.cases.matmul import codes, finished, scaled
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range
from aquant_ref.conformance.expected.layers import coded
from aquant_ref.conformance.expected.refusal import Refused

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

EDITION = 4
TRIES = 1200
# What one element of each is told from, all at once.
RIVALS = {
    "ideal": ("exact",),
    "exact": ("ideal", "tflite_up"),
    "tflite_single": ("ideal", "tflite_up", "float32"),
    "tflite_up": ("exact", "tflite_away"),
    "tflite_away": ("exact", "tflite_up", "float32", "float64"),
    "float32": ("ideal", "exact"),
    "float64": ("ideal", "exact", "float64_onnx"),
    "float64_onnx": ("ideal", "exact", "float64"),
}
# Engines derive this multiplier in float32, scale by scale: here it is a float32 number.
ENGINES = ("float32", "float64_onnx")
BATCH_OF_3 = ((3, 2, 3, 2), (3, 1, 4, 3), (3, 3, 2, 1))
LONG = ((1, 1, 150, 1), (1, 1, 170, 1))
FAR = 255  # steps of codes from their zero point, so that sums pass 2^15, and none int32


def _apart(draw: CaseRandom, selection: Selection) -> Row:
    """Choose scales for which an element has another code in each rival; the last that are tried.

    Every other scales have few bits, so that an element can be a tie.
    """
    ends = code_range(draw, selection)
    row, acc = codes(draw, ends, ((1, 3, 3, 3),))
    values = [value for value in acc.ravel().tolist() if value] or [1]
    own = finished(draw, row, ends, (1.0, 1.0, 1.0))
    of_case = {name: own[name] for name in ("zero_point", "qmin", "qmax")}
    low, high = ends[0] - own["zero_point"], ends[1] - own["zero_point"]
    engine = selection.profile in ENGINES
    if engine:
        values = [_power(draw, row, ends)]
        own |= {name: row[name] for name in ("a", "b")}
    scales = 1.0, 1.0, 1.0
    for attempt in range(TRIES):
        bits = 3 if engine or attempt % 2 else 24
        a, b = of_bits(draw, bits, -8, -4), of_bits(draw, bits, -8, -4)
        value = draw.pick(values)
        steps = draw.integer(0, max(1, -low if value < 0 else high) - 1) + Fraction(1, 2)
        scale = single(float(abs(value) * Fraction(a) * Fraction(b) / steps))
        if engine and not _one_number((a, b, scale)):
            continue
        scales = a, b, scale
        rivals = RIVALS[selection.profile]
        if all(_parted(selection.profile, each, value, scales, of_case) for each in rivals):
            break
    return {**own, **dict(zip(("a_scale", "b_scale", "scale"), scales, strict=True))}


def _power(draw: CaseRandom, row: Row, ends: tuple[int, int]) -> int:
    """Make the first element a power of two, and return it."""
    product = 1
    for name, line in (("a", np.s_[0, 0, :]), ("b", np.s_[0, :, 0])):
        zero = row[f"{name}_zero"]
        sign = 1 if ends[1] - zero > zero - ends[0] else -1
        most = max(zero - ends[0], ends[1] - zero).bit_length() - 1
        power = sign << draw.integer(max(0, most - 2), most)
        row[name][line] = zero
        row[name][line][0] = zero + power
        product *= power
    return product


def _one_number(scales: tuple[float, float, float]) -> bool:
    """Tell whether the multiplier is a float32, in whatever order it is computed."""
    unit = Fraction(scales[0]) * Fraction(scales[1])
    m = unit / Fraction(scales[2])
    return Fraction(single(float(unit))) == unit and Fraction(single(float(m))) == m


def _parted(
    own: str, rival: str, acc: int, scales: tuple[float, float, float], of_case: dict[str, Any]
) -> bool:
    a, b, scale = scales
    given: dict[str, Any] = {"x_scale": a, "weight_scale": [b], "bias": [0.0], "scale": scale}
    try:
        one, other = (coded([[acc]], profile=p, **given, **of_case) for p in (own, rival))
    except Refused:
        return False
    return bool(one != other)


def _three(draw: CaseRandom, selection: Selection) -> Row:
    return scaled(draw, selection, sizes=BATCH_OF_3)


def _zero_sums(draw: CaseRandom, selection: Selection) -> Row:
    """Draw codes far above zero points that are at an end, and long sums."""
    row = scaled(draw, selection, sizes=LONG)
    low = row["qmin"]
    steps = min(FAR, row["qmax"] - low)
    for name in ("a", "b"):
        shape = row[name].shape
        row[name] = low + draw.integers(steps - steps // 4, steps, shape)
        row[f"{name}_zero"] = low
    acc = (row["a"] - low) @ (row["b"] - low)
    out = row["a_scale"] * row["b_scale"] * int(acc.max()) / ((row["qmax"] - low) * 0.75)
    return {**row, "scale": single(out), "zero_point": low + 1}


FAMILIES = (
    Family(
        "apart",
        by_case(_apart),
        "an element has another code in a neighbouring variation; scales of many bits",
        ("round.rule", "round.twice", "round.float32", "multiplier.reduced"),
        edition=EDITION,
        stored=1,
    ),
    Family(
        "batch_of_3",
        by_case(_three),
        "three batches whose matrices differ",
        ("axis.batch", "axis.layout"),
        edition=EDITION,
        stored=1,
    ),
    Family(
        "zero_sums",
        by_case(_zero_sums),
        "sums of codes, which meet a zero point, that pass 2^15",
        ("accumulator.narrow", "zero_point.cross_terms"),
        edition=EDITION,
        stored=1,
    ),
)
