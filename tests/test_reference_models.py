from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np
import pytest

import reference_models
from aquant_ref import data
from aquant_ref.errors import InputError
from aquant_ref.nn.accuracy import float_logits, top1
from reference_models import MODELS, ReferenceModel

PAIRS = [(model, name) for model in MODELS.values() for name in model.trained_on()]
each_weights_file = pytest.mark.parametrize(("model", "name"), PAIRS)


@each_weights_file
def test_the_card_has_the_checksum_and_the_accuracy_of_the_weights(
    model: ReferenceModel, name: str
) -> None:
    path = model.weights_path(name)
    _, _, meta = model.load(path)
    card = model.card()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert f"{100 * meta['top1']:.2f} %" in card
    assert f"aquant-ref train {model.name} --data {name}" in card
    assert meta["recipe"] == asdict(model.recipes[name])


@each_weights_file
def test_weights_are_float32_and_small(model: ReferenceModel, name: str) -> None:
    path = model.weights_path(name)
    assert path.stat().st_size < 1_000_000
    assert {p.dtype for p in model.load(path)[1].values()} == {np.dtype(np.float32)}


def test_the_weights_for_shapes_have_the_accuracy_of_their_card() -> None:
    model = reference_models.get("resnet8")
    graph, parameters, meta = model.load(model.weights_path("shapes"))
    images = data.load("shapes", split="test")
    measured = top1(lambda codes: float_logits(graph, parameters, codes), images)
    assert measured >= 0.95
    # another BLAS may round another way: an image or two at the edge of two classes
    assert measured == pytest.approx(meta["top1"], abs=0.0015)


def test_resnet8_is_the_network_of_the_contract() -> None:
    graph = MODELS["resnet8"].build(10)
    layers = [n for n in graph.nodes if n.op in ("conv2d", "linear")]
    weights = {n: s for n, s in graph.parameter_shapes.items() if n.endswith("weight")}
    assert sum(int(np.prod(s)) for s in weights.values()) == 77_360
    products = sum(
        int(np.prod(weights[f"{n.name}.weight"])) * int(np.prod(graph.shapes[n.name][1:]))
        for n in layers
    )
    assert products == 12_501_632
    assert [b.name for b in graph.blocks()] == ["stem", "stack1", "stack2", "stack3", "head"]


def test_weights_that_there_are_none_of_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'idx'.*as weights"):
        MODELS["resnet8"].weights_path("idx")
