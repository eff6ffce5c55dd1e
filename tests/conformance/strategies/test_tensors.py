"""What the strategies for tensors draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.strategies import tensors


@given(drawn=tensors.tensors((2, 3), st.integers(-4, 4)))
def test_an_array_has_the_shape_and_the_elements_asked_for(drawn: Any) -> None:
    assert drawn.shape == (2, 3)
    assert drawn.dtype == np.int64
    assert abs(drawn).max() <= 4


@pytest.mark.parametrize("operation", sorted(tensors.DRAWN))
@settings(max_examples=15)
@given(data=st.data())
def test_every_field_is_drawn_inside_its_range(operation: str, data: st.DataObject) -> None:
    selection = Selection(operation, bits=(4,), signs=("signed",))
    drawing = tensors.fields(selection)
    assert drawing is not None
    fields = data.draw(drawing)
    assert set(fields) == {field.name for field in OPERATIONS[operation].fields}
    for name in ("x", "a", "b"):
        if name in fields:
            assert -8 <= fields[name].min() <= fields[name].max() <= 7


@settings(max_examples=15)
@given(data=st.data())
def test_thresholds_are_sorted_and_a_product_of_scales_has_24_bits(data: st.DataObject) -> None:
    rows = data.draw(st.composite(tensors.thresholds)(Selection("thresholds")))["thresholds"]
    assert (np.diff(rows, axis=1) >= 0).all()
    product = data.draw(tensors.SCALES) * data.draw(tensors.SCALES)
    assert float(np.float32(product)) == product


@pytest.mark.parametrize("operation", ["bordered_conv2d", "fused_conv2d", "program"])
def test_borders_and_programs_are_only_constructed(operation: str) -> None:
    assert tensors.fields(Selection(operation)) is None
