from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.cases.layer_sizes import LARGE, SMALL
from aquant_ref.conformance.cases.table_sizes import COUNTS, PRODUCTS
from aquant_ref.conformance.cases.tensor_sizes import CHANNELS
from tests.conformance.cases.stored import stored


@pytest.mark.parametrize("operation", ["bordered_conv2d", "fused_conv2d"])
def test_the_stored_sizes_are_at_and_beside_powers_of_two(operation: str) -> None:
    cases = stored(operation)
    for flag, pool in (("products", SMALL), ("many_products", PRODUCTS)):
        assert {case["weight"][0].size for case in cases[flag]} == {*pool}
    for flag, pool in (("outputs", SMALL), ("many_outputs", CHANNELS[:-1])):
        assert {len(case["right"]) for case in cases[flag]} == {*pool}
    for flag, pool in (("columns", SMALL), ("many_columns", LARGE)):
        assert {case["right"].shape[2] for case in cases[flag]} == {*pool}


def test_crossings_are_as_many_as_codes_of_8_bits_have_and_most_are_passed() -> None:
    cases = stored("bordered_conv2d")["counts"]
    assert {case["crossings"].shape[1] for case in cases} == {*COUNTS}
    for case in cases:
        count = case["crossings"].shape[1]
        first = np.floor(case["crossings"][:, :1] - 1 / 128)
        cells = np.ceil(case["crossings"]) - 1 - first
        assert (cells == np.arange(count)).all()  # crossing k in its step
        reached = case["right"] - case["least"]
        assert reached.max() > count // 2 or count == 1


def test_sums_of_fusion_pass_16_and_24_bits_and_decide() -> None:
    for case in stored("fused_conv2d")["large_fusion"]:
        sums = [
            case["fusion"][c * 9 : c * 9 + 9][np.arange(9), window].sum()
            for c, channel in enumerate(case["u"])
            for window in [channel[:3, :3].ravel()]
        ]
        assert np.max(np.abs(sums)) > 2**24
        assert np.max(np.abs(case["lift"][case["lift"] != -(2**30)])) > 2**24
