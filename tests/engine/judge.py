"""The engine's tensors against those of the oracle and of the simulation, element by element."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from aquant_ref import oracle
from aquant_ref.certification.certificate import certify
from aquant_ref.engine import Engine
from aquant_ref.lowering import Lowering, lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.simulate import Simulation


def assert_engine_equals_oracle(model: QuantizedModel, images: np.ndarray) -> dict[str, np.ndarray]:
    """On every image; returns what the engine computed."""
    computed = Engine(lower(model)).run(images)
    plain = model.plain()
    for number, image in enumerate(images):
        judged = oracle.network(plain, image.tolist())
        for name, tensor in computed.items():
            if name == model.graph.output:
                ideal = [Fraction(v) for v in judged[name]]
                assert [Fraction(int(v)) for v in tensor[number]] == ideal, name
            else:
                assert tensor[number].tolist() == judged[name], name
    return computed


def assert_engine_equals_simulation(model: QuantizedModel, images: np.ndarray) -> None:
    """Every tensor up to the first one that the certificate calls fragile, if that one differs."""
    lowering = Lowering(model)
    computed, simulated = Engine(lowering.program).run(images), Simulation(model).run(images)
    for name, tensor in computed.items():
        assert tensor.dtype == simulated[name].dtype or name == model.graph.output
        if not np.array_equal(tensor, simulated[name]):
            assert {c.name: c for c in certify(lowering)}[name].fragile, name
            return
