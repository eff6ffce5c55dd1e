from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.ptq import BorderSpec
from aquant_ref.ptq.closed_form import _fit, closed_form
from aquant_ref.ptq.snap import snap
from tests.ptq import small
from tests.ptq.test_methods import bent, observed, runs


@pytest.mark.parametrize("text", ["", "row", "tensor/linear", "window", "tensor/window", "sigmoid"])
def test_a_closed_form_has_the_granularity_that_it_is_asked_for(text: str) -> None:
    network = observed()
    form = BorderSpec.parse(text, BorderSpec(squash="clip"))
    closed_form(network, small.graph().to_float(small.images()), form)
    if not form.windowed:
        found = {n: len(t.coefficients) for n, t in network.tensors.items() if bent(t)}
        count = {"tensor": [1, 1, 1, 1, 1], "channel": [4, 4, 4, 6, 6]}[form.granularity]
        names = ["stem.relu", "body.relu1", "body.relu2", "inverted.relu6a", "inverted.relu6b"]
        assert {n: found[n] for n in names} == dict(zip(names, count, strict=True))
        return
    rows = {"row": 36, "channel": 4, "tensor": 1}[form.granularity]
    assert len(network.windows["body.conv1"].coefficients) == rows
    assert abs(network.windows["body.conv1"].coefficients).max() > 0
    runs(snap(network, {}))


def test_a_closed_form_too_steep_for_one_crossing_is_fitted_with_a_lower_degree() -> None:
    """In channel 0 what is wanted falls by five steps for each that arrives: a constant is left.
    Channel 1 is gently curved and stays quadratic; in the others what arrives is wanted.

    Spec: AQ-BORDER-6.
    """
    network = observed(weight_bits=32)  # rho = 1
    scale = network.tensors["stem.relu"].scale
    t = np.random.default_rng(1).uniform(1.2, 1.8, 400)
    gentle = np.random.default_rng(2).uniform(0.1, 2.9, 400)
    arriving = np.stack([t, gentle, gentle, gentle], axis=1)[:, :, None, None]
    wanted = arriving.copy()
    wanted[:, 0, 0, 0] = 9 - 5 * t
    wanted[:, 1, 0, 0] = gentle - 0.1 * gentle**2
    block = small.graph().blocks()[1]
    form = BorderSpec(squash="clip")
    _fit(network, block, "stem.relu", form, arriving * scale, wanted * scale)
    coefficients = network.tensors["stem.relu"].coefficients
    assert coefficients[0] == pytest.approx([(t - wanted[:, 0, 0, 0]).mean(), 0, 0])
    assert coefficients[1] == pytest.approx([0, 0, 0.9], abs=1e-5)  # 0.1*t^2, tau = t/3
    assert coefficients[2:] == pytest.approx(np.zeros((2, 3)), abs=1e-6)
    snap(network, {})  # refuses what has no single crossing
