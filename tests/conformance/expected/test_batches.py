"""Layers of a batch by hand."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.expected.batches import add_tensors_batch, linear_batch
from aquant_ref.conformance.expected.refusal import Refused

ENDS: dict[str, Any] = {"scale": 0.5, "zero_point": 1, "qmin": -128, "qmax": 127}
LINEAR: dict[str, Any] = {
    **{"x_scale": 0.5, "x_zero": 1, "weight": [[2, -1]], "weight_zero": [0], "bias": [0.0]},
    **{"weight_scale": [1.0], **ENDS},
}


@pytest.mark.parametrize(
    ("activation", "codes"),
    [("none", [[-6], [16]]), ("relu", [[1], [16]]), ("relu6", [[1], [13]])],
)
def test_each_image_has_its_own_codes_in_the_range_of_the_activation(
    activation: str, codes: list[list[int]]
) -> None:
    """Spec: AQ-BATCH-1, AQ-ACT-1: 2*(x0 - 1) - (x1 - 1) + 1, and 6 is 12 steps."""
    x = [[-2, 2], [9, 2]]
    assert linear_batch(x=x, activation=activation, **LINEAR) == (codes,)


def test_two_batches_need_the_same_number_of_images() -> None:
    of_terms = {"a_scale": 0.5, "a_zero": 0, "b_scale": 0.5, "b_zero": 0, **ENDS}
    one, two = [[[[1]]]], [[[[1]]], [[[2]]]]
    assert add_tensors_batch(a=two, b=two, activation="none", **of_terms) == ([[[[3]]], [[[5]]]],)
    with pytest.raises(Refused):
        add_tensors_batch(a=one, b=two, activation="none", **of_terms)
