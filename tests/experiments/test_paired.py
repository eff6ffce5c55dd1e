from __future__ import annotations

import pytest

from aquant_ref.experiments.paired import difference

ONE = [{"seed": seed, "top1": top} for seed, top in ((0, 0.6), (1, 0.6), (2, 0.5), (3, 0.9))]
OTHER = [{"seed": seed, "top1": top} for seed, top in ((2, 0.2), (0, 0.5), (1, 0.4), (4, 0.1))]


def test_it_is_the_mean_over_the_seeds_of_both_with_its_standard_error() -> None:
    """By hand: differences of 10, 20 and 30 points."""
    found = difference(ONE, OTHER)
    assert found is not None
    assert found.seeds == (0, 1, 2)
    assert found.mean == pytest.approx(20)
    assert found.error == pytest.approx(10 / 3**0.5)
    assert str(found) == "+20.00 ± 5.77"
    assert str(difference(OTHER, ONE)) == "-20.00 ± 5.77"


def test_one_seed_says_nothing() -> None:
    assert difference(ONE[:1], OTHER) is None
    assert difference([], OTHER) is None
