"""Each case of a fused activation is what its flag says."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.conformance.cases.rows import HALF, is_tie, rows


def test_ties_are_ties() -> None:
    for row in rows("tie", "activation_range"):
        assert is_tie(6 / Fraction(row["scale"]))


@pytest.mark.parametrize("profile", ["tflite", "xnnpack", "torch"])
def test_where_ways_are_apart_the_last_bits_decide(profile: str) -> None:
    for row in rows("apart_from_exact", "activation_range", profile):
        steps = 6 / Fraction(row["scale"])
        assert abs(steps % 1 - HALF) <= steps / 2**22
        assert row["qmin"] <= row["zero_point"] < row["qmax"]


@pytest.mark.parametrize("name", ["none", "relu", "relu6"])
def test_a_flag_names_its_activation(name: str) -> None:
    assert {row["activation"] for row in rows(name, "activation_range")} == {name}
