from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import families, families_of, generate
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.vectors.write import APART
from aquant_ref.errors import InputError

# whether a family has to be refused, its edition and its size; by operation
KINDS = {
    (name, profile): sorted({(f.rejects, f.edition, f.size) for f in families_of(name, profile)})
    for name, each in OPERATIONS.items()
    for profile in each.choices
}


# each operation in its first variation, and in its alternatives
WAYS = [
    (name, profile)
    for name, each in OPERATIONS.items()
    for profile in (each.choices[0], *each.alternatives)
]


def tensors(edition: int, size: str) -> int:
    """So many cases: some of each kind; those that part variations are searched for."""
    few = edition == APART or (edition > APART and size == "large")
    return 4 if few else 40 if size == "small" else 15


@pytest.mark.parametrize(("operation", "profile"), WAYS)
def test_ordinary_cases_are_inside_the_contract_and_the_others_are_not(
    operation: str, profile: str
) -> None:
    for rejects, edition, size in KINDS[operation, profile]:
        selection = Selection(operation, profile, rejects=rejects, edition=edition, size=size)
        count = 300 if OPERATIONS[operation].scalar else tensors(edition, size)
        right = expected(generate(selection, range(count)))
        assert (right.refused == rejects).all()


@pytest.mark.parametrize(("operation", "profile"), WAYS)
def test_integers_fit_the_types_of_the_contract(operation: str, profile: str) -> None:
    for rejects, edition, size in KINDS[operation, profile]:
        scalar = OPERATIONS[operation].scalar
        selection = Selection(operation, profile, rejects=rejects, edition=edition, size=size)
        cases = generate(selection, range(600 if scalar else tensors(edition, size)))
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


def test_what_has_no_input_to_refuse_says_so() -> None:
    with pytest.raises(InputError, match="add: has no input that has to be refused"):
        families(Selection("add", rejects=True))
    with pytest.raises(InputError, match="add: has no input of edition 1$"):
        families(Selection("add", edition=1))
