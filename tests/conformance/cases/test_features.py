from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases import features
from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.features import STEPS, isolated, ties_of
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import FAMILIES, WITH_TIES, families, generate
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.vectors import load

# about ties themselves: a quotient that float64 makes one, and a half where a shift of 1 leaves it
ABOUT_TIES = {"tie", "negative_tie", "quotient_tie", "no_shift", "close_tie", "misjudged_tie"}


def test_the_steps_of_each_operation_are_those_of_a_calculation_by_hand() -> None:
    scales = {"a_scale": 0.5, "b_scale": 0.25, "scale": 2.0}
    add = {"a": 3, "a_zero": 1, "b": np.array(7), "b_zero": 2, **scales}
    assert list(STEPS["add"](add)) == [Fraction(9, 8)]
    pool = {"total": 11, "count": 4, "x_zero": 1, "x_scale": 0.5, "scale": 0.25}
    assert list(STEPS["avg_pool"](pool)) == [Fraction(7, 2)]
    assert list(STEPS["requantize"]({"acc": 3, "multiplier": 5, "shift": 1})) == [Fraction(15, 2)]
    assert list(STEPS["quantize"]({"r": 0.75, "scale": 0.5})) == [Fraction(3, 2)]
    windows: dict[str, Any] = {"kernel": (2, 2), "stride": (2, 1), "dilation": (1, 1)}
    image = {"x": np.array([[[3, 5, 7]]]), "x_zero": 1, "padding": (1, 0, 0, 0), **windows}
    rest = {"x_scale": 0.5, "scale": 0.25}
    assert list(STEPS["avg_pool2d"]({**image, **rest, "count_padding": 0})) == [6, 10]
    assert list(STEPS["avg_pool2d"]({**image, **rest, "count_padding": 1})) == [3, 5]
    layer = {
        **{"x": np.array([2, 3]), "x_zero": 1, "weight": np.array([[1, -4]]), "x_scale": 0.5},
        **{"weight_scale": np.array([0.25]), "weight_zero": np.array([2]), "scale": 1.0},
        "bias": np.array([0.375]),
    }
    assert list(STEPS["linear"](layer)) == [Fraction(-13 + 3, 8)]


@pytest.mark.parametrize("operation", STEPS)
def test_no_stored_case_has_a_tie_but_in_families_that_say_so_or_have_a_twin(
    operation: str,
) -> None:
    """27 % of the elements of `add/halves` were ties, and most cases of padded means."""
    known = ABOUT_TIES | {*WITH_TIES.get(operation, ())}
    for group in load(operation):
        selection = group.selection
        if selection.profile in OPERATIONS[operation].alternatives or selection.rejects:
            continue
        if OPERATIONS[operation].variations and selection.profile not in ("exact", "ideal"):
            continue
        for k, case in enumerate(group.cases.ids):
            if group.cases.flags[group.cases.kind[k]][0] not in known:
                assert ties_of(group.cases, k)[0] == 0, case


@pytest.mark.parametrize("operation", WITH_TIES)
def test_a_twin_has_none_and_catches_the_same(operation: str) -> None:
    by_flag = {family.flag: family for family in FAMILIES[operation]}
    for flag in WITH_TIES[operation]:
        twin = by_flag[f"{flag}_without_ties"]
        assert twin.catches == by_flag[flag].catches
        assert twin.lacks == ("tie",)


@pytest.mark.parametrize("operation", [each for each in STEPS if each in WITH_TIES])
def test_generated_cases_lack_what_their_families_lack(operation: str) -> None:
    for size, count in (("small", 3), ("large", 1)):
        chosen: dict[str, Any] = {"edition": 2, "size": size, "seed": 7}
        if not any(f.size == size and f.edition == 2 for f in FAMILIES[operation]):
            continue
        selection = Selection(operation, **chosen)
        lacking = [family.flag for family in families(selection) if "tie" in family.lacks]
        cases = generate(selection, range(count * len(families(selection))))
        for k in range(len(cases)):
            if cases.flags[cases.kind[k]][0] in lacking:
                assert ties_of(cases, k)[0] == 0
        assert lacking


def test_what_draws_nothing_but_ties_is_an_error_of_ours() -> None:
    tie = {"t": 0.5}
    with pytest.raises(AssertionError, match="draws nothing without ties"):
        isolated(lambda draw, selection: tie)(CaseRandom("x"), Selection("round"))
    drawn = iter([{"t": 1.5}, {"t": 1.25}])
    made = isolated(lambda draw, selection: next(drawn))(CaseRandom("x"), Selection("round"))
    assert made == {"t": 1.25}
    assert features.ties([Fraction(1, 2), Fraction(1)]) == (1, 2)
