from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.ptq import nearest, observe
from aquant_ref.ptq.snap import snap_ratio, to_single
from tests.ptq.residual import CONFIG, graph, images, parameters


@given(
    value=st.floats(1e-12, 1e6),
    reference=st.floats(1e-6, 1e3).map(lambda v: float(to_single(v))).filter(bool),
)
def test_a_snapped_ratio_has_16_bits_and_is_near(value: float, reference: float) -> None:
    """Spec: AQ-SNAP-2."""
    snapped = float(snap_ratio(np.array([value]), np.array([reference]))[0])
    ratio = Fraction(snapped) / Fraction(reference)
    assert ratio.denominator & (ratio.denominator - 1) == 0  # a power of two
    odd = ratio.numerator
    while odd % 2 == 0:
        odd //= 2
    assert odd < 2**16
    assert abs(snapped / value - 1) <= 2.0**-16


def test_both_terms_of_an_add_share_a_unit_after_the_snap() -> None:
    """Spec: AQ-SNAP-2, AQ-SNAP-3."""
    model = nearest(graph(), parameters(), images(), CONFIG)
    scale = Fraction(model.tensors["stem.relu"].scale)
    for unit in model.layers["body.conv2"].unit.tolist():
        ratio = Fraction(unit) / scale
        assert ratio.denominator & (ratio.denominator - 1) == 0
    last = model.layers["head.linear"]
    assert len(set(last.unit.tolist())) == 1
    assert (last.bias / last.unit == np.rint(last.bias / last.unit)).all()


def test_scales_and_units_have_the_24_bits_of_a_float32() -> None:
    """But for a unit that an add moves. Spec: AQ-SNAP-1."""
    model = nearest(graph(), parameters(), images(), CONFIG)
    scales = [tensor.scale for tensor in model.tensors.values()]
    for value in (*scales, *model.layers["stem.conv"].unit, *model.layers["body.conv1"].unit):
        numerator, _ = float(value).as_integer_ratio()
        odd = numerator // (numerator & -numerator)
        assert odd.bit_length() <= 24


def test_the_unit_of_a_layer_is_the_product_of_its_scales() -> None:
    model = nearest(graph(), parameters(), images(), CONFIG)
    observed = observe(graph(), parameters(), graph().to_float(images()), CONFIG)
    for name in ("body.conv1", "body.conv2"):
        product = observed.scales[name].scale * model.input_scale(name)
        assert model.layers[name].unit == pytest.approx(product, rel=2.0**-15)
        assert model.weight_scale(name) == pytest.approx(observed.scales[name].scale, rel=2**-15)
