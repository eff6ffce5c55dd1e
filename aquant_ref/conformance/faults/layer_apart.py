"""Wrong multipliers of layers, right but for their last bits: they show beside ties alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, up
from aquant_ref.conformance.faults.arithmetic import packed as f32
from aquant_ref.conformance.faults.fault import Fault, StepFault, stepwise
from aquant_ref.conformance.faults.layers import wrapped
from aquant_ref.conformance.faults.rescaling import RESCALED, mantissa, ratio
from aquant_ref.conformance.faults.steps import RIGHT
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


def unit_in_float32(x_scale: float, weight_scale: Array) -> Array:
    return (x_scale * weight_scale).astype(np.float32).astype(np.float64)


def carried_away(unit: float, scale: float) -> F:
    """A mantissa that rounds to 2^31 is taken for 2^30 without another shift."""
    m, rounded = exact(unit, scale), of_31_bits(unit, scale)
    power = F(2) ** math.frexp(m)[1]
    return rounded / 2 if rounded == power else rounded


def shifted_by_one_less(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """(v*m + (1 << (shift - 1))) >> shift adds far too much where the shift is 0."""
    found = RIGHT.rescale(total, unit, f)
    shifts = [mantissa(exact(u, f["scale"]))[1] for u in unit.tolist()]
    return np.where(np.array(shifts)[:, None] == 0, found + (1 << 20), found)


def shift_before_the_carry(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """2^31 shifted by 63 is shifted by 31."""
    powers = np.array([math.frexp(exact(u, f["scale"]))[1] for u in unit.tolist()])
    return np.where(powers[:, None] < -31, total, RIGHT.rescale(total, unit, f))


def without_large_shifts(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """Nothing is left after a shift of 62."""
    shifts = np.array([mantissa(exact(u, f["scale"]))[1] for u in unit.tolist()])
    return np.where(shifts[:, None] > 61, 0, RIGHT.rescale(total, unit, f))


def steps_in_int32(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    return wrapped(RIGHT.rescale(total, unit, f), 32)


def in_float64(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """Acc times the multiplier and 1/2 more, floored."""
    factors = [float(ratio(f["profile"], exact(u, f["scale"]))) for u in unit.tolist()]
    return np.floor(total * np.array(factors)[:, None] + 0.5).astype(np.int64)


def negated_twice(weight: Array, columns: Array) -> Array:
    """The sum of the negated products in int32, negated; -2^31 has no opposite there."""
    return -wrapped(-(weight @ columns), 32)


ENDS: tuple[tuple[str, str, str, dict[str, Callable[..., Array]]], ...] = (
    (
        "x_scale*weight_scale in float32",
        "multiplier.float32",
        "wide_scales",
        {"unit": unit_in_float32},
    ),
    (
        "a mantissa of 2^31 halved, and not its shift",
        "multiplier.carry",
        "multiplier_end",
        {"rescale": with_multiplier("ideal", carried_away)},
    ),
    (
        "a shift of 63, before the mantissa carries, in 5 bits",
        "multiplier.carry",
        "last_carry",
        {"rescale": shift_before_the_carry},
    ),
    (
        "1 << (shift - 1) for a shift of 0",
        "multiplier.no_shift",
        "multiplier_end",
        {"rescale": shifted_by_one_less},
    ),
    (
        "a shift of 62 leaves nothing",
        "multiplier.large_shift",
        "multiplier_end",
        {"rescale": without_large_shifts},
    ),
    ("steps in int32", "clamp.wrap", "multiplier_end", {"rescale": steps_in_int32}),
)
CLOSE = [("half_up in float64", "round.float64", "close_tie", {"rescale": in_float64})]


def linear_with_narrow_sums(**f: Any) -> Array:
    """Sums of codes, which meet the zero points of weights, in int16."""
    x = f["x"] - f["x_zero"]
    lost = x.sum() - wrapped(x.sum(), 16)

    def total(acc: Array, bias: Array) -> Array:
        return acc + (bias + f["weight_zero"] * lost)[:, None]

    return type(RIGHT)("", f["profile"], total=total).linear(**f)


NARROW_SUMS = ("sums of codes in int16", "zero_point.cross_terms", "zero_sums")
OF_SUM = ("the sum negated twice in int32", "accumulator.wrap", "sum_end")


def wrong(operation: str) -> list[Fault]:
    """Return the faults of a layer."""
    return [
        *(
            StepFault(operation, name, defect, "apart", profile, steps={"rescale": step})
            for profile, name, defect, step in ROWS
        ),
        *stepwise(operation, ENDS, "exact"),
        *stepwise(operation, CLOSE, "exact"),
        *stepwise(operation, CLOSE, "ideal"),
    ]


WRONG = [*wrong("conv2d"), *wrong("depthwise"), *wrong("linear")]
WRONG += stepwise("linear", [(*NARROW_SUMS, {"linear": linear_with_narrow_sums})], "exact")
WRONG += stepwise("linear", [(*OF_SUM, {"product": negated_twice})], "exact")
