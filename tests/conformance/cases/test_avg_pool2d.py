"""Each case of `avg_pool2d` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from aquant_ref import oracle
from tests.conformance.cases.rows import HALF, arrays, is_tie


def means(row: dict[str, Any]) -> list[Fraction]:
    """The exact means of windows without padding, in steps of the result."""
    kernel = tuple(row["kernel"].tolist())
    exact = oracle.avg_pool((row["x"] - row["x_zero"]).tolist(), kernel, stride=kernel)
    ratio = Fraction(row["x_scale"]) / Fraction(row["scale"])
    return [mean * ratio for mean in oracle.flatten(exact)]


def test_means_are_ties() -> None:
    for row in arrays("tie", "avg_pool2d", bits=(8,), n=12):
        assert any(map(is_tie, means(row)))


def test_near_ties_are_a_code_of_one_pixel_away() -> None:
    """M is 1/2, so a code more or less moves a mean by 1/(2 * pixels)."""
    for row in arrays("near_tie", "avg_pool2d", bits=(8,), n=12):
        pixels = int(row["kernel"].prod())
        assert Fraction(1, 2 * pixels) in {abs(mean % 1 - HALF) for mean in means(row)}


def test_an_odd_count_of_pixels_has_sums_half_a_code_from_a_tie() -> None:
    for row in arrays("odd_count", "avg_pool2d", n=12):
        pixels = int(row["kernel"].prod())
        assert pixels in (21, 25, 35)
        assert Fraction(1, 2 * pixels) in {abs(mean % 1 - HALF) for mean in means(row)}


@pytest.mark.parametrize(
    ("flag", "counted"), [("padding_counts", 1), ("padding_does_not_count", 0)]
)
def test_padding_is_counted_or_not(flag: str, counted: int) -> None:
    for row in arrays(flag, "avg_pool2d", n=12):
        assert row["count_padding"] == counted
        assert row["padding"].any()


def test_strides_and_dilations_differ_by_axis() -> None:
    for row in arrays("windows_apart", "avg_pool2d", n=12):
        assert row["stride"][0] != row["stride"][1]
