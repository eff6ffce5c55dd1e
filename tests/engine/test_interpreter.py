"""The plain interpreter: byte for byte what the fast engine computes, on every instruction."""

from __future__ import annotations

import ast
import inspect
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reference_models
from aquant_ref.conformance.expected import programs
from aquant_ref.engine import Engine, Program, float_product, interpreter
from aquant_ref.engine.fast.fixed_point import rounded_product
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.errors import InputError
from aquant_ref.integer import PROFILES as INTEGER_PROFILES
from aquant_ref.lowering import lower
from aquant_ref.nn.fold import fold_batch_norm
from aquant_ref.ptq import Config, nearest
from aquant_ref.quant.fixed_point import FLOAT_PROFILES, PROFILES
from tests.engine import graphs, networks
from tests.engine.test_engine import options


def assert_plain_equals_fast(program: Program, images: np.ndarray) -> None:
    plain, fast = (Engine(program, product=kind).run(images) for kind in ("plain", "auto"))
    assert plain.keys() == fast.keys() == set(program.recorded)
    for name, tensor in fast.items():
        assert plain[name].dtype == tensor.dtype, name
        assert plain[name].tobytes() == tensor.tobytes(), name


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_it_equals_the_fast_engine_on_random_graphs(seed: int) -> None:
    model = graphs.random_model(seed)
    assert_plain_equals_fast(lower(model), networks.hard_images(model, 3, seed))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), choice=options)
def test_it_equals_the_fast_engine_on_borders_in_windows(seed: int, choice: dict[str, Any]) -> None:
    model = networks.residual_network(seed, **choice)
    assert_plain_equals_fast(lower(model), networks.hard_images(model, 3, seed))


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    bits=st.sampled_from([0, 1, 8, 16]),
    profile=st.sampled_from(PROFILES),
)
def test_it_equals_the_fast_engine_in_fixed_point(seed: int, bits: int, profile: str) -> None:
    model = graphs.random_model(seed, fixed_point=True)
    try:
        program = lower(model, "fixed_point", fraction_bits=bits, profile=profile)
    except InputError:
        return
    assert_plain_equals_fast(program, networks.hard_images(model, 3, seed))


def written(program: Program) -> list[dict[str, Any]]:
    """The program as the kit asks kernels for it, in lists."""
    return [
        {
            "name": each.name,
            "op": each.op,
            "inputs": each.inputs,
            "attributes": each.attributes,
            "arrays": {key: array.tolist() for key, array in each.arrays.items()},
        }
        for each in program.instructions
    ]


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), lowering=st.sampled_from(["threshold", *INTEGER_PROFILES]))
def test_it_equals_the_judge_of_programs_on_random_graphs(seed: int, lowering: str) -> None:
    """The kit's judge states every instruction a second time, through the oracle."""
    fixed = lowering != "threshold"
    model = graphs.random_model(seed, fixed_point=fixed)
    try:
        program = lower(model, "fixed_point", profile=lowering) if fixed else lower(model)
    except InputError:
        return
    images = networks.hard_images(model, 3, seed)
    logits = interpreter.run(program, images)[program.output]
    for image, computed in zip(images, logits, strict=True):
        judged = programs.program(image=image.tolist(), program=written(program))
        assert computed.tolist() == judged[0]


@pytest.mark.parametrize("name", ["resnet8", "mobilenet"])
def test_it_equals_the_fast_engine_on_the_reference_models(name: str) -> None:
    model = reference_models.get(name)
    graph, parameters, _ = model.load(model.weights_path("shapes"))
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32)).astype(np.uint8)
    quantized = nearest(*fold_batch_norm(graph, parameters), images, Config("rtn", 2, 2))
    assert_plain_equals_fast(lower(quantized), images[:2])


INT32 = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-9, 9),
    st.builds(
        lambda n, d, s: s * (2**n + d),
        st.integers(20, 30),
        st.integers(-3, 3),
        st.sampled_from([-1, 1]),
    ),
)
MULTIPLIERS = st.one_of(
    st.floats(1e-12, 1e6),
    st.floats(5e-324, 1.7e308),
    st.builds(lambda n, d: (2.0**52 + n) * 2.0**d, st.integers(-5, 5), st.integers(-90, -50)),
    st.builds(lambda n, d: (2.0**23 + n + 0.5) * 2.0**d, st.integers(-5, 5), st.integers(-60, -20)),
)


@pytest.mark.parametrize("profile", FLOAT_PROFILES)
@example(acc=3, multiplier=0.5)  # a tie
@example(acc=-3, multiplier=0.5)
@example(acc=2**24 + 1, multiplier=0.25)  # which float32 cannot hold
@example(acc=-(2**31), multiplier=1e300)  # beyond every integer, and infinite in float32
@example(acc=2**31 - 1, multiplier=5e-324)
@example(acc=0, multiplier=1e300)
@settings(max_examples=150)
@given(acc=INT32, multiplier=MULTIPLIERS)
def test_a_product_in_floating_point_is_that_of_the_floats(
    profile: str, acc: int, multiplier: float
) -> None:
    made = float_product._float_product(acc, multiplier, profile)
    wanted = int(rounded_product(np.array([acc]), np.array([multiplier]), profile)[0])
    ends = (-(2**31), 2**31 - 1)  # where a rescaled integer saturates
    assert np.clip(made, *ends) == np.clip(wanted, *ends)
    if abs(Fraction(multiplier) * acc) < 2**20 and profile == "float64":
        assert abs(made - Fraction(multiplier) * acc) <= Fraction(1, 2) + Fraction(1, 2**20)


def test_it_states_every_instruction_and_computes_in_no_float() -> None:
    assert interpreter.FUNCTIONS.keys() == OPERATIONS.keys()
    for module in (interpreter, float_product):
        nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
        assert not [node for node in nodes if isinstance(node, ast.Div)]
        assert not [n for n in nodes if isinstance(n, ast.Constant) and type(n.value) is float]


def test_an_unknown_product_is_refused_with_those_there_are() -> None:
    program = lower(networks.residual_network(0))
    with pytest.raises(ValueError, match="one of auto, integer, plain, got 'fast'"):
        Engine(program, product="fast")
