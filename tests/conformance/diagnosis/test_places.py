from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.adapters.placing import Placed
from aquant_ref.conformance.diagnosis.explanation import Explanation
from aquant_ref.conformance.diagnosis.places import RULES, of_places

COUNT = 5  # cases, each of which meets every lane of 64
LENGTH = COUNT * 64 + 63


def asked(wrong: list[int], length: int = LENGTH) -> Placed:
    """Ask five cases in turn, and say that the answers at some places were wrong."""
    place = np.arange(length)
    return Placed(place % COUNT, place, np.full(length, length), np.isin(place, wrong))


def named(*placed: Placed) -> list[str]:
    return [each.name for each in of_places("requantize", "exact", placed)]


@pytest.mark.parametrize(("lane", "width"), [(0, 8), (7, 8), (9, 16), (31, 32), (63, 64)])
def test_a_lane_is_named_where_every_register_is_wrong_in_it(lane: int, width: int) -> None:
    assert named(asked([*range(lane, LENGTH, width)])) == [f"lane {lane} of {width}"]


@pytest.mark.parametrize(("width", "first"), [(8, 376), (16, 368), (32, 352), (64, 320)])
def test_a_tail_is_what_follows_the_last_whole_register(width: int, first: int) -> None:
    assert named(asked([*range(first, LENGTH)])) == [f"tail after {width}"]


def test_nothing_is_said_where_no_rule_of_a_place_fits_all() -> None:
    lane = [*range(3, LENGTH, 8)]
    assert named(asked([])) == []
    assert named(asked([*range(LENGTH)])) == []
    assert named(asked(lane[1:])) == []
    assert named(asked([*lane, 4])) == []


def test_a_case_that_is_right_everywhere_says_nothing_about_places() -> None:
    only_ties = [k for k in range(3, LENGTH, 8) if k % COUNT == 0]
    assert named(asked(only_ties)) == ["lane 3 of 8"]


def test_arrays_that_were_asked_one_after_another_are_read_together() -> None:
    short, shorter = asked([8, 9], 10), asked([8], 9)
    assert named(short, shorter) == ["tail after 8"]
    assert named(short, asked([0], 9)) == []


def test_what_is_found_counts_cases_and_has_a_sentence_and_rules() -> None:
    (found,) = of_places("requantize", "exact", [asked([*range(2, LENGTH, 32)])])
    assert isinstance(found, Explanation)
    assert (found.kind, found.explained, found.asked) == ("fault", COUNT, COUNT)
    assert "AQ-FIXED-2" in found.rules
    assert found.sentence


def test_a_rule_of_a_lane_covers_one_place_of_each_register() -> None:
    place = np.arange(64)
    covered = {rule.name: rule.covers(place, np.full(64, 64)).sum() for rule in RULES}
    assert covered["lane 5 of 16"] == 4
    assert covered["tail after 16"] == 0
    assert len(covered) == len(RULES) == 8 + 16 + 32 + 64 + 4
