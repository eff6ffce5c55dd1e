"""Wrong layers in the alternatives: each computes what its name says."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.faults.layer_peers import WRONG, saturating, whole_bias, wrapped_bias
from aquant_ref.conformance.faults.layers import WRONG as OF_VARIATIONS


def test_a_fault_of_an_engine_is_a_fault_of_its_alternative_alone() -> None:
    assert all(fault.variations == (fault.profile,) for fault in WRONG)
    assert {fault.profile for fault in WRONG} == {*OPERATIONS["conv2d"].alternatives}


def test_faults_of_codes_are_those_of_engines_too_and_faults_of_scaling_are_not() -> None:
    variations = {fault.name: fault.variations for fault in OF_VARIATIONS}
    assert "fbgemm" in variations["clipped before the zero point"]
    assert "fbgemm" not in variations["no bias"]


def test_the_end_of_int32_is_met_in_three_ways() -> None:
    fields = (1.0, 1.0, 2.0**25, 2.0**31, 0)
    assert saturating(*fields)(1) == 64
    assert wrapped_bias(*fields)(0) == -64


def test_a_bias_in_whole_units_is_rounded_first() -> None:
    step = whole_bias("fbgemm", round)
    fields = {"x_scale": 0.5, "scale": 0.0625, "zero_point": 0, "profile": "fbgemm"}
    arrays = {"weight_scale": np.array([0.5]), "bias": np.array([0.625])}
    assert step(np.array([[1]]), {**fields, **arrays}).tolist() == [[12]]  # not 14
