"""The layers of the float simulation as an adapter."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.adapters.simulation_layers import SimulationLayers
from tests.conformance.adapters.by_hand import TENSORS, answer


@pytest.mark.parametrize("operation", TENSORS)
def test_tensors_are_answered_as_by_hand(operation: str) -> None:
    fields, right = TENSORS[operation]
    assert answer(SimulationLayers(), operation, fields) == right


@pytest.mark.parametrize("operation", ["conv2d", "depthwise", "linear"])
def test_multipliers_in_integers_are_not_simulated(operation: str) -> None:
    fields, _ = TENSORS[operation]
    method: Any = getattr(SimulationLayers(), operation)
    with pytest.raises(NotImplementedError, match="exact"):
        method(**{**fields, "profile": "exact"})
