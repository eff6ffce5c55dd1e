"""The second writing of what engines compute, by hand."""

from __future__ import annotations

import pytest

from aquant_ref.conformance.faults.layer_engines import ENGINES
from aquant_ref.conformance.faults.layer_peers import ZERO_FIRST


@pytest.mark.parametrize("profile", ENGINES)
def test_three_units_of_a_quarter_are_one_and_a_half_steps(profile: str) -> None:
    """Spec: AQ-LAYER-1 to AQ-LAYER-6: with zero point 11 what rounds 12.5 stays at 12."""
    steps = ENGINES[profile](0.5, 0.5, 0.5, 0.0, 11)(3)
    assert steps == (1 if profile in ZERO_FIRST else 2)


def test_the_sum_wraps_in_qnnpack() -> None:
    """Spec: AQ-LAYER-6."""
    code = ENGINES["qnnpack"](1.0, 1.0, 2.0**25, 2.0**31, 0)
    assert [code(acc) for acc in (-1, 0, 1)] == [64, 64, -64]
