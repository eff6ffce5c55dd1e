"""The cases of layers are what their flags say."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from aquant_ref.conformance.cases.layer_parts import accumulators
from tests.conformance.cases.rows import arrays

LAYERS = ("conv2d", "depthwise", "linear")
MEMBERS = 12


def totals(row: dict[str, Any]) -> Iterator[tuple[Fraction, list[int]]]:
    """M and the accumulators with their bias, channel by channel."""
    for acc, scale, bias in zip(accumulators(row), row["weight_scale"], row["bias"], strict=True):
        unit = Fraction(row["x_scale"]) * Fraction(scale)
        whole = Fraction(bias) / unit
        assert whole.denominator == 1
        yield unit / Fraction(row["scale"]), [int(v) + int(whole) for v in acc]


@pytest.mark.parametrize("operation", LAYERS)
def test_each_channel_of_a_tie_has_one(operation: str) -> None:
    for row in arrays("tie", operation, n=MEMBERS):
        for m, values in totals(row):
            assert any(m * v % 1 == Fraction(1, 2) for v in values)


@pytest.mark.parametrize("operation", LAYERS)
def test_each_channel_of_a_near_tie_is_one_step_beside_it(operation: str) -> None:
    signs = set()
    for row in arrays("near_tie", operation, n=MEMBERS):
        for m, values in totals(row):
            beside = {
                step for step in (-1, 1) for v in values if m * (v + step) % 1 == Fraction(1, 2)
            }
            assert beside
            signs |= beside
    assert signs == {-1, 1}


@pytest.mark.parametrize("operation", LAYERS)
@pytest.mark.parametrize(
    ("flag", "rejects", "ends"), [("accumulator_end", False, 0), ("beyond_int32", True, 1)]
)
def test_accumulators_are_at_the_ends_of_int32_or_one_beyond(
    operation: str, flag: str, rejects: bool, ends: int
) -> None:
    for row in arrays(flag, operation, n=MEMBERS, rejects=rejects):
        for _, values in totals(row):
            assert max(values) == 2**31 - 1 + ends or min(values) == -(2**31) - ends


@pytest.mark.parametrize("operation", LAYERS)
def test_scales_are_unlike_one_another_unless_there_is_one(operation: str) -> None:
    for row in arrays("channel_scales", operation, n=MEMBERS, granularity=("channel",)):
        assert len(set(row["weight_scale"])) == len(row["weight"])
    for row in arrays("channel_scales", operation, n=MEMBERS, granularity=("tensor",)):
        assert len(set(row["weight_scale"])) == 1


def test_sizes_hide_no_confused_axes() -> None:
    for flag in ("random", "groups", "channel_scales"):
        for row in arrays(flag, "conv2d", n=MEMBERS):
            outputs, channels = len(row["weight"]), len(row["x"])
            assert outputs != channels
            assert row["x"].shape[1] != row["x"].shape[2]
            assert row["x_zero"] % 2 == 1


def test_an_image_edge_is_smaller_than_its_kernel() -> None:
    for row in arrays("image_edge", "conv2d", n=MEMBERS):
        assert row["x"].shape[1] < row["weight"].shape[2]
        assert row["x"].shape[2] < row["weight"].shape[3]


def test_four_paddings_are_no_two_alike_on_one_axis() -> None:
    for row in arrays("four_paddings", "conv2d", n=MEMBERS):
        top, bottom, left, right = row["padding"]
        assert top != bottom
        assert left != right
