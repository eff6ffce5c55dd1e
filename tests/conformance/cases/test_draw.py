"""Numbers for cases are drawn the same always, and as they are asked for."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.cases.draw import CaseRandom, Draw, nudged


def test_a_product_of_pools_is_complete() -> None:
    pairs = Draw("key", np.arange(12)).cross((1, 2, 3), (4, 5, 6, 7))
    assert len(set(zip(*(column.tolist() for column in pairs), strict=True))) == 12


def test_a_case_alone_is_what_it_is_among_others() -> None:
    together, alone = Draw("key", np.arange(9)), Draw("key", np.array([7]))
    for _ in range(3):
        assert together.bits()[7] == alone.bits()[0]


def test_other_keys_and_later_numbers_of_a_case_are_other_ones() -> None:
    draw, other = Draw("key", np.arange(50)), Draw("other", np.arange(50))
    assert len(np.unique([draw.bits(), other.bits()])) == 100
    assert len({int(draw.bits()[0]) for _ in range(50)}) == 50


def test_integers_reach_both_ends_of_a_range_and_of_int64() -> None:
    assert set(Draw("key", np.arange(99)).integers(-1, 1).tolist()) == {-1, 0, 1}
    halves = Draw("key", np.arange(99)).integers(-(2**62), 2**62 - 1)
    assert halves.min() < -(2**60)
    assert halves.max() > 2**60


def test_scales_have_24_bits_and_lie_where_they_are_asked_for() -> None:
    scales = Draw("key", np.arange(99)).scales(-3, -2)
    assert (scales == scales.astype(np.float32)).all()
    assert (scales >= 2.0**-3).all()
    assert (scales < 2.0**-1).all()


def test_sizes_are_small_as_often_as_large() -> None:
    sized = abs(Draw("key", np.arange(2000)).sized(40))
    assert sized.max() < 2**40
    assert 0.4 < np.mean(sized < 2**20) < 0.65  # a uniform number is so small once in a million


def test_an_empty_range_gives_its_lower_end() -> None:
    assert CaseRandom("key").integer(5, 4) == 5


def test_the_neighbours_of_1_are_an_epsilon_apart() -> None:
    assert nudged(np.ones(2), [-np.inf, np.inf]).tolist() == [1 - 2.0**-53, 1 + 2.0**-52]
