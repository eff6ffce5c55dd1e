"""Learning, snap and partition where branches meet: concat, requantize, windowed pools, adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.ptq import Config, quantize_with
from aquant_ref.ptq.network import LearnedTensor
from aquant_ref.ptq.pipeline import observe
from aquant_ref.ptq.placement import boundary_tensors, quantized_tensors, tensor_bits
from aquant_ref.ptq.snap import snap
from tests.engine.judge import assert_engine_equals_oracle, assert_engine_equals_simulation
from tests.ptq import small
from tests.ptq.small import branching_graph as graph


def test_concat_and_requantize_are_stored_and_a_layer_goes_unrounded_into_its_concat() -> None:
    stored = set(quantized_tensors(graph()))
    assert {"body.concat", "body.mean", "tail.code"} <= stored
    assert not {"body.conv2", "body.add", "head.pool"} & stored
    assert tensor_bits(graph(), 2)["body.concat"] == 2


def test_every_branch_of_a_concat_before_the_last_layer_has_eight_bits() -> None:
    layer = Builder((1, 3, 3))
    with layer.block("all"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=2, kernel=1))
        one, two = (layer(name, "requantize", x) for name in ("one", "two"))
        x = layer("flatten", "flatten", layer("concat", "concat", one, two, INPUT))
        layer("linear", "linear", x, channels=2)
    found = boundary_tensors(layer.graph())
    assert found == {INPUT, *(f"all.{n}" for n in ("relu", "one", "two", "concat"))}


@pytest.mark.parametrize("method", ["rtn", "qdrop", "aquant", "aquant-closed-form", "aquant-bias"])
def test_methods_learn_what_the_engine_computes(method: str) -> None:
    config = replace(small.CONFIG, method=method, act_bits=3)
    model = quantize_with(graph(), small.parameters(graph()), small.images(), config)
    assert_engine_equals_oracle(model, small.images()[:3])
    assert_engine_equals_simulation(model, small.images())


def test_learning_lowers_the_error_of_a_block_with_a_concat() -> None:
    config = Config("qdrop", 2, 2, iterations=150, batch=16)
    model = quantize_with(graph(), small.parameters(graph()), small.images(), config)
    errors = {each["block"]: each for each in model.source["block_errors"]}
    assert errors.keys() == {"body", "tail"}
    assert errors["body"]["after"] < errors["body"]["before"]


@pytest.mark.parametrize("method", ["aquant", "qdrop-bias"])
def test_signed_storage_changes_no_logit_and_moves_codes_by_half_their_number(method: str) -> None:
    """Spec: AQ-AFFINE-5."""
    made = {}
    for signed in (False, True):
        config = replace(small.CONFIG, method=method, signed=signed)
        model = quantize_with(graph(), small.parameters(graph()), small.images(), config)
        assert {t.signed for name, t in model.tensors.items() if name != INPUT} == {signed}
        made[signed] = Engine(lower(model)).run(small.images())
    for name, codes in made[False].items():
        half = 0 if name == model.graph.output else 2 ** (model.tensors[name].bits - 1)
        assert (codes.astype(np.int64) - made[True][name] == half).all()


def test_wide_codes_stay_unsigned_and_what_is_not_wide_does_not() -> None:
    config = replace(small.CONFIG, border="row", signed=True)
    model = quantize_with(graph(), small.parameters(graph()), small.images(), config)
    assert not {model.tensors[name].signed for name in (INPUT, *model.wide())} - {False}
    assert model.tensors["body.mean"].signed
    assert_engine_equals_oracle(model, small.images()[:3])
    signed = replace(model.tensors["stem.relu"], signed=True, zero_point=-2)
    with pytest.raises(ValueError, match="rounds in windows what is stored with signed codes"):
        replace(model, tensors={**model.tensors, "stem.relu": signed}).check()


def added(*ops: str, more: Any = None) -> Graph:
    """An add of two terms, each made by one operation of the image; `more` may add nodes."""
    layer = Builder((2, 2, 3))
    with layer.block("all"):
        options = {"conv2d": {"channels": 2, "kernel": 1}}
        terms = [layer(f"term{k}", op, INPUT, **options.get(op, {})) for k, op in enumerate(ops, 1)]
        x = layer("add", "add", *terms)
        if more is not None:
            x = more(layer, x, terms)
        layer("linear", "linear", layer("flatten", "flatten", x), channels=2)
    return layer.graph()


def third(layer: Builder, x: str, terms: list[str]) -> str:
    """A sum of three, rounded once."""
    return layer("more", "add", x, layer("term3", "conv2d", INPUT, channels=2, kernel=1))


def snapped(of: Graph) -> Any:
    config = Config("rtn", 3, 5)
    network = observe(of, small.parameters(of), of.to_float(images()), config)
    for name in ("all.term1", "all.term2"):
        if name in network.tensors:
            scale = {"all.term1": 0.37, "all.term2": 0.11}[name]
            network.tensors[name] = LearnedTensor(scale, 5, 3)
    return snap(network, {})


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 2, 2, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("ops", "more"),
    [
        (("requantize", "requantize"), None),
        (("conv2d", "requantize"), None),
        (("requantize", "conv2d"), None),
        (("conv2d", "conv2d"), None),
        (("conv2d", "requantize"), third),
        (("conv2d", "conv2d"), third),
    ],
)
def test_an_add_equals_the_oracle_whatever_its_terms_are(ops: tuple[str, ...], more: Any) -> None:
    model = snapped(added(*ops, more=more))
    assert_engine_equals_oracle(model, images()[:4])
    assert_engine_equals_simulation(model, images())


def test_an_add_of_stored_tensors_moves_no_scale() -> None:
    model = snapped(added("requantize", "requantize"))
    assert model.tensors["all.term1"].scale == float(np.float32(0.37))
    assert model.tensors["all.term2"].scale == float(np.float32(0.11))


def test_an_add_of_a_sum_and_a_stored_tensor_is_refused_in_one_line() -> None:
    def and_stored(layer: Builder, x: str, terms: list[str]) -> str:
        return layer("more", "add", x, layer("code", "requantize", INPUT))

    with pytest.raises(InputError, match=r"^all.more: neither all.add nor all.code is a layer"):
        snapped(added("conv2d", "requantize", more=and_stored))


def test_a_layer_that_two_adds_read_is_stored_and_both_are_exact() -> None:
    def again(layer: Builder, x: str, terms: list[str]) -> str:
        fourth = layer("term4", "conv2d", INPUT, channels=2, kernel=1)
        return layer("concat", "concat", x, layer("more", "add", terms[0], fourth))

    model = snapped(added("conv2d", "conv2d", more=again))
    assert "all.term1" in model.tensors
    assert_engine_equals_oracle(model, images()[:4])
