"""Dead channels, layers, tensors and branches: every lowering has them, and equals the oracle."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.certification.certificate import certify
from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.lowering import Lowering, lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.model.quantizers import QuantizedLayer, QuantizedTensor
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.oracle import half_up
from aquant_ref.ptq import Config, quantize_with
from aquant_ref.ptq.free_scales import dead_channels, settle
from aquant_ref.ptq.snap import _snap_logits
from aquant_ref.quant.border import nearest_crossings
from aquant_ref.quant.fixed_point import PROFILES, FixedPoint
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from tests.engine import networks
from tests.engine.dead import dead_model
from tests.engine.graphs import draw_model
from tests.engine.judge import assert_engine_equals_oracle, assert_engine_equals_simulation
from tests.engine.test_fixed_point import assert_engine_equals_oracle as assert_fixed_equals_oracle
from tests.ptq import small

seeds = st.integers(0, 10**6)


@settings(max_examples=10)
@given(seed=seeds, leaky=st.booleans())
def test_thresholds_equal_oracle_and_simulation_where_parts_are_dead(
    seed: int, leaky: bool
) -> None:
    """`python -m tests.engine.many --dead` does it for more."""
    model = dead_model(seed, leaky=leaky)
    images = networks.hard_images(model, 3, seed)
    assert_engine_equals_oracle(model, images[1:])
    assert_engine_equals_simulation(model, images)
    certify(Lowering(model))


@pytest.mark.parametrize("weight", [0, 1, 255])
@pytest.mark.parametrize("counted", [2**31 - 1, 2**30 - 1, -(2**31) + 1, 2**29 - 1, 3])
def test_the_bias_of_a_logit_times_its_unit_is_a_float64(weight: int, counted: int) -> None:
    """Past bug: a bias of 31 bits times a unit of 24 was none, so that no integer was left."""
    unit = np.array([(2**24 - 1) * 2.0**-30])
    codes = np.full((1, 1), weight, np.uint8)
    layer = QuantizedLayer(codes, np.zeros(1, np.int32), 8, unit, counted * unit)
    snapped = _snap_logits("logits", layer)
    assert (Fraction(snapped.bias[0]) / Fraction(snapped.unit[0])).denominator == 1


@settings(max_examples=12)
@given(seed=seeds, bits=st.sampled_from([0, 3, 8]), profile=st.sampled_from(PROFILES))
def test_fixed_point_equals_oracle_and_simulation_where_parts_are_dead(
    seed: int, bits: int, profile: str
) -> None:
    model = dead_model(seed)
    images = networks.hard_images(model, 3, seed)
    try:
        program = lower(model, "fixed_point", fraction_bits=bits, profile=profile)
    except InputError:  # of what is not dead; how few, the next test says
        return
    assert_fixed_equals_oracle(model, images, bits, profile)
    simulated = FixedPointSimulation(model, FixedPoint(bits, profile)).run(images)
    assert {n: t.tolist() for n, t in Engine(program).run(images).items()} == {
        n: simulated[n].tolist() for n in program.recorded
    }


def test_networks_with_dead_parts_are_lowered() -> None:
    """All but 23, of which a ReLU makes codes of 3*10^-6 from codes of 143."""
    for seed in range(25):
        model = dead_model(seed)
        if seed != 23:
            lower(model, "fixed_point")


def test_the_dead_networks_have_dead_channels_layers_and_logits() -> None:
    shares = [
        (name == model.graph.output, float(dead_channels(layer).mean()))
        for model in map(dead_model, range(12))
        for name, layer in model.layers.items()
    ]
    assert {(last, share == 1) for last, share in shares if share} == {
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    }


# A channel that is dead among others that are not


def small_model(layer: str, bias: float, channel: int | slice = 1) -> QuantizedModel:
    parameters = small.parameters()
    parameters[f"{layer}.weight"][channel] = 0
    parameters[f"{layer}.bias"][channel] = bias
    return quantize_with(small.graph(), parameters, small.images(8), Config("rtn", 8, 8))


@pytest.mark.parametrize("layer", ["stem.conv", *small.INNER, "tail.conv"])
def test_a_dead_channel_is_its_bias_in_steps_that_fit(layer: str) -> None:
    """A bias beyond the codes becomes one just beyond; where an add reads it, it stays.

    Spec: AQ-SNAP-6.
    """
    for bias in (0.5, 1e-30, -1e30):
        model = small_model(layer, bias)
        unit, own = model.layers[layer].unit[1], model.layers[layer].bias[1]
        tensor = model.tensors[model.rounded_into(layer)]
        if layer == "body.conv2":
            assert own == np.float32(bias)
        else:
            assert unit == tensor.scale
            assert own == max(float(np.float32(bias)), (tensor.low - 1) * tensor.scale)
        if (layer, bias) != ("body.conv2", -1e30):
            lower(model, "fixed_point")
        lower(model)


@pytest.mark.parametrize(
    ("alpha", "least"), [(0.0, -11.0), (0.25, -44.0), (1.0, -11.0), (5e-324, -np.inf)]
)
def test_a_dead_channel_that_leaks_keeps_the_bias_that_its_code_needs(
    alpha: float, least: float
) -> None:
    """Steps of 1, codes of -10 to 5: through a quarter -40 is the last code, -16 is -4.

    Spec: AQ-SNAP-6.
    """
    graph = Builder((1, 2, 2))
    with graph.block("all"):
        x = graph("conv", "conv2d", INPUT, channels=1, kernel=1)
        x = graph("flatten", "flatten", graph("leaky", "leaky_relu", x, alpha=alpha))
        graph("linear", "linear", x, channels=2)
    rng = np.random.default_rng(0)
    model = draw_model(rng, graph.graph())
    leaky = QuantizedTensor(1.0, 4, nearest_crossings(4, 10), 10)
    model = replace(model, tensors={**model.tensors, "all.leaky": leaky})
    dead = replace(
        model.layers["all.conv"],
        codes=np.zeros((1, 1, 1, 1), np.uint8),
        zero_point=np.zeros(1, np.int32),
    )
    for bias in (-16.0, -40.0, -1e9):
        layers = {"all.conv": replace(dead, bias=np.array([bias]))}
        settle(model, layers)
        assert layers["all.conv"].bias.tolist() == [max(bias, least)]
        settled = replace(model, layers={**model.layers, **layers})
        codes = assert_engine_equals_oracle(settled, networks.hard_images(settled, 3))["all.leaky"]
        expected = max(half_up(Fraction(alpha) * Fraction(bias)), -10) + 10
        assert np.unique(codes).tolist() == [expected]


@pytest.mark.parametrize(("factor", "bias"), [(1e-6, 0.5), (2e-8, 90.0), (1, -1e9)])
def test_weights_that_are_nothing_beside_their_bias_are_lowered(factor: float, bias: float) -> None:
    """As folding leaves them where a batch norm has all but switched a channel off."""
    parameters = small.parameters()
    for layer in ("stem.conv", "body.conv1", "inverted.depth", "tail.conv"):
        parameters[f"{layer}.weight"][1] *= np.float32(factor)
        parameters[f"{layer}.bias"][1] = bias
    model = quantize_with(small.graph(), parameters, small.images(8), Config("rtn", 8, 8))
    assert_engine_equals_oracle(model, small.images(1))
    assert_fixed_equals_oracle(model, small.images(1), 8, "exact")


def test_a_threshold_beyond_every_accumulator_is_written_as_2_to_the_62() -> None:
    """Spec: AQ-LOWER-6."""
    model = networks.residual_network(0)
    layer = model.layers["stem.conv"]
    bias = layer.bias.copy()
    bias[:2] = 1e30, -1e30
    far = replace(model, layers={**model.layers, "stem.conv": replace(layer, bias=bias)})
    (each,) = (each for each in lower(far).instructions if each.name == "stem.relu")
    thresholds = each.arrays["thresholds"]
    assert set(thresholds[0].tolist()) == {-(2**62)}
    assert set(thresholds[1].tolist()) == {2**62}
    assert_engine_equals_oracle(far, networks.hard_images(far, 3))


@pytest.mark.parametrize("bias", [(0.0, 0.0, 0.0), (0.5, -2.0, 1e-3), (1e30, -1e30, 1.0)])
def test_a_classifier_of_zeros_gives_its_biases_to_30_bits(bias: tuple[float, ...]) -> None:
    """Spec: AQ-SNAP-3, AQ-SNAP-6."""
    parameters = small.parameters()
    parameters["head.linear.weight"][:] = 0
    parameters["head.linear.bias"][:] = bias
    model = quantize_with(small.graph(), parameters, small.images(8), Config("rtn", 8, 8))
    unit = Fraction(model.layers["head.linear"].unit[0])
    for lowering in ("threshold", "fixed_point"):
        logits = Engine(lower(model, lowering)).run(small.images(2))["head.linear"]
        for image in logits.tolist():
            for logit, exact in zip(image, np.array(bias, np.float32).tolist(), strict=True):
                assert abs(logit * unit - Fraction(exact)) * 2**28 <= max(map(abs, bias))
    assert_engine_equals_oracle(model, small.images(1))


def test_a_classifier_whose_biases_have_no_room_is_refused_with_the_reason() -> None:
    model = networks.residual_network(0)
    last = model.layers["head.linear"]
    far = replace(last, bias=last.unit * 2.0**31)
    other = replace(model, layers={**model.layers, "head.linear": far})
    with pytest.raises(InputError, match=r"^head.linear: its bias is 2147483648 units, beyond int"):
        lower(other)
