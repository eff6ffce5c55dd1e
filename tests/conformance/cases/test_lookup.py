"""Each case of `lookup` is what its flag says."""

from __future__ import annotations

from tests.conformance.cases.rows import arrays


def test_a_table_has_every_code_once() -> None:
    for case in arrays("random", "lookup", n=20):
        codes = range(case["least"], case["least"] + len(case["table"]))
        assert sorted(case["table"].tolist()) == list(codes)
        assert set(case["x"].ravel().tolist()) <= set(codes)


def test_codes_are_at_the_ends_and_in_the_middle() -> None:
    for case in arrays("table_end", "lookup", n=20, bits=(8,)):
        least = case["least"]
        places = {least + k for k in (0, 1, 127, 128, 254, 255)}
        assert set(case["x"].ravel().tolist()) == places


def test_one_code_is_one_beyond_the_table() -> None:
    for case in arrays("outside", "lookup", n=20, rejects=True):
        index = case["x"] - case["least"]
        assert ((index < 0) | (index >= len(case["table"]))).sum() == 1
