"""When an instruction of the fixed-point lowering can be run, whatever its input: nothing wraps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import shown
from aquant_ref.errors import InputError
from aquant_ref.integer.requantize import MULTIPLIER_END, MULTIPLIER_MIN, PROFILES
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.integer.shift import MAX_SHIFT

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Instruction

FLOAT_PROFILES = ("float32", "float64")
RESCALES = {"rescale": PROFILES, "rescale_float": FLOAT_PROFILES}
BORDER_NUMBERS = (
    "fraction_bits",
    "zero_point",
    "least",
    "largest",
    "low",
    "high",
    "multiplier",
    "shift",
)
MAX_FRACTION_BITS = 16
LEAST_CODE, LARGEST_CODE = -(2**15), 2**16 - 1
LARGEST_TAU = 2**15 + 1  # 1 with 15 fraction bits, and one more from the floor of a negative one
LARGEST_SUM = 2**29  # of a channel's coefficients, so that no polynomial falls to the lift of 0
NEVER_LIFT = -(2**30)


def check_fixed(each: Instruction) -> None:
    """Raise InputError, which names the instruction, for numbers that it cannot be run with.

    Spec: AQ-FIXED-8, AQ-FIXED-9. Shapes that depend on the input are not looked at.
    """
    if each.op in RESCALES:
        _check_rescale(each)
    if each.op == "border":
        _check_border(each)


def code_range(each: Instruction) -> tuple[int, int]:
    """The least and the largest code of a `border`, from its numbers alone. Spec: AQ-FIXED-9."""
    number = each.attributes
    low, high, bits = number["low"], number["high"], number["fraction_bits"]
    return (low >> bits) + number["zero_point"], -(-high >> bits) + number["zero_point"]


def _within(each: Instruction, key: str, values: Any, low: int, high: int) -> None:
    if not bool(((np.asarray(values) >= low) & (np.asarray(values) <= high)).all()):
        raise InputError(f"{each.name}: its {key} is not in {low}..{high}")


def _check_rescale(each: Instruction) -> None:
    profile, m = each.attributes.get("profile"), each.arrays["multiplier"]
    if profile not in RESCALES[each.op]:
        raise InputError(f"{each.name}: its profile cannot be {shown(profile)}")
    _within(each, "left", each.arrays["left"], 0, 31)
    if each.op == "rescale":
        _within(each, "multiplier", m, MULTIPLIER_MIN, MULTIPLIER_END - 1)
        _within(each, "shift", each.arrays["shift"], 0, MAX_SHIFT)
    elif not bool((np.isfinite(m) & (m > 0)).all()):
        raise InputError(f"{each.name}: its multiplier is not a finite number above 0")


def _check_border(each: Instruction) -> None:
    number, arrays = each.attributes, each.arrays
    for key in BORDER_NUMBERS:
        if type(number.get(key)) is not int:
            raise InputError(f"{each.name}: its {key} cannot be {shown(number.get(key))}")
    bits, _, least, largest, low, high, multiplier, shift = (number[k] for k in BORDER_NUMBERS)
    _within(each, "fraction_bits", bits, 0, MAX_FRACTION_BITS)
    _within(each, "low and high", [low, high], INT32_MIN, INT32_MAX)
    _within(each, "low", low, INT32_MIN, high)
    _within(each, "code", code_range(each), least, largest)
    _within(each, "least", least, LEAST_CODE, largest)
    _within(each, "largest", largest, least, LARGEST_CODE if least >= 0 else -LEAST_CODE - 1)
    _within(each, "multiplier", multiplier, MULTIPLIER_MIN, MULTIPLIER_END - 1)
    _within(each, "shift", shift, 0, MAX_SHIFT)
    taus = [t * multiplier >> shift for t in (low, high)]
    _within(each, "tau", taus, -LARGEST_TAU, LARGEST_TAU)
    coefficients = arrays["coefficients"]
    if coefficients.ndim != 2 or coefficients.shape[1] != 3:
        raise InputError(f"{each.name}: its coefficients have shape {coefficients.shape}")
    total = abs(coefficients.astype(np.int64)).sum(axis=1)
    _within(each, "coefficients", total, 0, LARGEST_SUM)
    if arrays["lift"].shape != (1 << bits,):
        raise InputError(f"{each.name}: its lift has shape {arrays['lift'].shape}")
    _within(each, "lift of 0", arrays["lift"][0], NEVER_LIFT, NEVER_LIFT)
