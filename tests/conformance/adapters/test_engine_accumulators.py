"""The engine's accumulators alone, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance import verify
from aquant_ref.conformance.adapters import EngineAdapter, SimulationAdapter
from aquant_ref.conformance.adapters.engine_accumulators import conv_integer
from aquant_ref.engine.windows import Windows
from aquant_ref.errors import InputError


@pytest.mark.parametrize("adapter", [EngineAdapter(), SimulationAdapter()])
def test_generated_cases_pass(adapter: EngineAdapter | SimulationAdapter) -> None:
    """Spec: AQ-ACC-1, AQ-ACC-2."""
    report = verify(adapter, operations=["conv_integer", "matmul_integer"], generated=300)
    assert report.exit_code == 0, report.text()
    assert report.total()["pass"] > 50


def test_a_weight_for_another_image_is_refused() -> None:
    windows = Windows((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))
    x, weight = np.ones((3, 2, 2), int), np.ones((2, 2, 1, 1), int)
    with pytest.raises(InputError, match="do not fit the image"):
        conv_integer(x, 0, weight, np.zeros(2, int), groups=1, windows=windows)
