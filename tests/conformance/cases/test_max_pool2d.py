"""Each case of `max_pool2d` is what its flag says."""

from __future__ import annotations

from tests.conformance.cases.rows import arrays


def test_low_codes_at_the_edges_are_negative_where_codes_are_signed() -> None:
    for row in arrays("low_codes", "max_pool2d", n=12, signs=("signed",)):
        assert row["x"].max() < 0
        assert row["padding"].any()


def test_a_window_of_nothing_but_padding_lies_above_the_image() -> None:
    for row in arrays("empty_window", "max_pool2d", rejects=True, n=4):
        assert row["kernel"][0] <= row["padding"][0]


def test_codes_at_ends_are_both_ends() -> None:
    for row in arrays("range_end", "max_pool2d", bits=(4,), signs=("signed",), n=12):
        assert set(row["x"].ravel().tolist()) <= {-8, 7}
    for row in arrays("windows_apart", "max_pool2d", n=12):
        assert row["stride"][0] != row["stride"][1]
