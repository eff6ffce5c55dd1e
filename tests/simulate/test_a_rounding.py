"""A-rounding on a network with all that windows and storage may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aquant_ref.ptq import quantize_with
from aquant_ref.simulate.a_rounding import ARounding
from tests.ptq import small


@pytest.mark.parametrize("target", ["float", "own"])
def test_the_storage_of_codes_changes_no_logit(target: str) -> None:
    graph = small.branching_graph()
    parameters = small.parameters(graph)
    logits = []
    for signed in (False, True):
        config = replace(small.CONFIG, method="a-rounding", signed=signed)
        model = quantize_with(graph, parameters, small.images(), config)
        logits.append(ARounding(model, parameters, target=target).logits(small.images()))
    assert np.isfinite(logits[0]).all()
    assert logits[0].tobytes() == logits[1].tobytes()
