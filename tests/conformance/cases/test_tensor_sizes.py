from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.layer_sizes import LARGE, SMALL
from aquant_ref.conformance.cases.tensor_sizes import (
    CHANNELS,
    COUNTS,
    LARGE_WINDOWS,
    MANY_COUNTS,
    WINDOWS,
)
from tests.conformance.cases.stored import stored

AXES = {
    "add_tensors": {"elements": (2, SMALL, LARGE), "channels": (0, SMALL, CHANNELS)},
    **dict.fromkeys(
        ("avg_pool2d", "max_pool2d", "thresholds"),
        {"channels": (0, SMALL, CHANNELS), "columns": (2, SMALL, LARGE)},
    ),
}


@pytest.mark.parametrize("operation", AXES)
def test_the_stored_sizes_are_at_and_beside_powers_of_two(operation: str) -> None:
    for flag, (axis, small, large) in AXES[operation].items():
        for name, pool in ((flag, small), (f"many_{flag}", large)):
            found = {case["right"].shape[axis] for case in stored(operation)[name]}
            assert found == {*pool}


@pytest.mark.parametrize("operation", ["avg_pool2d", "max_pool2d"])
def test_windows_have_up_to_a_thousand_pixels(operation: str) -> None:
    for flag, pool in (("windows", WINDOWS), ("large_windows", LARGE_WINDOWS)):
        found = {tuple(np.array(case["kernel"]).tolist()) for case in stored(operation)[flag]}
        assert found == {*pool}


def test_sums_of_a_window_pass_16_bits_with_a_sign_and_without() -> None:
    largest = []
    for case in stored("avg_pool2d")["large_sums"]:
        (kh, kw), x = np.array(case["kernel"]), case["x"] - case["x_zero"]
        largest.append(abs(x[:, :kh, :kw].sum(axis=(1, 2))).max())
        if case["bits"] == (8,):
            assert case["qmin"] < case["right"].min() <= case["right"].max() < case["qmax"]
    assert sum(total > 2**15 for total in largest) >= 6
    assert sum(total > 2**16 for total in largest) >= 3


def test_a_channel_has_all_numbers_of_thresholds_and_an_element_above_all() -> None:
    for flag, pool in (("counts", COUNTS), ("many_counts", MANY_COUNTS)):
        cases = stored("thresholds")[flag]
        assert {case["thresholds"].shape[1] for case in cases} == {*pool}
        for case in cases:
            most = case["thresholds"].shape[1] + case["least"]
            assert case["right"].max() == most
            assert (np.diff(case["thresholds"], axis=1) >= 0).all()


def steps_of_add(case: dict[str, Any]) -> list[Fraction]:
    flat = zip(case["a"].ravel().tolist(), case["b"].ravel().tolist(), strict=True)
    scales = [Fraction(case[f"{name}_scale"]) / Fraction(case["scale"]) for name in "ab"]
    return [(a - case["a_zero"]) * scales[0] + (b - case["b_zero"]) * scales[1] for a, b in flat]


def test_no_sum_of_these_is_a_tie_and_most_are_codes() -> None:
    for cases in stored("add_tensors").values():
        for case in cases:
            if case["bits"] == (8,):
                steps = steps_of_add(case)
                assert len(steps) == prod(case["a"].shape)
                assert all(step % 1 != Fraction(1, 2) for step in steps)
                clipped = np.isin(case["right"], (case["qmin"], case["qmax"])).mean()
                assert clipped < 0.5
