from __future__ import annotations

import numpy as np

from aquant_ref.certification.certificate import certify
from aquant_ref.lowering import Lowering
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.simulate import Simulation
from tests.engine import networks
from tests.engine.judge import assert_engine_equals_oracle


def test_the_certificate_says_what_type_holds_the_integers() -> None:
    certificates = certify(Lowering(networks.residual_network(11)))
    assert {c.name: c.held_in for c in certificates} == {
        "stem.relu": "int32",
        "body.relu1": "int32",
        "body.relu2": "int64",
        "head.mean": "int32",
        "head.linear": "int32",
    }


def test_a_certified_layer_agrees_and_every_threshold_is_counted() -> None:
    """Spec: AQ-LOWER-5."""
    model = networks.residual_network(11)
    certificates = {c.name: c for c in certify(Lowering(model))}
    assert set(certificates) == {
        "stem.relu",
        "body.relu1",
        "body.relu2",
        "head.mean",
        "head.linear",
    }
    assert certificates["stem.relu"].thresholds == 4 * 3
    assert certificates["head.mean"].thresholds == 4 * 255
    assert all(c.error > 0 for c in certificates.values())
    single = {c.name: c for c in certify(Lowering(model), dtype=np.float32)}
    assert all(single[name].error > 1e6 * c.error for name, c in certificates.items())


def tied_network() -> QuantizedModel:
    """A network whose thresholds lie exactly on accumulators: bias 0 and a border of 1/2."""
    model = networks.residual_network(1, border=False)
    layer, tensor = model.layers["stem.conv"], model.tensors["stem.relu"]
    tied = type(layer)(
        layer.codes,
        layer.zero_point,
        layer.bits,
        np.full(4, tensor.scale / 2),
        np.zeros(4),
    )
    layers = {**model.layers, "stem.conv": tied}
    return QuantizedModel(model.graph, layers, model.tensors)


def test_a_threshold_on_an_accumulator_is_fragile() -> None:
    certificate = certify(Lowering(tied_network()))[0]
    assert certificate.margin == 0
    assert not certificate.certified
    assert certificate.fragile == certificate.thresholds


def test_the_engine_is_right_where_the_simulation_is_fragile() -> None:
    model = tied_network()
    assert_engine_equals_oracle(model, networks.hard_images(model, 4))


def test_the_error_bound_holds_in_float32() -> None:
    model = networks.residual_network(2, weight_bits=8, act_bits=4)
    images = networks.hard_images(model, 40)
    bound = {c.name: c.error for c in certify(Lowering(model), dtype=np.float32)}
    exact, single = Simulation(model), Simulation(model, dtype=np.float32)
    unit = model.layers["stem.conv"].unit[:, None, None]

    def accumulators(simulation: Simulation) -> np.ndarray:
        image = images * simulation.dtype.type(model.tensors["image"].scale)
        nodes = model.graph.nodes[:1]
        made = model.graph.evaluate(simulation.parameters, {"image": image}, nodes=nodes)
        return np.asarray(made["stem.conv"].astype(np.float64) / unit)

    assert abs(accumulators(exact) - accumulators(single)).max() <= bound["stem.relu"]
