"""The scales of what is zero."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.model.quantizers import QuantizedLayer
from aquant_ref.ptq import METHODS, observe
from aquant_ref.ptq.adaround import AdaRound
from aquant_ref.ptq.free_scales import coarsened
from aquant_ref.ptq.observers import WeightScale, search_weight_scale
from aquant_ref.ptq.pipeline import learned
from aquant_ref.ptq.snap import largest_change, snap
from tests.ptq import small


@pytest.mark.parametrize(("bias", "cut"), [(-1.0, 0.0), (-1e3, 1e3), (-1e6, 1e6)])
def test_a_dead_tensor_has_the_range_before_it_or_what_its_relu_cut_off(
    bias: float, cut: float
) -> None:
    """Spec: AQ-AFFINE-6."""
    parameters = small.parameters()
    parameters["stem.conv.weight"][:] = 0
    parameters["stem.conv.bias"][:] = bias
    graph = small.graph()
    tensors = observe(
        graph, parameters, graph.to_float(small.images(8)), replace(small.CONFIG, act_bits=4)
    ).tensors
    assert (tensors["stem.relu"].bits, tensors["stem.relu"].zero_point) == (4, 0)
    assert tensors["stem.relu"].scale == max(1 / 15, cut / 2**14)


def test_a_dead_branch_takes_the_range_of_the_tensor_that_lives() -> None:
    """body.conv1 is dead, and with it body.relu1, which has no ReLU's input but zeros."""
    parameters, graph = small.parameters(), small.graph()
    for part in ("weight", "bias"):
        parameters[f"body.conv1.{part}"][:] = 0
    images = graph.to_float(small.images(8))
    seen = {}
    graph.run(parameters, images, hook=lambda name, x: seen.setdefault(name, x))
    tensors = observe(graph, parameters, images, replace(small.CONFIG, act_bits=4)).tensors
    assert tensors["body.relu1"].scale == float(seen["stem.relu"].max()) / 15


def test_an_infinity_that_a_relu_cuts_off_is_refused_by_name() -> None:
    parameters, graph = small.parameters(), small.graph()
    parameters["stem.conv.weight"][:] = -3e38
    images = np.full((1, 2, 5, 6), 255, np.uint8)
    with np.errstate(over="ignore"), pytest.raises(InputError, match=r"^stem.conv: holds NaN or"):
        observe(graph, parameters, graph.to_float(images), small.CONFIG)


@pytest.mark.parametrize("size", [0.0, 4e-9])
def test_learned_rounding_leaves_a_channel_of_zeros_zero(size: float) -> None:
    weight = np.ones((2, 1, 3, 3), np.float32)
    weight[1] = size * (-1.0) ** np.arange(9).reshape(3, 3)
    scale = search_weight_scale("w", weight, 2, per_channel=True)
    rounding = AdaRound(weight, scale)
    up = np.full(weight.shape, 30.0)
    steps = rounding.codes(up) - scale.zero_point.reshape(-1, 1, 1, 1)
    assert steps[0].any()
    assert not steps[1].any()
    assert not rounding.soft(up)[1].any()


def test_rounding_a_weight_of_one_step_is_learned_as_ever() -> None:
    rounding = AdaRound(np.full((1, 1), 0.3), WeightScale(np.ones(1), np.zeros(1, np.int32), 2))
    assert rounding.codes(np.ones((1, 1))).tolist() == [[1]]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_dead_channels_dead_and_their_units_free(method: str) -> None:
    parameters = small.parameters()
    for name in ("body.conv1", "inverted.depth"):
        parameters[f"{name}.weight"][1] = 0
        parameters[f"{name}.bias"][1] = 0.5
    config = replace(small.CONFIG, method=method, iterations=3)
    network, source = learned(small.graph(), parameters, small.images(8), config)
    model = snap(network, source)
    assert largest_change(network, model) < 2**-15  # AQ-SNAP-2's; free units do not count
    for name, reader in (("body.conv1", "body.relu1"), ("inverted.depth", "inverted.relu6b")):
        assert not model.layers[name].integers()[1].any()
        assert model.layers[name].unit[1] == model.tensors[reader].scale


def test_a_unit_outside_float32_is_refused_by_the_name_of_the_layer() -> None:
    network = observe(
        small.graph(),
        small.parameters(),
        small.graph().to_float(small.images(8)),
        replace(small.CONFIG, method="rtn"),
    )
    network.tensors["stem.relu"] = replace(network.tensors["stem.relu"], scale=3e38)
    scales = network.scales["body.conv1"]
    network.scales["body.conv1"] = replace(scales, scale=scales.scale * 100)
    with pytest.raises(InputError, match=r"^body.conv1: .* outside float32$"):
        snap(network, {})


def test_a_bias_of_too_many_units_makes_the_weights_beside_it_coarser() -> None:
    """The third has 2^30 units, so its unit is doubled; the fourth is left without a weight.

    Spec: AQ-SNAP-7.
    """
    codes = np.array([[0, 3, 7, 5]] * 4, np.uint16)
    bias = np.array([0.0, -(2.0**30) + 1, 2.0**30, -(2.0**40)])
    zero_point = np.full(4, 2, np.int32)
    found = coarsened(QuantizedLayer(codes, zero_point, 3, np.ones(4), bias))
    assert found.unit.tolist() == [1, 1, 2, 2**11]
    halves = [oracle.half_up(Fraction(code - 2, 2)) for code in (0, 3, 7, 5)]
    assert found.integers().tolist() == [[-2, 1, 5, 3], [-2, 1, 5, 3], halves, [0, 0, 0, 0]]
    found.check((4, 4))
