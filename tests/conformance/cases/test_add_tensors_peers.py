"""Each case of `add_tensors` in other engines is what its flag says."""

from __future__ import annotations

import pytest

from aquant_ref.conformance import OPERATIONS
from aquant_ref.conformance.cases.add_tensors_peers import FAMILIES
from tests.conformance.cases.rows import HALF, arrays, rows
from tests.conformance.cases.test_add_tensors import terms

PROFILES = sorted(FAMILIES)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("flag", "bits"), [("beside_tie", 22), ("near_tie", 17)])
def test_every_sum_is_within_the_last_bits_of_a_tie(flag: str, bits: int, profile: str) -> None:
    for row in arrays(flag, "add_tensors", profile, n=12):
        for steps in sum(terms(row)).ravel():
            assert abs(steps % 1 - HALF) < abs(steps) / 2**bits


@pytest.mark.parametrize("profile", ["litert_int8", "litert_uint8"])
def test_sums_beside_ties_differ_from_those_of_the_reference_kernel(profile: str) -> None:
    for case in rows("beside_tie", "add_tensors", profile, n=12):
        code, of_reference = (
            OPERATIONS["add_tensors"].expected(**case, profile=each)[0][0][0][0]
            for each in (profile, "tflite")
        )
        assert abs(code - of_reference) == 1


def test_tensors_of_torch_have_a_run_and_mostly_a_rest() -> None:
    sizes = {row["a"].size for row in arrays("tie", "add_tensors", "torch")}
    assert min(sizes) == 64
    assert {size > 64 + 32 for size in sizes} == {True, False}


def test_ratios_are_beyond_what_each_engine_takes() -> None:
    for row in arrays("ratio", "add_tensors", "tflite", rejects=True, n=6):
        assert 2 * row["a_scale"] >= 2.0**20 * row["scale"]
    for row in arrays("ratio", "add_tensors", "xnnpack", rejects=True, n=6):
        assert not 2.0**-10 <= row["a_scale"] / row["scale"] < 2.0**8
