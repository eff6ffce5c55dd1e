from __future__ import annotations

from itertools import combinations, product
from typing import Any

import pytest

from aquant_ref.conformance.cases.layer_large import Parts, conv, depthwise, linear
from aquant_ref.conformance.cases.layer_sizes import FACTORS, design
from aquant_ref.conformance.cases.pairs import covering


def lacking(rows: list[dict[str, Any]], factors: dict[str, Any]) -> list[Any]:
    """The pairs of levels that no row has."""
    return [
        (one, p, other, q)
        for one, other in combinations(factors, 2)
        for p, q in product(factors[one], factors[other])
        if not any(row[one] == p and row[other] == q for row in rows)
    ]


@pytest.mark.parametrize(
    "counts", [(2, 2), (2, 3, 4), (3, 3, 3, 3), (2,) * 9, (5, 2, 4, 3, 2)], ids=str
)
def test_all_pairs_of_levels_are_covered_by_few_rows(counts: tuple[int, ...]) -> None:
    factors = {str(k): tuple(range(count)) for k, count in enumerate(counts)}
    rows = covering(factors)
    assert not lacking(rows, factors)
    first, second = sorted(counts)[-2:]
    assert first * second <= len(rows) <= 2 * first * second + 4


@pytest.mark.parametrize("parts", [conv, depthwise, linear])
def test_the_design_of_a_layer_has_all_pairs_of_its_factors(parts: Parts) -> None:
    rows = design(parts)
    assert not lacking(rows, {name: FACTORS[name] for name in rows[0]})
    assert {"weight_zero", "x_zero", "zero_point", "bias", "clamp"} <= rows[0].keys()
    if parts is not linear:
        assert {"padding", "stride", "dilation", "kernel"} <= rows[0].keys()
