from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS
from aquant_ref.conformance.cases.draw import Draw
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import families, families_of, generate
from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.errors import InputError

# whether a family has to be refused, and its edition; by operation
KINDS = {
    (name, profile): sorted({(f.rejects, f.edition) for f in families_of(name, profile)})
    for name, each in OPERATIONS.items()
    for profile in each.choices
}


# each operation in its first variation, and in its alternatives
WAYS = [
    (name, profile)
    for name, each in OPERATIONS.items()
    for profile in (each.choices[0], *each.alternatives)
]


@pytest.mark.parametrize(("operation", "profile"), WAYS)
def test_ordinary_cases_are_inside_the_contract_and_the_others_are_not(
    operation: str, profile: str
) -> None:
    for rejects, edition in KINDS[operation, profile]:
        selection = Selection(operation, profile, rejects=rejects, edition=edition)
        cases = generate(selection, range(300 if OPERATIONS[operation].scalar else 90))
        settings = cases.operation.settings(profile)
        for k in range(len(cases)):
            if rejects:
                with pytest.raises(Refused):
                    cases.operation.expected(**cases.inputs(k), **settings)
            else:
                assert cases.operation.expected(**cases.inputs(k), **settings)


@pytest.mark.parametrize(("operation", "profile"), WAYS)
def test_integers_fit_the_types_of_the_contract(operation: str, profile: str) -> None:
    for rejects, edition in KINDS[operation, profile]:
        scalar = OPERATIONS[operation].scalar
        selection = Selection(operation, profile, rejects=rejects, edition=edition)
        cases = generate(selection, range(2000 if scalar else 60))
        for field in cases.operation.fields:
            if field.type != "i32":
                continue
            column = cases.columns[field.name]
            for values in [column] if scalar else column:
                assert np.min(values) >= -(2**31)
                assert np.max(values) < 2**31


@pytest.mark.parametrize(("operation", "profile"), WAYS)
def test_every_flag_is_explained_and_names_known_defects(operation: str, profile: str) -> None:
    for family in families_of(operation, profile):
        assert family.description
        assert family.catches
        assert set(family.catches) <= set(FAULTS)
    flags = [family.flag for family in families_of(operation, profile)]
    assert len(set(flags)) == len(flags)


def requantized(flag: str, profile: str = "exact") -> list[dict[str, int]]:
    selection = Selection("requantize", profile)
    k = [family.flag for family in families(selection)].index(flag)
    cases = generate(selection, range(k, 2600, len(families(selection))))
    assert {cases.flags[kind] for kind in cases.kind} == {(flag,)}
    return [cases.inputs(k) for k in range(len(cases))]


def scaled(case: dict[str, int]) -> Fraction:
    return Fraction(case["acc"] * case["multiplier"], 2 ** case["shift"])


@pytest.mark.parametrize(("flag", "sign"), [("tie", 1), ("negative_tie", -1)])
def test_ties_are_ties_on_their_side_of_zero_and_mostly_inside_the_range(
    flag: str, sign: int
) -> None:
    cases = requantized(flag)
    assert all(scaled(case) % 1 == Fraction(1, 2) for case in cases)
    assert sum(scaled(case) * sign > 0 for case in cases) > 0.95 * len(cases)
    inside = [case["qmin"] <= scaled(case) + case["zero_point"] <= case["qmax"] for case in cases]
    assert sum(inside) > 0.9 * len(cases)


def test_near_ties_are_the_accumulators_on_both_sides_of_a_tie() -> None:
    sides = set()
    for case in requantized("near_tie"):
        step = Fraction(case["multiplier"], 2 ** case["shift"])
        distance = scaled(case) - (scaled(case) // 1 + Fraction(1, 2))
        assert abs(distance) <= step
        sides.add(distance > 0)
    assert sides == {True, False}


def test_zero_points_are_odd_wherever_a_code_can_be() -> None:
    for case in requantized("random"):
        assert case["zero_point"] % 2 == 1


def test_a_product_of_pools_is_complete() -> None:
    pairs = Draw("key", np.arange(12)).cross((1, 2, 3), (4, 5, 6, 7))
    assert len(set(zip(*(column.tolist() for column in pairs), strict=True))) == 12


def test_what_has_no_input_to_refuse_says_so() -> None:
    with pytest.raises(InputError, match="add: has no input that has to be refused"):
        families(Selection("add", rejects=True))
    with pytest.raises(InputError, match="add: has no input of edition 1$"):
        families(Selection("add", edition=1))
