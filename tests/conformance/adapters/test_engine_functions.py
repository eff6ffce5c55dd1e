"""Functions in float64: far from zero, and what is refused. Answers: see `test_lookups`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import engine_functions
from aquant_ref.errors import InputError

END: dict[str, Any] = {"scale": 1.0, "zero_point": 0, "qmin": -128, "qmax": 127}


def test_nothing_overflows_far_from_zero() -> None:
    for t, limit in ((-1e4, 0.0), (1e4, 1.0)):
        assert engine_functions.sigmoid(t) == limit
        assert engine_functions.hard_sigmoid(t) == limit
    assert engine_functions.exp(1e4) == math.inf
    assert engine_functions.gelu(-30.0) == pytest.approx(0, abs=1e-100)
    given = {"x_scale": 1e4, "x_zero": 0, "alpha": 1.0, **END}
    assert engine_functions.table("exp", np.array([-1, 0, 1]), **given).tolist() == [0, 1, 127]


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"x_scale": -1.0}, {"alpha": 1.5}])
def test_scales_are_above_0_and_alpha_is_at_most_1(wrong: dict[str, float]) -> None:
    given = {"x_scale": 1.0, "x_zero": 0, "alpha": 1.0, **END, **wrong}
    with pytest.raises(InputError, match="activation: needs a known function, scales above 0"):
        engine_functions.table("elu", np.array([0]), **given)


def test_another_function_is_refused() -> None:
    given = {"x_scale": 1.0, "x_zero": 0, "alpha": 1.0, **END}
    with pytest.raises(InputError, match="activation: needs a known function"):
        engine_functions.table("sine", np.array([0]), **given)


@pytest.mark.parametrize(
    ("function", "q", "scale", "code"),
    [
        ("gelu", 1, 27.062225341796875, 1),  # 40.59..., a little less, is 1.5 steps
        ("silu", 1, 27.062225341796875, 1),
        ("sigmoid", 1, 2 / 3, 1),
        ("tanh", -1, 2 / 3, -1),
        ("elu", -1, 2 / 3, -1),
    ],
)
def test_a_function_never_reaches_its_limit(function: str, q: int, scale: float, code: int) -> None:
    """Past bug: where float64 has the limit, a tie of it was one of the function."""
    given = {"x_scale": 40.59333801269531, "x_zero": 0, "alpha": 1.0, **END, "scale": scale}
    assert engine_functions.table(function, np.array([q]), **given).tolist() == [code]
