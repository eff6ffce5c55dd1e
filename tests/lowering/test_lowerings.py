from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from tests.engine import networks


@pytest.mark.parametrize(
    ("lowering", "more", "words"),
    [
        ("lut", {}, "unknown lowering 'lut'; choose from threshold, fixed_point"),
        (
            "threshold",
            {"fraction_bits": 8},
            "fraction bits: lowering 'threshold' does not take any",
        ),
        ("threshold", {"profile": "exact"}, "profile: lowering 'threshold' does not take any"),
        ("fixed_point", {"fraction_bits": 17}, "bits: needs whole numbers from 0 to 16"),
        ("fixed_point", {"profile": "cuda"}, "unknown profile 'cuda'; choose from exact"),
    ],
)
def test_a_lowering_that_there_is_not_is_refused(
    lowering: str, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        lower(networks.residual_network(1), lowering, **more)
