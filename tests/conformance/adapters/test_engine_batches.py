"""The engine takes all images at once."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.adapters.engine_batches import activated, of_channels
from aquant_ref.errors import InputError

ENDS = {"scale": 0.5, "zero_point": 1, "qmin": -128, "qmax": 127}


def test_an_activation_becomes_a_range() -> None:
    """Spec: AQ-ACT-1."""
    assert activated({"activation": "relu6", **ENDS}) == {**ENDS, "qmin": 1, "qmax": 13}
    assert activated({"activation": "none", **ENDS}) == ENDS


def test_batches_of_two_sizes_are_refused() -> None:
    one, two = np.zeros((1, 1, 1, 1)), np.zeros((2, 1, 1, 1))
    with pytest.raises(InputError):
        of_channels(lambda a, b, **_: a + b, {"a": one, "b": two}, activation="none", **ENDS)
