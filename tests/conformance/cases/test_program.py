"""Each case of `program` is what its flag says."""

from __future__ import annotations

import pytest

from aquant_ref import oracle
from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.program import Builder
from tests.conformance.cases.rows import arrays

HAS = {
    "chain": {"conv2d", "threshold", "flatten", "linear"},
    "groups": {"conv2d", "threshold"},
    "residual": {"add"},
    "pools": {"max_pool", "sum"},
    "concat": {"concat"},
    "tables": {"fused_conv2d", "lookup", "add"},
    "fixed_point": {"rescale", "border", "plus"},
}


@pytest.mark.parametrize("flag", HAS)
def test_a_program_has_the_instructions_of_its_flag_in_an_order_that_runs(flag: str) -> None:
    for row in arrays(flag, "program", n=4):
        known = {"image"}
        for step in row["program"]:
            assert {*step["inputs"]} <= known
            known.add(step["name"])
        assert HAS[flag] <= {step["op"] for step in row["program"]}


def test_the_second_tensor_is_put_first() -> None:
    for row in arrays("concat", "program", n=4):
        names = [step["name"] for step in row["program"]]
        (concat,) = (step for step in row["program"] if step["op"] == "concat")
        first, second = map(names.index, concat["inputs"])
        assert first > second


def test_thresholds_are_elements_of_their_channel_or_one_above() -> None:
    add = Builder(CaseRandom("key"))
    x = add.conv2d("image", 3)
    add.threshold(x)
    for plane, row in zip(add.tensors[x], add.steps[-1]["arrays"]["thresholds"], strict=True):
        values = oracle.flatten(plane)
        assert all(t in values or t - 1 in values for t in row)


def test_a_grouped_program_has_groups_and_a_dilation() -> None:
    for row in arrays("groups", "program", n=4):
        attributes = [s["attributes"] for s in row["program"] if s["op"] == "conv2d"]
        assert any(each["groups"] == 2 and each["dilation"] == [1, 2] for each in attributes)
