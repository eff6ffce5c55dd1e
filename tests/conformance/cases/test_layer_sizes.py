from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.layer_large import accumulators, conv, depthwise, linear
from aquant_ref.conformance.cases.layer_sizes import (
    CHANNELS,
    FACTORS,
    GROUPS,
    LARGE,
    PRODUCTS,
    SMALL,
    design,
)
from tests.conformance.cases.stored import stored

LAYERS = {"conv2d": conv, "depthwise": depthwise, "linear": linear}
INT32 = -(2**31), 2**31 - 1


def sums(case: dict[str, Any]) -> Any:
    keys = {"x", "x_zero", "weight", "weight_zero", "stride", "padding", "dilation", "groups"}
    return accumulators({k: np.array(v) if k in keys else v for k, v in case.items()})


@pytest.mark.parametrize("operation", LAYERS)
def test_the_stored_sizes_are_at_and_beside_powers_of_two(operation: str) -> None:
    cases = stored(operation, "exact")

    def of(flag: str, size: Any) -> set[int]:
        return {size(case) for case in cases[flag]}

    assert of("channels", lambda c: len(c["right"])) == {*SMALL}
    assert of("many_channels", lambda c: len(c["right"])) == {*CHANNELS}
    if operation != "depthwise":
        assert of("products", lambda c: c["weight"][0].size) == {*SMALL}
        assert of("many_products", lambda c: c["weight"][0].size) == {*PRODUCTS}
    if operation != "linear":
        assert of("columns", lambda c: c["right"].shape[2]) == {*SMALL}
        assert of("many_columns", lambda c: c["right"].shape[2]) == {*LARGE}
        assert of("rows", lambda c: c["right"].shape[1]) == {7, 8, 9, 16, 17, 32, 33, 65}
        assert of("many_rows", lambda c: c["right"].shape[1]) == {128, 257}
        windows = {
            key: {n for case in cases["windows"] for n in case[key]}
            for key in ("stride", "dilation", "padding")
        }
        assert {2, 3, 4} <= windows["stride"]
        assert {1, 3, 4} <= windows["dilation"]
        kernels = {n for case in cases["windows"] for n in case["weight"].shape[2:]}
        assert kernels == {2, 3, 4, 5, 6, 7}
    if operation == "conv2d":
        assert of("many_groups", lambda c: c["groups"]) == {*GROUPS}


@pytest.mark.parametrize("operation", ["conv2d", "linear"])
def test_sums_of_products_alone_pass_each_width(operation: str) -> None:
    cases = stored(operation, "exact")
    of_eight = [case for case in cases["large_sums"] if case["bits"] == (8,)]
    largest = [abs(sums(case)).max() for case in of_eight]
    for low, high in ((2**15, 2**20), (2**20, 2**24), (2**24, 2**31)):
        assert any(low <= largest_sum < high for largest_sum in largest)
    of_sixteen = [case for case in cases["largest_sums"] if case["bits"] == (16,)]
    for case in of_sixteen:
        assert [sums(case).min(), sums(case).max()] == [INT32[0] + 1, INT32[1]]
        assert not np.any(case["bias"])
    assert of_sixteen


@pytest.mark.parametrize("operation", ["conv2d", "linear"])
def test_half_of_a_sum_is_far_above_the_whole(operation: str) -> None:
    for case in stored(operation, "exact")["cancelling"]:
        if operation == "conv2d" and case["weight"][0, 0].size > 1:
            continue  # a window is no run of the image
        x = (case["x"] - case["x_zero"]).reshape(case["weight"][0].size, -1)[:, 0]
        weight = case["weight"].reshape(len(case["weight"]), -1)
        half = abs(np.cumsum(weight * x, axis=1)).max(axis=1)
        assert (half > 2.5 * abs((weight * x).sum(axis=1))).all()


def features(case: dict[str, Any]) -> dict[str, Any]:
    """The levels of the factors that a case has, by its fields alone."""
    clamped = case["qmin"] == case["zero_point"]
    code_ends = {(-128, 127), (0, 255)}
    has: dict[str, Any] = {
        "weight_zero": bool(np.any(case["weight_zero"])),
        "x_zero": "zero" if case["x_zero"] == 0 else "odd",
        "zero_point": "zero" if case["zero_point"] == 0 else "odd",
        "bias": bool(np.any(case["bias"])),
        "clamp": "relu" if clamped else "none",
    }
    if case["x_zero"] in {end for ends in code_ends for end in ends} - {0}:
        has["x_zero"] = "end"
    if clamped and case["qmax"] not in {high for _, high in code_ends}:
        has["clamp"] = "relu6"
    for key in ("padding", "stride", "dilation"):
        if key in case:
            has[key] = tuple(np.array(case[key]).tolist())
    if "stride" in case:
        has["kernel"] = case["weight"].shape[2:]
    if "groups" in case:
        has["groups"] = case["groups"]
    return has


@pytest.mark.parametrize("operation", LAYERS)
def test_all_pairs_of_features_are_among_the_stored_cases(operation: str) -> None:
    cases = [case for case in stored(operation, "exact")["pairs"] if case["bits"] == (8,)]
    found = [features(case) for case in cases]
    names = design(LAYERS[operation])[0].keys()
    missing = [
        (one, p, other, q)
        for one, other in combinations(names, 2)
        for p, q in product(FACTORS[one], FACTORS[other])
        if not any(has[one] == p and has[other] == q for has in found)
    ]
    assert not missing


@pytest.mark.parametrize("profile", ["ideal", "float32"])
@pytest.mark.parametrize("operation", LAYERS)
def test_other_variations_have_a_case_of_each_kind(operation: str, profile: str) -> None:
    assert stored(operation, profile).keys() == stored(operation, "exact").keys()
