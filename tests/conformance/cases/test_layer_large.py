from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.layer_large import (
    MOST_BIASES,
    Parts,
    accumulators,
    beside,
    conv,
    depthwise,
    fitted,
    linear,
)
from aquant_ref.conformance.cases.recipe import array_of
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.expected.layers import convolved

HALF = Fraction(1, 2)
SIGNED = (-128, 127)


@pytest.mark.parametrize(("parts", "products"), [(conv, 18), (depthwise, None), (linear, 18)])
def test_the_sizes_are_those_asked_for(parts: Parts, products: int | None) -> None:
    asked = {"products": products} if products else {}
    row = parts(CaseRandom("sizes"), SIGNED, outputs=5, **asked)
    weight = row["weight"].array()
    assert len(weight) == 5
    assert products is None or weight[0].size == products
    assert row["x"].array().min() >= -128
    assert weight.max() <= 127
    assert accumulators(row).shape == (5, 1 if parts is linear else 3)


def test_the_sums_are_those_of_the_oracle() -> None:
    row = conv(CaseRandom("sums"), SIGNED, products=12, kernel=(2, 2), rows=2, columns=3)
    row["weight_zero"] = np.array([3, -4, 5])
    x, weight = row["x"].array() - row["x_zero"], row["weight"].array()
    steps = weight - np.array([3, -4, 5]).reshape(3, 1, 1, 1)
    windows: Any = {key: row[key].tolist() for key in ("stride", "padding", "dilation")}
    right = convolved(x.tolist(), steps.tolist(), 1, **windows)
    assert accumulators(row).reshape(3, 2, 3).tolist() == right


@pytest.mark.parametrize(("outputs", "biases"), [(4, 4), (MOST_BIASES, MOST_BIASES), (70, 11)])
def test_an_element_of_each_channel_with_a_bias_is_next_to_a_tie_and_none_is_one(
    outputs: int, biases: int
) -> None:
    draw = CaseRandom(f"fitted {outputs}")
    row = linear(draw, SIGNED, products=40, outputs=outputs)
    case = {k: array_of(v) for k, v in fitted(row, draw, Selection("linear"), SIGNED).items()}
    acc = accumulators(row)[:, 0]
    biased = 0
    for sums, s, b in zip(acc.tolist(), case["weight_scale"], case["bias"], strict=True):
        unit = Fraction(case["x_scale"]) * Fraction(s)
        bias, m = Fraction(b) / unit, unit / Fraction(case["scale"])
        assert bias.denominator == 1
        steps = (sums + int(bias)) * m
        assert steps % 1 != HALF
        if bias:
            biased += 1
            assert abs(bias) <= 1 / m + 1  # small beside the sums: a step or two
            assert abs(steps % 1 - HALF) <= m
    assert biases - 2 <= biased <= biases  # it may be 0


def test_the_elements_fill_most_of_the_range() -> None:
    draw = CaseRandom("range")
    row = linear(draw, SIGNED, products=300, outputs=16)
    case = {k: array_of(v) for k, v in fitted(row, draw, Selection("linear"), SIGNED).items()}
    m = case["x_scale"] * case["weight_scale"] / case["scale"]
    codes = accumulators(row)[:, 0] * m + case["zero_point"]
    assert -140 < codes.min() < codes.max() < 140
    assert codes.max() - codes.min() > 128


def test_the_neighbour_of_a_tie_is_chosen_on_both_sides() -> None:
    """By hand: with M = 1/4 the ties are at 2, 6, 10, ... so 7 is brought to 5 or 7."""
    found = {7 + beside(CaseRandom(str(k)), 7, Fraction(1, 4)) for k in range(20)}
    assert found == {5, 7}
    found = {7 + beside(CaseRandom(str(k)), 7, Fraction(1, 5)) for k in range(20)}
    assert found == {7, 8}  # 7.5 is the tie
