from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.model.fixed_point import border_of, fraction_bits, scale_of_sum
from aquant_ref.model.quantized_model import QuantizedModel
from tests.engine import networks


@pytest.fixture(scope="module")
def model() -> QuantizedModel:
    """stem.conv, stem.relu; body.conv1, body.relu1, body.conv2, body.add, body.relu2."""
    return networks.residual_network(4)


def nearest(model: QuantizedModel, name: str) -> QuantizedModel:
    """The same, but tensor `name` is rounded to nearest."""
    tensor = model.tensors[name]
    halves = np.arange(tensor.low, tensor.high)[None] + 0.5
    plain = replace(tensor, crossings=halves, coefficients=None)
    return replace(model, tensors={**model.tensors, name: plain})


def test_a_border_asks_for_fraction_bits_and_rounding_to_nearest_for_none(
    model: QuantizedModel,
) -> None:
    """Spec: AQ-LOWER-10."""
    assert model.tensors["stem.relu"].coefficients is not None
    assert fraction_bits(model, "stem.relu", 8) == 8
    assert fraction_bits(nearest(model, "stem.relu"), "stem.relu", 8) == 0


def test_a_sum_of_branches_keeps_its_fraction_though_it_is_rounded_to_nearest(
    model: QuantizedModel,
) -> None:
    """Spec: AQ-LOWER-10."""
    assert fraction_bits(nearest(model, "body.relu2"), "body.relu2", 5) == 5


def test_the_terms_of_a_sum_are_counted_in_steps_of_the_quantizer_after_it(
    model: QuantizedModel,
) -> None:
    assert scale_of_sum(model, "body.add") == Fraction(model.tensors["body.relu2"].scale)
    with pytest.raises(InputError, match=r"^head\.linear: no quantizer follows"):
        scale_of_sum(model, "head.linear")


def test_a_relu_clips_at_0_and_at_the_largest_code(model: QuantizedModel) -> None:
    """Spec: AQ-FIXED-9."""
    tensor = model.tensors["stem.relu"]
    made = border_of(model, "stem.relu", 3)
    assert (made.fraction_bits, made.zero_point) == (3, tensor.zero_point)
    assert (made.least, made.largest) == (tensor.qmin, tensor.qmax)
    assert (made.low, made.high) == (max(tensor.low, 0) * 8, tensor.high * 8)


def test_crossings_without_their_polynomial_have_no_border_unless_they_are_the_nearest(
    model: QuantizedModel,
) -> None:
    plain = nearest(model, "stem.relu")
    border_of(plain, "stem.relu", 3)
    tensor = plain.tensors["stem.relu"]
    moved = replace(tensor, crossings=tensor.crossings + 0.25)
    with pytest.raises(InputError, match=r"^stem\.relu: has crossings alone; its border's polyno"):
        border_of(replace(plain, tensors={**plain.tensors, "stem.relu": moved}), "stem.relu", 3)


def test_numbers_too_large_for_fixed_point_are_refused_with_the_tensor(
    model: QuantizedModel,
) -> None:
    tensor = replace(model.tensors["stem.relu"], coefficients=np.array([[1e6, 0.0, 0.0]]))
    with pytest.raises(InputError, match=r"^stem\.relu: "):
        border_of(replace(model, tensors={**model.tensors, "stem.relu": tensor}), "stem.relu", 3)
