"""The package's own arithmetic as an adapter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.errors import InputError
from tests.conformance.adapters.by_hand import IN_INTEGERS, SCALARS, answer, columns

ALL = {**SCALARS, **IN_INTEGERS}


@pytest.mark.parametrize("operation", ALL)
def test_columns_are_answered_as_by_hand(operation: str) -> None:
    fields, right = ALL[operation]
    assert answer(EngineAdapter(), operation, columns(fields)) == [right]


def test_a_multiplier_is_two_columns() -> None:
    mantissa, shift = EngineAdapter().multiplier(m=np.array([0.5, 1.0]))
    assert (mantissa.tolist(), shift.tolist()) == ([2**30, 2**30], [31, 30])


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ("round", {"t": float("inf")}),
        ("quantize", {"r": float("nan")}),
        ("dequantize", {"scale": 0.0}),
        ("threshold", {"t0": 9}),
        ("clip", {"low": 8}),
        ("border", {"c1": 2**29}),
        ("requantize", {"multiplier": 2**30 - 1}),
        ("requantize", {"shift": 63, "profile": "float32"}),
    ],
)
def test_what_is_outside_the_contract_is_an_input_error(
    operation: str, changed: dict[str, Any]
) -> None:
    fields, _ = ALL[operation]
    with pytest.raises(InputError):
        answer(EngineAdapter(), operation, columns({**fields, **changed}))
