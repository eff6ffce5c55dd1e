"""Each case of `add` in other engines is what its flag says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from aquant_ref.conformance.cases.add_peers import FAMILIES
from tests.conformance.cases.rows import HALF, rows
from tests.conformance.cases.test_add import branches

PROFILES = sorted(FAMILIES)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("flag", "bits"), [("beside_tie", 20), ("near_tie", 17)])
def test_sums_are_within_the_last_bits_of_a_tie(flag: str, bits: int, profile: str) -> None:
    for case in rows(flag, "add", profile):
        total = sum(branches(case), Fraction())
        if total:
            assert abs(total % 1 - HALF) < abs(total) / 2**bits


@pytest.mark.parametrize("profile", PROFILES)
def test_codes_have_at_most_8_bits_and_scales_are_float32(profile: str) -> None:
    for case in rows("random", "add", profile):
        assert case["qmax"] - case["qmin"] <= 255
        assert all(float(np.float32(case[k])) == case[k] for k in ("a_scale", "b_scale", "scale"))


def test_ratios_are_beyond_what_each_engine_takes() -> None:
    for case in rows("ratio", "add", "tflite", rejects=True):
        assert 2 * case["a_scale"] >= 2.0**20 * case["scale"]
    for case in rows("ratio", "add", "xnnpack", rejects=True):
        assert not 2.0**-10 <= case["a_scale"] / case["scale"] < 2.0**8
    for case in rows("ratio", "add", "qnnpack", rejects=True):
        assert not 2.0**-14 <= case["a_scale"] / case["scale"] < 2.0**8
