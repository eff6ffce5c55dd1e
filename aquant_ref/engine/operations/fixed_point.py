"""`rescale`, `rescale_float` and `border`: from accumulators to codes without thresholds.

Spec: AQ-FIXED-8, AQ-FIXED-9.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aquant_ref.engine.float_product import PROFILES as FLOAT_PROFILES
from aquant_ref.engine.float_product import float_products
from aquant_ref.engine.instruction import (
    LARGEST_CODE,
    LEAST_CODE,
    NEVER_LIFT,
    Bounds,
    Instruction,
    Range,
    Shape,
    need,
)
from aquant_ref.engine.operations.operation import (
    LIMITS,
    Operation,
    any_integer,
    codes_bounds,
    magnitude,
    one_of,
    same_shape,
    within,
)
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer.requantize import (
    MULTIPLIER_END,
    MULTIPLIER_MIN,
    PROFILES,
    scale_accumulator,
)
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.integer.shift import MAX_SHIFT

MAX_LEFT = 31
MAX_FRACTION_BITS = 16
LARGEST_TAU = 2**15 + 1  # 1 with 15 fraction bits, and one more from the floor of a negative one
LARGEST_SUM = 2**29  # of a channel's coefficients, so that no polynomial falls to NEVER_LIFT


def _check_rescale(each: Instruction) -> None:
    """Spec: AQ-FIXED-8."""
    within(each, "left", each.arrays["left"], 0, MAX_LEFT)
    within(each, "multiplier", each.arrays["multiplier"], MULTIPLIER_MIN, MULTIPLIER_END - 1)
    within(each, "shift", each.arrays["shift"], 0, MAX_SHIFT)


def _check_rescale_float(each: Instruction) -> None:
    within(each, "left", each.arrays["left"], 0, MAX_LEFT)
    multiplier = each.arrays["multiplier"]
    fits = bool((np.isfinite(multiplier) & (multiplier > 0)).all())
    need(each.name, fits, "its multiplier is not a finite number above 0")


def _rescale_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    """Give the bounds of T before it saturates: T never falls where its accumulator grows."""
    low, high = inputs[0]
    left, bias = (each.arrays[key].astype(object) for key in ("left", "bias"))
    ends = (low << left) + bias, (high << left) + bias  # of Python's integers, which never wrap
    if (largest := magnitude(ends)) > LIMITS["int32"]:
        raise AccumulatorOverflow(
            f"{each.name}: its accumulator with the fraction of its bias can reach {largest}, "
            "beyond int32; fewer fraction bits need less"
        )
    arrays, profile = each.arrays, each.attributes["profile"]
    acc = np.stack(ends).astype(np.int64)
    if each.op == "rescale_float":
        least, most = float_products(acc, arrays["multiplier"], profile)
        return least, most
    try:
        least, most = scale_accumulator(acc, arrays["multiplier"], arrays["shift"], profile=profile)
    except InputError as error:  # what the profile shifts to the left
        raise AccumulatorOverflow(f"{each.name}: {error}") from error
    return least, most


def _border_shape(each: Instruction, shape: Shape) -> Shape:
    rows = len(each.arrays["coefficients"])
    need(each.name, rows in (1, shape[0]), f"has {rows} rows for {shape[0]} channels")
    return shape


def _border_codes(each: Instruction, *_ranges: Range | None) -> Range:
    """Find the range from the numbers alone. Spec: AQ-FIXED-9."""
    number = each.attributes
    low, high, bits = number["low"], number["high"], number["fraction_bits"]
    return (low >> bits) + number["zero_point"], -(-high >> bits) + number["zero_point"]


def _border_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    return codes_bounds(_border_codes(each), len(inputs[0][0]))


def _check_border(each: Instruction) -> None:
    number, arrays = each.attributes, each.arrays
    bits, low, high = number["fraction_bits"], number["low"], number["high"]
    least, largest = number["least"], number["largest"]
    within(each, "fraction_bits", bits, 0, MAX_FRACTION_BITS)
    within(each, "low and high", [low, high], INT32_MIN, INT32_MAX)
    within(each, "low", low, INT32_MIN, high)
    within(each, "code", _border_codes(each), least, largest)
    within(each, "least", least, LEAST_CODE, largest)
    within(each, "largest", largest, least, LARGEST_CODE if least >= 0 else -LEAST_CODE - 1)
    within(each, "multiplier", number["multiplier"], MULTIPLIER_MIN, MULTIPLIER_END - 1)
    within(each, "shift", number["shift"], 0, MAX_SHIFT)
    taus = [t * number["multiplier"] >> number["shift"] for t in (low, high)]
    within(each, "tau", taus, -LARGEST_TAU, LARGEST_TAU)
    coefficients, lift = arrays["coefficients"], arrays["lift"]
    fits = coefficients.ndim == 2 and coefficients.shape[1] == 3
    need(each.name, fits, f"its coefficients have shape {coefficients.shape}")
    total = abs(coefficients.astype(np.int64)).sum(axis=1)
    within(each, "coefficients", total, 0, LARGEST_SUM)
    need(each.name, lift.shape == (1 << bits,), f"its lift has shape {lift.shape}")
    within(each, "lift of 0", lift[0], NEVER_LIFT, NEVER_LIFT)


INT32 = ("int32",)
OPERATIONS = {
    "rescale": Operation(
        same_shape,
        _rescale_bounds,
        dict.fromkeys(("left", "bias", "multiplier", "shift"), INT32),
        attributes={"profile": one_of(PROFILES)},
        saturates=True,
        check=_check_rescale,
    ),
    "rescale_float": Operation(
        same_shape,
        _rescale_bounds,
        {"left": INT32, "bias": INT32, "multiplier": ("float64",)},
        attributes={"profile": one_of(FLOAT_PROFILES)},
        saturates=True,
        check=_check_rescale_float,
    ),
    "border": Operation(
        _border_shape,
        _border_bounds,
        {"coefficients": INT32, "lift": INT32},
        attributes=dict.fromkeys(
            (
                "fraction_bits",
                "zero_point",
                "least",
                "largest",
                "low",
                "high",
                "multiplier",
                "shift",
            ),
            any_integer,
        ),
        check=_check_border,
        codes=_border_codes,
        stored=lambda each: (each.attributes["least"], each.attributes["largest"]),
    ),
}
