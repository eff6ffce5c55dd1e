"""The fixed-point simulation: bit for bit the engine, without any of its arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.engine import Engine
from aquant_ref.integer import PROFILES as INTEGER_PROFILES
from aquant_ref.lowering import lower
from aquant_ref.quant.fixed_point import PROFILES, FixedPoint
from aquant_ref.simulate.fixed_point import FixedPointSimulation, requantized
from tests.engine import graphs, networks
from tests.engine.test_engine import options


@settings(max_examples=100)
@given(
    seed=st.integers(0, 10**6),
    choice=options,
    bits=st.sampled_from([0, 1, 3, 8, 13, 16]),
    profile=st.sampled_from(PROFILES),
    tied=st.booleans(),
)
def test_engine_equals_simulation_on_random_networks(
    seed: int, choice: dict[str, Any], bits: int, profile: str, tied: bool
) -> None:
    model = networks.residual_network(seed, **choice)
    if tied:
        model = networks.tied(model, bits, seed)
    images = networks.hard_images(model, 12, seed)
    program = lower(model, "fixed_point", fraction_bits=bits, profile=profile)
    computed = Engine(program).run(images)
    simulated = FixedPointSimulation(model, FixedPoint(bits, profile)).run(images)
    assert simulated.keys() - {"image"} == computed.keys()
    for name, tensor in computed.items():
        assert tensor.tolist() == simulated[name].tolist(), name


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    bits=st.sampled_from([0, 2, 7, 8]),
    profile=st.sampled_from(PROFILES),
)
def test_engine_equals_simulation_on_random_graphs(seed: int, bits: int, profile: str) -> None:
    model = graphs.random_model(seed, fixed_point=True)
    images = networks.hard_images(model, 6, seed)
    computed = Engine(lower(model, "fixed_point", fraction_bits=bits, profile=profile)).run(images)
    simulated = FixedPointSimulation(model, FixedPoint(bits, profile)).run(images)
    for name, tensor in computed.items():
        assert tensor.tolist() == simulated[name].tolist(), name
        assert tensor.dtype == simulated[name].dtype or name == model.graph.output


def test_the_logits_alone_are_those_of_a_run() -> None:
    model = networks.residual_network(4)
    simulation = FixedPointSimulation(model, FixedPoint())
    images = networks.hard_images(model, 3)
    logits = simulation.logits(images)
    assert logits.tolist() == simulation.run(images)["head.linear"].tolist()
    assert logits.dtype == np.int64


@pytest.mark.parametrize("profile", INTEGER_PROFILES)
@given(
    acc=st.one_of(
        st.sampled_from([-(2**31), 2**31 - 1, 2**30, -1, 0, 1]), st.integers(-(2**31), 2**31 - 1)
    ),
    m=st.one_of(st.sampled_from([2**30, 2**31 - 1, 3 * 2**29]), st.integers(2**30, 2**31 - 1)),
    shift=st.integers(10, 62),
)
def test_a_product_of_62_bits_loses_none_of_them(
    profile: str, acc: int, m: int, shift: int
) -> None:
    """AQ-FIXED-2 to AQ-FIXED-4, in float64; float64 alone would round the product."""
    if profile in ("tflite_up", "tflite_away"):
        acc >>= max(31 - shift, 0)  # what its left shift would lose is refused elsewhere
    arrays = (np.array([float(v)]) for v in (acc, m, shift))
    assert requantized(*arrays, profile).item() == oracle.scale_accumulator(acc, m, shift, profile)
