"""The lowerings by name: to thresholds, which are the ideal semantics, or to fixed point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aquant_ref.checks import word
from aquant_ref.errors import InputError
from aquant_ref.lowering.fixed_point import FixedPointLowering
from aquant_ref.lowering.thresholds import Lowering
from aquant_ref.quant.fixed_point import FixedPoint

if TYPE_CHECKING:
    from aquant_ref.engine.program import Program
    from aquant_ref.model.quantized_model import QuantizedModel

LOWERINGS = ("threshold", "fixed_point")


def fixed_point(
    lowering: str, fraction_bits: int | None = None, profile: str | None = None
) -> FixedPoint | None:
    """Return the options of the named lowering; None for thresholds, which take none.

    What is left out is as `FixedPoint` has it. Raises InputError for an unknown lowering, or for an
    option that it does not have.
    """
    lowering = word("lowering", lowering, LOWERINGS)
    given = {"fraction_bits": fraction_bits, "profile": profile}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if lowering == "fixed_point":
        return FixedPoint(**options)
    for key in options:
        raise InputError(f"{key.replace('_', ' ')}: lowering {lowering!r} does not take any")
    return None


def lowered_as(source: Mapping[str, Any]) -> FixedPoint | None:
    """Return the options in the `source` of a program; raises InputError."""
    keys = ("fraction_bits", "profile")
    return fixed_point(source.get("lowering", "threshold"), *(source.get(key) for key in keys))


def lowering_of(model: QuantizedModel, options: FixedPoint | None) -> Lowering:
    """Lower `model` to fixed point, or without options to thresholds.

    Spec: AQ-LOWER-1, AQ-LOWER-10. Raises InputError as `Lowering` and `FixedPointLowering` do.
    """
    return Lowering(model) if options is None else FixedPointLowering(model, options)


def lower(
    model: QuantizedModel,
    lowering: str = "threshold",
    *,
    fraction_bits: int | None = None,
    profile: str | None = None,
) -> Program:
    """Return the integer program of `model`; `lowering` is "threshold" or "fixed_point".

    Spec: AQ-LOWER-1, AQ-LOWER-10. Raises InputError as `fixed_point` and `lowering_of` do.
    """
    return lowering_of(model, fixed_point(lowering, fraction_bits, profile)).program
