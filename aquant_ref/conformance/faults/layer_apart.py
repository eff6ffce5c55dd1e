"""Wrong multipliers of layers, right but for their last bits: they show beside ties alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, up
from aquant_ref.conformance.faults.arithmetic import packed as f32
from aquant_ref.conformance.faults.fault import Fault, StepFault
from aquant_ref.conformance.faults.rescaling import RESCALED
from aquant_ref.typing import Array


def with_multiplier(profile: str, of_unit: Callable[[float, float], F]) -> Callable[..., Array]:
    """Rescale as `profile` does, by another multiplier of a unit and a scale."""

    def rescale(total: Array, unit: Array, f: dict[str, Any]) -> Array:
        rows = zip(total.tolist(), unit.tolist(), strict=True)
        steps = [
            list(map(RESCALED[profile](of_unit(u, f["scale"]), f["zero_point"]), row))
            for row, u in rows
        ]
        return np.array(steps, np.int64).reshape(total.shape)

    return rescale


def in_float32(unit: float, scale: float) -> F:
    return F(f32(f32(unit) / f32(scale)))


def exact(unit: float, scale: float) -> F:
    return F(unit) / F(scale)


def of_31_bits(unit: float, scale: float) -> F:
    """With any exponent."""
    m = exact(unit, scale)
    power = F(2) ** (31 - math.frexp(m)[1])
    return up(m * power) / power


# (variation, name, defect, the multiplier and the variation that rescales by it)
ROWS: tuple[tuple[str, str, str, Callable[..., Array]], ...] = (
    (
        "float32",
        "the multiplier in float32, scale by scale",
        "multiplier.float32",
        with_multiplier("float32", in_float32),
    ),
    *(
        (
            profile,
            "the multiplier in float32, then its mantissa",
            "multiplier.float32",
            with_multiplier(profile, in_float32),
        )
        for profile in ("exact", "tflite_single", "tflite_up", "tflite_away")
    ),
    (
        "ideal",
        "the multiplier rounded to 31 bits",
        "multiplier.reduced",
        with_multiplier("ideal", of_31_bits),
    ),
    *(
        (
            profile,
            "the multiplier not rounded to 31 bits",
            "multiplier.reduced",
            with_multiplier("ideal", exact),
        )
        for profile in ("exact", "tflite_single")
    ),
)


def wrong(operation: str) -> list[Fault]:
    """Return the faults of a layer."""
    return [
        StepFault(operation, name, defect, "apart", profile, steps={"rescale": step})
        for profile, name, defect, step in ROWS
    ]


WRONG = [*wrong("conv2d"), *wrong("depthwise"), *wrong("linear")]
