"""The engine's arithmetic for multipliers that are not normalised."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.adapters.engine_multipliers import requantize_any
from aquant_ref.errors import InputError

ENDS = {"zero_point": np.array([3]), "qmin": np.array([-128]), "qmax": np.array([127])}


def test_a_multiplier_of_1_shifts() -> None:
    acc, one, shift = np.array([-24]), np.array([1]), np.array([4])
    assert requantize_any(acc, one, shift, profile="exact", **ENDS).tolist() == [2]  # -1.5 + 3


@pytest.mark.parametrize(
    ("acc", "multiplier", "shift", "profile"),
    [
        (1, 0, 31, "exact"),
        (1, -1, 31, "exact"),
        (1, 1, 63, "exact"),
        (1, 1, -1, "exact"),
        (2**16, 1, 15, "tflite_up"),
    ],
)
def test_what_the_contract_refuses_is_refused(
    acc: int, multiplier: int, shift: int, profile: str
) -> None:
    """Spec: AQ-FIXED-10."""
    columns = (np.array([each]) for each in (acc, multiplier, shift))
    with pytest.raises(InputError):
        requantize_any(*columns, profile=profile, **ENDS)
