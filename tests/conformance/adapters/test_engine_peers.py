"""What other engines compute, in numpy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import engine_peers
from aquant_ref.conformance.adapters.engine_peers import fused, scale32
from aquant_ref.conformance.expected import peers
from aquant_ref.errors import InputError


def test_a_fused_multiply_add_is_rounded_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000).astype(np.float32)
    y = np.float32(2.0) ** rng.integers(-3, 4, 2000).astype(np.float32) + np.float32(2.0**-12)
    z = rng.integers(-300, 300, 2000)
    exact = [
        float(peers.single(Fraction(float(a)) * Fraction(float(b)) + int(c)))
        for a, b, c in zip(x, y, z, strict=True)
    ]
    assert fused(x, y, z).tolist() == exact


def test_a_sum_beside_a_tie_of_float32_is_not_rounded_to_it_first() -> None:
    """1 + 2^-24 + 2^-60 is nearer to 1 + 2^-23; in float64 it is the tie 1 + 2^-24."""
    small = np.array([2.0**-24], np.float32)
    factor = np.array([1 + 2.0**-23], np.float32)
    assert fused(small, factor, np.array([1])).tolist() == [1 + 2.0**-23]


def test_scales_are_normal_float32_numbers_whose_reciprocals_are() -> None:
    ends = [2.0**-126, 2.0**126]
    assert scale32(np.array(ends)).tolist() == ends
    for beyond in (2.0**-127, 2.0**127, 0.0, -1.0, 1e39, float("nan")):
        with pytest.raises(InputError, match="scale: needs a normal float32"):
            scale32(np.array([beyond]))


MEAN = {"x_scale": 0.5, "x_zero": 3, "scale": 0.5, "zero_point": 3, "qmin": -128, "qmax": 127}


@pytest.mark.parametrize(("profile", "code"), [("tflite", -3), ("torch", -2)])
def test_the_mean_of_stored_codes_is_rounded_as_each_engine_does(profile: str, code: int) -> None:
    """-5/2."""
    columns: dict[str, Any] = {name: np.array([value]) for name, value in MEAN.items()}
    got = engine_peers.avg_pool(profile, total=np.array([-5]), count=np.array([2]), **columns)
    assert got.tolist() == [code]
    with pytest.raises(InputError, match="scale: needs that of the input, and its zero point"):
        engine_peers.avg_pool(
            profile, total=np.array([0]), count=np.array([1]), **columns | {"x_zero": np.array([0])}
        )
    with pytest.raises(InputError, match="count: needs at least 1"):
        engine_peers.avg_pool(profile, total=np.array([0]), count=np.array([0]), **columns)
