from __future__ import annotations

from dataclasses import replace

import numpy as np

from aquant_ref.experiments.evaluate import effect_of_snap
from aquant_ref.ptq.snap import largest_change, snap
from tests.claims import networks


def test_the_largest_change_of_the_snap_is_found_wherever_it_is() -> None:
    """Spec: AQ-SNAP-5."""
    network = networks.network()
    model = snap(network, {})
    assert 0 < largest_change(network, model) < 2**-23  # one rounding to 24 bits, or two
    layer, tensor = model.layers["body.conv"], model.tensors["stem.relu"]
    unit = layer.unit * np.array([1, 1, 1.5])
    layers = {**model.layers, "body.conv": replace(layer, unit=unit)}
    assert abs(largest_change(network, replace(model, layers=layers)) - 0.5) < 2**-20
    tensors = {**model.tensors, "stem.relu": replace(tensor, scale=tensor.scale * 0.25)}
    assert abs(largest_change(network, replace(model, tensors=tensors)) - 0.75) < 2**-20


def test_the_effect_of_the_snap_is_measured_on_the_same_images() -> None:
    """Spec: AQ-SNAP-5."""
    inputs, network = networks.inputs(20), networks.network()
    inputs.test.labels[::2] = 1
    effect = effect_of_snap(inputs, network, snap(network, {}))
    assert effect["images"] == 20
    assert effect["top1"]["before"] == effect["top1"]["after"] == 0.5  # no code has moved
