"""Each case of `avg_pool2d` in other engines is what its flag says."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from aquant_ref.conformance.cases.avg_pool2d_peers import FAMILIES, MARGIN
from tests.conformance.cases.rows import HALF, is_tie, rows

STORED, REAL = ("tflite", "torch", "qnnpack"), ("onnx", "onnxruntime")


def means(case: dict[str, Any], *, stored: bool = False) -> Iterator[Fraction]:
    """Each window's mean, in steps of the result; stored codes have one scale and zero point."""
    (kh, kw), (sh, sw) = case["kernel"], case["stride"]
    top, bottom, left, right = case["padding"]
    ratio = Fraction(case["x_scale"]) / Fraction(case["scale"])
    for plane in case["x"]:
        height, width = len(plane), len(plane[0])
        for i in range(-top, height + bottom - kh + 1, sh):
            for j in range(-left, width + right - kw + 1, sw):
                places = [(p, q) for p in range(i, i + kh) for q in range(j, j + kw)]
                codes = [plane[p][q] for p, q in places if 0 <= p < height and 0 <= q < width]
                count = kh * kw if case["count_padding"] else len(codes)
                total = sum(code - case["x_zero"] for code in codes)
                yield total * ratio / count + (case["x_zero"] if stored else 0)


@pytest.mark.parametrize("profile", STORED)
def test_means_of_stored_codes_are_ties_or_none_is(profile: str) -> None:
    for case in rows("tie", "avg_pool2d", profile, n=12):
        assert all(map(is_tie, means(case, stored=True)))
    others = {family.flag for family in FAMILIES[profile] if not family.rejects} - {"tie"}
    for flag in others:
        for case in rows(flag, "avg_pool2d", profile, n=12):
            assert not any(map(is_tie, means(case, stored=True))), flag


@pytest.mark.parametrize("profile", REAL)
def test_means_of_real_numbers_are_ties_or_far_from_any(profile: str) -> None:
    for flag in ("tie", "whole_image"):
        ties = [is_tie(m) for case in rows(flag, "avg_pool2d", profile) for m in means(case)]
        assert sum(ties) > len(ties) // 2
    for flag in ("padding_counts", "padding_does_not_count", "relu", "random"):
        for case in rows(flag, "avg_pool2d", profile, n=12):
            assert all(abs(m % 1 - HALF) > MARGIN for m in means(case)), flag


def test_a_window_is_the_whole_image() -> None:
    for case in rows("whole_image", "avg_pool2d", "onnxruntime", n=12):
        assert case["kernel"] == [len(case["x"][0]), len(case["x"][0][0])]
        assert not any(case["padding"])


@pytest.mark.parametrize("profile", sorted(FAMILIES))
def test_padding_counts_where_the_flag_says_so(profile: str) -> None:
    for flag, counts in (("padding_counts", 1), ("padding_does_not_count", 0)):
        if flag in {family.flag for family in FAMILIES[profile]}:
            for case in rows(flag, "avg_pool2d", profile, n=12):
                assert any(case["padding"])
                assert case["count_padding"] == counts
