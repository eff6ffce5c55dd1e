from __future__ import annotations

import pytest

from aquant_ref.conformance.cases.places import places, rotated, tails


@pytest.mark.parametrize("count", [1, 2, 7, 24, 125])
@pytest.mark.parametrize(("repeats", "lanes"), [(64, 64), (16, 16)])
def test_each_case_is_in_every_lane(count: int, repeats: int, lanes: int) -> None:
    """Spec: AQ-CONF-12."""
    order = places(count, 3, repeats).tolist()
    assert len(order) % 64 == 63
    assert order[:count] == [*range(count)]
    met = {(case, place % lanes) for place, case in enumerate(order)}
    assert len(met) == count * lanes


def test_cases_that_come_twice_are_spread() -> None:
    order = places(125, 0, 1)
    assert set(order[125:250].tolist()) == set(range(125))
    assert all(len({order[k] % 16 for k in range(lane, 250, 8)}) > 8 for lane in range(8))


@pytest.mark.parametrize("count", [1, 6, 24])
def test_each_case_is_once_in_a_tail(count: int) -> None:
    every = tails(count)
    assert {len(each) for each in every} == {15}
    assert {case for each in every for case in each[-7:].tolist()} == set(range(count))


def test_a_rotated_array_has_each_case_once() -> None:
    assert rotated(5, 0).tolist() == [0, 1, 2, 3, 4]
    assert rotated(5, 1).tolist() == [2, 3, 4, 0, 1]
