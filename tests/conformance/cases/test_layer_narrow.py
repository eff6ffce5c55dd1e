"""Layers whose weights have 4 or 2 bits, and whose codes have 8 or 16."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import families, generate


@pytest.mark.parametrize("operation", ["conv2d", "depthwise", "linear"])
@pytest.mark.parametrize("signs", ["unsigned", "signed"])
def test_weights_reach_both_ends_of_their_bits(operation: str, signs: str) -> None:
    selection = Selection(operation, "exact", bits=(8,), signs=(signs,), edition=3)
    cases = generate(selection, range(30))
    ends = {
        "weights_of_4_bits": (-8, 7, 0),
        "weights_of_2_bits": (-2, 1, 0),
        "unsigned_weights_of_4_bits": (0, 15, 8),
    }
    assert {f.flag for f in families(selection)} == set(ends)
    for k, kind in enumerate(cases.kind):
        (flag,) = cases.flags[kind]
        weight, zero = cases.columns["weight"][k], cases.columns["weight_zero"][k]
        assert (weight.min(), weight.max(), *set(np.ravel(zero).tolist())) == ends[flag]
        assert np.ptp(cases.columns["x"][k]) > 15
