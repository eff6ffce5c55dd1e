"""Scales for which two ways to compute give different codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases import mul, rescale_codes
from aquant_ref.conformance.cases.draw import Draw
from aquant_ref.conformance.cases.parting import near_tie, parted
from aquant_ref.conformance.cases.selection import Selection

PARTING = [
    pytest.param(operation, profile, family, id=f"{operation} {profile} {family.flag}")
    for operation, module in (("rescale_codes", rescale_codes), ("mul", mul))
    for profile, families in [("", module.FAMILIES), *module.OF_PEERS.items()]
    for family in families
    if "other" in getattr(family.make, "keywords", {})
]


def test_a_scale_beside_that_of_a_tie_is_the_next_float32() -> None:
    exact, above = (near_tie(np.array([3.0]), np.array([1.5]), k) for k in (0, 1))
    assert exact.tolist() == [2.0]
    assert above.tolist() == [2.0 + 2.0**-22]


def test_where_no_scale_parts_two_ways_it_is_that_of_a_tie() -> None:
    def same(_columns: Any, scale: Any) -> Any:
        return scale

    columns = parted(Draw("key", np.arange(3)), {}, np.full(3, 5.0), np.full(3, 1), same, same)
    assert columns["scale"].tolist() == [10.0] * 3


@pytest.mark.parametrize(("operation", "profile", "family"), PARTING)
def test_the_ways_part_in_nearly_every_case_of_8_bits(
    operation: str, profile: str, family: Any
) -> None:
    columns = family.make(Draw("key", np.arange(200)), Selection(operation, profile, bits=(8,)))
    scale = columns["scale"].astype(np.float32)
    one, other = (family.make.keywords[name](columns, scale) for name in ("one", "other"))
    assert (one != other).mean() > 0.9
