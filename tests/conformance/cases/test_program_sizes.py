from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.conformance.expected.programs import OPERATIONS
from tests.conformance.cases.stored import stored


def made(case: dict[str, Any]) -> dict[str, Any]:
    """Every tensor of a program, by name."""
    tensors = {"image": case["image"].tolist()}
    for each in case["program"]:
        terms = [tensors[name] for name in each["inputs"]]
        tensors[each["name"]] = OPERATIONS[each["op"]](each["attributes"], each["arrays"], *terms)
    return tensors


def test_sums_of_branches_and_their_thresholds_pass_16_and_32_bits() -> None:
    largest = []
    for case in stored("program")["wide_sums"]:
        tensors = made(case)
        (add,) = (name for name in tensors if name.startswith("add"))
        largest.append(np.max(np.abs(tensors[add])))
        (rows,) = (
            each["arrays"]["thresholds"] for each in case["program"] if each["inputs"] == [add]
        )
        assert np.min(tensors[add]) <= np.max(rows) <= np.max(tensors[add]) + 1
    assert min(largest) > 2**15
    assert sum(2**31 <= total < 2**53 for total in largest) >= 3


def test_channels_columns_and_inputs_are_more_than_a_register() -> None:
    for case in stored("program")["many_channels"]:
        tensors = made(case)
        first, *_ = (name for name in tensors if name.startswith("conv2d"))
        assert max(np.shape(tensors[first])) >= 17
        inputs = np.shape(case["program"][-1]["arrays"]["weight"])[1]
        assert inputs > 32
