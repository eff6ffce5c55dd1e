"""Activations and tables: by hand, and where two answers are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter
from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.expected.lookups import activation, lookup

ADAPTERS = pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
INT8: dict[str, Any] = {"qmin": -128, "qmax": 127}


@ADAPTERS
@pytest.mark.parametrize(
    ("function", "x", "codes"),
    [
        ("sigmoid", [0, 8, -8, 127], [-96, -81, -111, -64]),  # 1/2, 0.7311, 0.2689, 0.9999999
        ("tanh", [0, 8, -8, 127], [-128, -79, -128, -64]),  # 0.7616*64 is 48.7
        ("leaky_relu", [0, 8, -8, 127], [-128, -64, -128, 127]),
        ("hard_swish", [-8, 8, 24, 25], [-128, -85, 64, 72]),  # 1*4/6, 3 and 3.125
        ("exp", [0, -8, 8, 127], [-64, -104, 46, 127]),  # 23.5, 173.97 and very much
    ],
)
def test_functions_of_codes_are_rounded_once(
    adapter: type[Adapter], function: str, x: list[int], codes: list[int]
) -> None:
    """Spec: AQ-CODES-14: x/8, then in steps of 1/64 from -128."""
    fields = {"x_scale": 0.125, "x_zero": 0, "alpha": 0.25, "scale": 2.0**-6, "zero_point": -128}
    method = adapter().activation
    got = method(function=function, x=np.array(x), **fields, **INT8)
    assert np.ravel(got).tolist() == codes


def test_ties_go_up() -> None:
    """Spec: AQ-CODES-14: -3/4 and 3/4 of a half."""
    end: dict[str, Any] = {"scale": 1.5, "zero_point": 1, **INT8}
    given = {"x": [-1, 1], "x_scale": 0.75, "x_zero": 0, "alpha": 1.0}
    assert activation(function="leaky_relu", **given, **end) == ([1, 2],)


def test_in_float32_both_neighbours_of_a_tie_are_right() -> None:
    """Spec: AQ-CODES-15: sigmoid(0) is half of a step; one step further there is one answer."""
    end: dict[str, Any] = {"scale": 1.0, "zero_point": 3, **INT8}
    given = {"x": [0, 9], "x_scale": 0.5, "x_zero": 0, "alpha": 0.0}
    (bounds,) = activation(function="sigmoid", **given, **end, profile="float32")
    assert (bounds.low, bounds.high) == ([3, 4], [4, 4])


class TiesDown(EngineAdapter):
    """Half a step down: right in float32 beside ties alone."""

    def activation(self, **fields: Any) -> Any:
        scale = fields.pop("scale")
        return super().activation(scale=scale * (1 + 2.0**-22), **fields)


def test_what_lies_within_the_bounds_passes_in_float32_alone() -> None:
    report = verify(TiesDown(), operations=["activation"], generated=0)
    failing = {profile for _, profile, _, status in report.counts if status == "fail"}
    assert failing == {"engine"}


@pytest.mark.parametrize(
    "wrong", [{"function": "sine"}, {"scale": 0.0}, {"x_scale": -1.0}, {"alpha": 2.0}]
)
def test_unknown_functions_and_scales_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    right = {"function": "elu", "x": [1], "x_scale": 1.0, "x_zero": 0, "alpha": 1.0}
    end = {"scale": 1.0, "zero_point": 0, **INT8}
    with pytest.raises(Refused):
        activation(**{**right, **end, **wrong})


@ADAPTERS
def test_a_table_has_an_entry_for_each_code_from_the_least(adapter: type[Adapter]) -> None:
    """Spec: AQ-CODES-13."""
    x, table = np.array([[[-2, 1], [0, -1]]]), np.array([7, -5, 3, 1])
    got = adapter().lookup(x=x, table=table, least=-2)
    assert np.reshape(got, x.shape).tolist() == [[[7, 1], [3, -5]]]


@pytest.mark.parametrize("x", [-3, 2])
def test_a_code_without_an_entry_is_refused(x: int) -> None:
    with pytest.raises(Refused):
        lookup(x=[[[x]]], table=[7, -5, 3, 1], least=-2)
