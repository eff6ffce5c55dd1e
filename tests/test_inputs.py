from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reference_models
from aquant_ref import data
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.inputs import Inputs, check_classes
from tests.data import sets
from tests.engine import networks


def test_images_of_other_classes_are_refused() -> None:
    """Past bug: a program for shapes got 8.90 % on digits, and no word why."""
    model = networks.residual_network(1)

    def images(*classes: str) -> data.Images:
        return data.Images(np.zeros((1, 2, 4, 3), np.uint8), np.zeros(1, int), classes, "set")

    for classes in (("a", "b", "c"), ("a", "b"), ("a",)):
        check_classes(model.graph, images(*classes), "set", ("a", "b", "c"))
    check_classes(model.graph, images("x", "y"), "set", ())
    with pytest.raises(InputError, match="set: has a class 'x' where .* on 'b'"):
        check_classes(model.graph, images("a", "x"), "set", ("a", "b", "c"))
    with pytest.raises(InputError, match="set: has 4 classes, the model 3"):
        check_classes(model.graph, images("a", "b", "c", "d"), "set", ())


def test_names_that_a_wrapper_has_changed_are_told_by_whoever_loads_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every command loads its network here."""
    real = reference_models.get("resnet8")
    weights = native.load(real.weights_path("shapes"), "weights")
    _, parameters = weights
    graph = real.build(len(weights[0]["classes"]))
    path = tmp_path / "wrapped.npz"
    np.savez(path, **{f"module.{name}": tensor for name, tensor in parameters.items()})
    taken = replace(real, convert=lambda tensors: (graph, dict(tensors)))
    monkeypatch.setitem(reference_models.MODELS, "resnet8", taken)
    said: list[str] = []
    Inputs.load("resnet8", "shapes", images=8, seed=0, weights=str(path), say=said.append)
    assert said == [f"{path}: every tensor name begins with 'module.', which is left out"]


def test_a_set_of_fewer_classes_than_nameless_weights_have_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its labels may be those of other classes, as of ten folders of ImageNet's thousand."""
    real = reference_models.get("resnet8")
    graph, parameters, _ = real.load(real.weights_path("shapes"))
    np.savez(tmp_path / "w.npz", **parameters)
    taken = replace(real, convert=lambda tensors: (graph, dict(tensors)))
    monkeypatch.setitem(reference_models.MODELS, "resnet8", taken)
    spec = sets.idx_plain(tmp_path / "six")
    said: list[str] = []
    Inputs.load(
        "resnet8", spec, images=4, seed=0, weights=str(tmp_path / "w.npz"), say=said.append
    )
    assert len(said) == 1
    assert said[0].startswith(f"{spec}: has 6 classes, the model 10 without names; top-1 means")


def test_names_that_no_result_can_hold_are_refused() -> None:
    for given in ({"data_set": "folder:caf\udce9"}, {"weights": "caf\udce9.npz"}):
        with pytest.raises(InputError, match="is not in UTF-8"):
            Inputs.load(**{"model": "resnet8", "data_set": "shapes", **given}, images=8, seed=0)
