"""Make cases of `add` as other engines compute it: codes of at most 8 bits, float32 scales.

The engines agree on most sums and part beside ties. So the scale of the result is chosen to bring
the sum within the last bits of a tie.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases import add
from aquant_ref.conformance.cases.family import Columns, Family, between

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def _beside_ties(draw: Draw, selection: Selection, *, reach: int) -> Columns:
    """Choose the scale so that the sum is a tie, up to `reach` last bits of that scale."""
    scales = draw.scales(-7, -6), draw.scales(-7, -6)
    columns = add.columns_of(draw, selection, *scales, scales[0])
    qmin, qmax = columns["qmin"], columns["qmax"]
    low = between(draw, qmin, qmax - 1) - columns["zero_point"]
    for name in ("a", "b"):
        zero = columns[f"{name}_zero"]
        upper = between(draw, zero, qmax)
        columns[name] = np.where(low >= 0, upper, between(draw, qmin, zero))
    real = sum(
        (columns[name] - columns[f"{name}_zero"]) * columns[f"{name}_scale"] for name in ("a", "b")
    )
    nearest = np.where(real == 0, scales[0], real / (low + 0.5)).astype(np.float32)
    moved = (nearest.view(np.int32) + draw.integers(-reach, reach)).astype(np.int32)
    return {**columns, "scale": moved.view(np.float32).astype(np.float64)}


def _no_scale(draw: Draw, selection: Selection) -> Columns:
    columns = add.random(draw, selection)
    name = draw.integers(0, 2)
    bad = draw.pick((1e-46, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0))
    return {
        **columns,
        **{
            each: np.where(name == k, bad, columns[each])
            for k, each in enumerate(("a_scale", "b_scale", "scale"))
        },
    }


def _ratios(draw: Draw, selection: Selection, *, factors: tuple[float, ...]) -> Columns:
    columns = add.random(draw, selection)
    return {
        **columns,
        "b_scale": columns["a_scale"],
        "scale": columns["a_scale"] * draw.pick(factors),
    }


ROUNDED = ("round.rule", "zero_point.order", "round.float64", "round.twice", "round.reciprocal")
ORDINARY = (
    Family(
        "tie",
        add.ties,
        "the sum is k + 1/2 steps exactly, with unequal scales",
        ("round.rule", "zero_point.order", "add.branch_rounded", "add.one_scale"),
    ),
    Family(
        "beside_tie",
        partial(_beside_ties, reach=2),
        "the scale brings the sum within the last bits of a tie",
        ROUNDED,
    ),
    Family(
        "near_tie",
        partial(_beside_ties, reach=32),
        "within 2^-18 of a tie, so that multipliers of 20 bits matter",
        ("multiplier.range", "round.twice", "round.rule"),
    ),
    Family(
        "opposite",
        add.opposite,
        "each branch is outside the range, their sum inside",
        ("add.branch_clipped", "add.relu"),
    ),
    Family("relu", add.relu, "qmin is the zero point", ("add.relu", "clamp.relu", "clamp.dropped")),
    Family(
        "range_end",
        add.range_ends,
        "both codes at ends of their range",
        ("clamp.wrap", "accumulator.narrow", "zero_point.clip", "clamp.levels"),
    ),
    Family(
        "random",
        add.random,
        "three unequal scales of 24 bits, odd zero points",
        ("add.one_scale", "zero_point.missing", "add.branch_rounded", "zero_point.offset"),
    ),
    Family(
        "no_scale",
        _no_scale,
        "scales that no normal float32 is, or whose reciprocal is none",
        ("input.accepted",),
        rejects=True,
    ),
)


def _of_ratio(description: str, *factors: float) -> Family:
    make = partial(_ratios, factors=factors)
    return Family("ratio", make, description, ("input.accepted",), rejects=True)


FAMILIES: dict[str, tuple[Family, ...]] = {
    "tflite": (
        *ORDINARY,
        _of_ratio("a result's scale too small for the left shift", 2.0**-20, 2.0**-19),
    ),
    "xnnpack": (*ORDINARY, _of_ratio("scales too far from that of the result", 2.0**-8, 2.0**11)),
    "qnnpack": (*ORDINARY, _of_ratio("scales too far from that of the result", 2.0**-8, 2.0**15)),
    **dict.fromkeys(("float32", "onnxruntime", "torch", "torch_tail"), ORDINARY),
}
