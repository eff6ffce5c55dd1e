"""The table of mutants in the kit's page counts those that there are."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from aquant_ref.conformance import OPERATIONS
from aquant_ref.conformance.faults.catalogue import CATALOGUE
from tests.meta import activation_variants, code_variants, peer_variants, variants
from tests.meta.tensor_variants import TENSOR_VARIANTS
from tests.pages import CLONE, cells, text

PAGE = text(CLONE / "aquant_ref" / "conformance" / "README.md")
(TABLE,) = re.findall(r"<!-- mutants -->\n\n((?:\|.*\n)+)", PAGE)
*ROWS, ALL = [cells(line) for line in TABLE.splitlines()[2:]]
VARIANTS = [
    *activation_variants.VARIANTS,
    *variants.VARIANTS,
    *peer_variants.VARIANTS,
    *code_variants.VARIANTS,
]
RIGHT = Counter(variant.operation for variant in VARIANTS)


def test_every_operation_has_its_row_and_the_last_is_their_sum() -> None:
    assert [row[0] for row in ROWS] == list(OPERATIONS)
    everything, right = str(len(CATALOGUE)), str(len(VARIANTS) + len(TENSOR_VARIANTS))
    assert ["all", everything, everything, "", right, "0"] == ALL


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_counts_the_mutants_and_names_the_flags_that_find_them(row: list[str]) -> None:
    operation, wrong, found, flags, right, accused = row
    mine = Counter(mutant.flag for mutant in CATALOGUE if mutant.operation == operation)
    assert wrong == found == str(mine.total())
    named = re.findall(r"`(\w+)`", flags)
    assert set(named) == set(mine)
    assert [mine[flag] for flag in named] == sorted(mine.values(), reverse=True)
    if OPERATIONS[operation].scalar:
        assert right == str(RIGHT[operation])
    else:
        assert 1 <= int(right) <= len(TENSOR_VARIANTS)
    assert accused == "0"
