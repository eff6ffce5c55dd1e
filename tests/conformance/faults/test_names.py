"""The catalogue of faults and the families that catch them name the same."""

from __future__ import annotations

import re

from aquant_ref.conformance.cases.sequence import FAMILIES, OF_ALTERNATIVES
from aquant_ref.conformance.faults import FAULTS

CATCHING = [
    family
    for families in (
        *FAMILIES.values(),
        *(f for each in OF_ALTERNATIVES.values() for f in each.values()),
    )
    for family in families
]


PLACES = {"size.lane"}  # which any case shows that comes at many places


def test_every_fault_is_caught_by_a_family() -> None:
    assert {name for family in CATCHING for name in family.catches} == {*FAULTS} - PLACES


def test_what_has_to_be_refused_catches_that_it_is_accepted() -> None:
    for family in CATCHING:
        assert family.rejects == ("input.accepted" in family.catches), family.flag


def test_a_fault_has_a_part_a_name_and_an_explanation_of_its_own() -> None:
    assert all(re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", name) for name in FAULTS)
    assert len({*FAULTS.values()}) == len(FAULTS)
