"""Random graphs of all operations: engine, oracle and simulation; and what must change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.engine import Engine, Program
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.operations import OPERATIONS
from aquant_ref.threads import set_threads
from tests.engine import graphs, networks
from tests.engine.judge import assert_engine_equals_oracle, assert_engine_equals_simulation

seeds = st.integers(0, 10**6)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(
        t.dtype == b[name].dtype and t.tobytes() == b[name].tobytes() for name, t in a.items()
    )


@settings(max_examples=40)
@given(seed=seeds)
def test_engine_equals_oracle_on_random_graphs(seed: int) -> None:
    """`python -m tests.engine.many --graphs 1000` does it for more."""
    model = graphs.random_model(seed)
    assert_engine_equals_oracle(model, networks.hard_images(model, 3, seed))


@settings(max_examples=60)
@given(seed=seeds)
def test_engine_equals_simulation_on_random_graphs(seed: int) -> None:
    """Spec: AQ-IDEAL-2."""
    model = graphs.random_model(seed)
    assert_engine_equals_simulation(model, networks.hard_images(model, 7, seed))


def test_every_add_of_a_random_graph_can_have_one_scale() -> None:
    """Past bug: of this seed a layer that an add needed was read by another node as well."""
    for seed in (347213, *range(20)):
        for fixed_point in (False, True):
            model = graphs.random_model(seed, fixed_point=fixed_point)
            assert graphs.adds_have_one_scale(model.graph)
    rng, leaky = np.random.default_rng(347213), np.random.default_rng([347213, 1])
    assert not graphs.adds_have_one_scale(graphs.drawn_graph(rng, leaky))


def test_the_random_graphs_have_all_there_is() -> None:
    models = [graphs.random_model(seed) for seed in range(60)]
    nodes = [node for model in models for node in model.graph.nodes]
    assert {node.op for node in nodes} == OPERATIONS.keys() - {"batch_norm"}
    convolutions = [node for node in nodes if node.op == "conv2d"]
    assert any(max(node.attributes.get("dilation", (1, 1))) > 1 for node in convolutions)
    assert any(node.attributes.get("groups", 1) > 1 for node in convolutions)
    assert {n.attributes["count_padding"] for n in nodes if n.op == "avg_pool"} == {False, True}
    tensors = [tensor for model in models for tensor in model.tensors.values()]
    assert {tensor.signed for tensor in tensors} == {False, True}
    assert {tensor.bits for tensor in tensors} >= set(range(1, 9))
    assert max(tensor.bits for tensor in tensors) > 12
    weight_bits = {layer.bits for model in models for layer in model.layers.values()}
    assert weight_bits >= set(range(1, 9))
    assert max(weight_bits) > 12
    assert {(1, 1), (1, 2)} & {model.graph.shapes[INPUT][1:] for model in models}


@settings(max_examples=15)
@given(seed=seeds)
def test_no_integer_of_a_random_graph_is_outside_its_bounds(seed: int) -> None:
    model = graphs.random_model(seed)
    program = lower(model)
    engine, known = Engine(program), program.bounds
    tensors = {INPUT: networks.hard_images(model, 9, seed)}
    for each in program.instructions:
        tensors[each.name] = x = engine._apply(
            engine._steps[each.name], [tensors[name] for name in each.inputs]
        )
        low, high = (np.reshape(end, (-1, *(1,) * (x.ndim - 2))) for end in known[each.name])
        assert ((x >= low) & (x <= high)).all(), each.name


@settings(max_examples=8)
@given(seed=seeds)
def test_threads_and_batches_change_no_byte_on_random_graphs(seed: int) -> None:
    model = graphs.random_model(seed)
    engine, images = Engine(lower(model)), networks.hard_images(model, 11, seed)
    try:
        set_threads(1)
        alone = engine.run(images)
        set_threads(3)
        assert same(engine.run(images), alone)
        parts = [engine.run(images[:1]), engine.run(images[1:6]), engine.run(images[6:])]
        assert same({n: np.concatenate([p[n] for p in parts]) for n in alone}, alone)
        assert same(Engine(engine.program, product="integer").run(images), alone)
    finally:
        set_threads(None)


@settings(max_examples=8)
@given(seed=seeds)
def test_random_models_and_programs_come_back_from_their_files(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    model = graphs.random_model(seed)
    program = lower(model)
    program.save(folder / "program.npz")
    model.save(folder / "model.npz")
    images = networks.hard_images(model, 3, seed)
    again = QuantizedModel.load(folder / "model.npz")
    assert again.sha256() == model.sha256()
    assert same(
        Engine(Program.load(folder / "program.npz")).run(images), Engine(program).run(images)
    )
    assert same(Engine(lower(again)).run(images), Engine(program).run(images))


@settings(max_examples=20)
@given(seed=seeds)
def test_signed_codes_are_unsigned_ones_less_half_their_number(seed: int) -> None:
    """Spec: AQ-AFFINE-5."""
    model = graphs.random_model(seed)
    made = {}
    for signed in (False, True):
        stored = networks.with_signs(model, signed)
        made[signed] = Engine(lower(stored)).run(networks.hard_images(model, 5, seed))
    for name, unsigned in made[False].items():
        if name == model.graph.output:
            assert (made[True][name] == unsigned).all()
            continue
        bits = model.tensors[name].bits
        assert made[True][name].dtype == (np.int8 if bits <= 8 else np.int16)
        assert unsigned.dtype == (np.uint8 if bits <= 8 else np.uint16)
        difference = unsigned.astype(np.int64) - made[True][name]
        assert (difference == 2 ** (bits - 1)).all()


def test_permuting_the_channels_of_a_tensor_permutes_its_codes_and_nothing_else() -> None:
    model = networks.residual_network(11, groups=1, size=(4, 5))
    order = np.array([2, 0, 3, 1])
    stem, relu = model.layers["stem.conv"], model.tensors["stem.relu"]
    parts = ("codes", "zero_point", "unit", "bias")
    layers = {
        **model.layers,
        "stem.conv": replace(stem, **{part: getattr(stem, part)[order] for part in parts}),
    }
    for name in ("body.conv1", "body.shortcut"):  # what reads it
        layers[name] = replace(layers[name], codes=layers[name].codes[:, order])
    tensors = {**model.tensors, "stem.relu": replace(relu, crossings=relu.crossings[order])}
    permuted = Engine(lower(replace(model, layers=layers, tensors=tensors)))
    images = networks.hard_images(model, 9)
    before, after = Engine(lower(model)).run(images), permuted.run(images)
    assert (after.pop("stem.relu") == before.pop("stem.relu")[:, order]).all()
    assert same(after, before)


def branches(swapped: bool) -> Graph:
    layer = Builder((2, 3, 4), (7, 0))
    with layer.block("all"):
        one = layer("one", "relu", layer("conv1", "conv2d", INPUT, channels=2, kernel=3))
        two = layer("two", "conv2d", INPUT, channels=3, kernel=3)
        both = (two, one) if swapped else (one, two)
        x = layer("flatten", "flatten", layer("concat", "concat", *both))
        layer("linear", "linear", x, channels=2)
    return layer.graph()


def test_the_order_of_a_concat_is_that_of_its_channels() -> None:
    """One input is codes, the other the sums of a convolution, which are not rounded before."""
    model = graphs.draw_model(np.random.default_rng(5), branches(False), bits=3)
    assert "all.two" not in model.tensors
    order = np.array([2, 3, 4, 0, 1])
    positions = np.arange(10).reshape(5, 2)[order].ravel()
    concat, linear = model.tensors["all.concat"], model.layers["all.linear"]
    crossings = np.broadcast_to(concat.crossings, (5, 7))[order]
    swapped = replace(
        model,
        graph=branches(True),
        tensors={**model.tensors, "all.concat": replace(concat, crossings=crossings)},
        layers={**model.layers, "all.linear": replace(linear, codes=linear.codes[:, positions])},
    )
    images = networks.hard_images(model, 9)
    before, after = (Engine(lower(each)).run(images) for each in (model, swapped))
    assert (after.pop("all.concat") == before.pop("all.concat")[:, order]).all()
    assert same(after, before)
