"""The ends of fused activations: by hand, and as engines gave them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter
from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.expected.activations import activation_range

INT8 = {"qmin": -128, "qmax": 127}


@pytest.mark.parametrize(
    ("activation", "ends"), [("none", (-128, 127)), ("relu", (5, 127)), ("relu6", (5, 17))]
)
def test_an_activation_leaves_codes_by_its_name(activation: str, ends: tuple[int, int]) -> None:
    """Spec: AQ-ACT-1: 6 is 12 steps of 1/2."""
    assert activation_range(activation=activation, scale=0.5, zero_point=5, **INT8) == ends


def test_an_end_stays_in_the_range() -> None:
    """Spec: AQ-ACT-1."""
    fields = {"activation": "relu6", "qmin": 0, "qmax": 15}
    assert activation_range(scale=0.25, zero_point=3, **fields) == (3, 15)
    assert activation_range(scale=0.25, zero_point=-90, **fields) == (0, 0)


# 6 is 3/2 steps
@pytest.mark.parametrize(
    ("profile", "zero", "high"),
    [("", -5, -3), ("tflite", -5, -3), ("xnnpack", -5, -4), ("torch", -5, -4), ("torch", -4, -2)],
)
@pytest.mark.parametrize("adapter", [OracleAdapter(), EngineAdapter()])
def test_a_tie_goes_up_or_to_an_even_code(adapter: Any, profile: str, zero: int, high: int) -> None:
    """Spec: AQ-ACT-2 to AQ-ACT-4: half_even(-5 + 1.5) = -4 and half_even(-4 + 1.5) = -2."""
    columns = {"scale": 4.0, "zero_point": zero, **INT8}
    arrays = {name: np.array([value]) for name, value in columns.items()}
    settings = {"profile": profile} if profile else {}
    low, top = adapter.activation_range(activation="relu6", **arrays, **settings)
    assert (int(low[0]), int(top[0])) == (zero, high)


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ("", {"scale": 0.0}),
        ("", {"activation": "tanh"}),
        ("tflite", {"scale": 2.0**-30}),
        ("torch", {"scale": 2.0**-127}),
    ],
)
def test_what_has_no_range_is_refused(profile: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        activation_range(
            **{"activation": "relu6", "scale": 1.0, "zero_point": 0, **INT8, **fields},
            profile=profile,
        )
