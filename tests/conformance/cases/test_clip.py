"""Each case of `clip` is what its flag says."""

from __future__ import annotations

from tests.conformance.cases.rows import rows


def test_ends_are_at_most_two_away_and_both_sides_occur() -> None:
    inside = set()
    for case in rows("range_end", "clip"):
        assert min(abs(case["v"] - case[end]) for end in ("low", "high")) <= 2
        inside.add(case["low"] <= case["v"] <= case["high"])
    assert inside == {True, False}


def test_cut_to_32_bits_a_value_beyond_them_looks_inside() -> None:
    for case in rows("beyond_int32", "clip"):
        assert not -(2**31) <= case["v"] < 2**31
        unsigned = case["v"] % 2**32
        assert any(case["low"] <= cut <= case["high"] for cut in (unsigned, unsigned - 2**32))


def test_a_range_to_be_refused_is_empty() -> None:
    assert all(case["low"] > case["high"] for case in rows("no_range", "clip", rejects=True))
