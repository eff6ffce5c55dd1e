from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, vectors
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.adapters.placing import ask
from aquant_ref.conformance.vectors import Group
from aquant_ref.typing import Array


class Clips(Adapter):
    """Clip, but for one element of each array; it notes how long the arrays are."""

    def __init__(self, wrong_at: int | None = None, *, one_array: bool = False) -> None:
        self.wrong_at, self.one_array = wrong_at, one_array
        self.lengths: list[int] = []

    def clip(self, *, v: Array, low: Array, high: Array) -> Array:
        self.lengths.append(len(v))
        codes = np.minimum(np.maximum(v, low), high)
        if self.wrong_at is not None and self.wrong_at < len(codes):
            codes[self.wrong_at] += 1
        return codes


@pytest.fixture(scope="module")
def group() -> Group:
    return next(group for group in vectors.load("clip") if len(group.cases) > 20)


def test_a_stored_case_is_asked_in_every_lane_and_in_a_tail(group: Group) -> None:
    """Spec: AQ-CONF-12."""
    _, placed = ask(Asked(Clips()), group, 0, stored=True)
    assert not placed.wrong.any()
    count = len(group.cases)
    for case in range(count):
        of = placed.case == case
        assert set((placed.place[of] % 64).tolist()) == set(range(64))
        assert (placed.place[of] >= placed.length[of] - 7).any()


def test_a_generated_case_is_asked_twice(group: Group) -> None:
    count = len(group.cases)
    kernel = Clips()
    _, placed = ask(Asked(kernel), group, 0, stored=False)
    assert len(kernel.lengths) == 2
    assert np.bincount(placed.case).min() >= 2
    assert len(placed.case) == sum(kernel.lengths) < 3 * count + 127


@pytest.mark.parametrize("place", [0, 5, 40])
def test_a_case_that_is_wrong_at_one_place_is_a_wrong_one(group: Group, place: int) -> None:
    answers, placed = ask(Asked(Clips(place)), group, 0, stored=True)
    assert {*placed.place[placed.wrong].tolist()} == {place}
    wrong = np.unique(placed.case[placed.wrong])
    right = np.array(Clips().clip(**group.cases.columns))
    differ = np.flatnonzero(answers.values[0] != right)
    assert differ.tolist() == wrong.tolist() != []


def test_a_case_is_asked_once_where_each_array_costs_a_process(group: Group) -> None:
    kernel = Clips(one_array=True)
    _, placed = ask(Asked(kernel), group, 3, stored=True)
    assert kernel.lengths == [len(group.cases)]
    assert sorted(placed.case.tolist()) == [*range(len(group.cases))]
    assert placed.case[0] == 21 % len(group.cases)  # another case is first in each array


def test_a_case_without_a_value_is_asked_once(group: Group) -> None:
    class Refuses(Clips):
        def clip(self, *, x: Array, qmin: Array, qmax: Array, **_: Any) -> Array:
            raise NotImplementedError

    _, placed = ask(Asked(Refuses()), group, 0, stored=True)
    assert sorted(placed.case.tolist()) == [*range(len(group.cases))]
