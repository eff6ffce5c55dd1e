"""The engine's ranges of activations against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance import verify
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.errors import InputError


def test_generated_cases_pass_in_every_alternative() -> None:
    """Spec: AQ-ACT-1 to AQ-ACT-4."""
    report = verify(EngineAdapter(), operations=["activation_range"], generated=500)
    assert report.exit_code == 0, report.text()


@pytest.mark.parametrize(("scale", "profile"), [(0.0, ""), (2.0**-30, "tflite")])
def test_a_scale_without_a_code_of_6_is_refused(scale: float, profile: str) -> None:
    columns = {"scale": scale, "zero_point": 0, "qmin": 0, "qmax": 255}
    arrays = {name: np.array([value]) for name, value in columns.items()}
    with pytest.raises(InputError, match="scale: "):
        EngineAdapter().activation_range(activation="relu6", profile=profile, **arrays)
