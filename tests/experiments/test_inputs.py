from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_models
from aquant_ref import data
from aquant_ref.errors import InputError
from aquant_ref.experiments import artifacts
from aquant_ref.experiments.exactness import exactness_table
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.experiments.fraction_bits import fraction_bits_table
from aquant_ref.experiments.grid import accuracy_table
from aquant_ref.experiments.inputs import Inputs, check_classes
from aquant_ref.experiments.quantize import run_experiment, train_model
from aquant_ref.formats import native
from aquant_ref.ptq.methods import Config
from aquant_ref.quant.fixed_point import FixedPoint
from tests import tiny
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
    Inputs.load("resnet8", spec, images=4, seed=0, weights=str(tmp_path / "w.npz"), say=said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{spec}: has 6 classes, the model 10 without names; top-1 means")


def test_names_that_no_result_can_hold_are_refused() -> None:
    for given in ({"data_set": "folder:caf\udce9"}, {"weights": "caf\udce9.npz"}):
        with pytest.raises(InputError, match="is not in UTF-8"):
            Inputs.load(**{"model": "resnet8", "data_set": "shapes", **given}, images=8, seed=0)


SMALL = {"model": "tiny", "data": "idx:set", "weights": "w.npz"}
OUT = Path("t.json")
CONFIG = Config("rtn", 2, 2, iterations=1)


def small(images: Any, config: Config = CONFIG, **more: Any) -> Experiment:
    return Experiment(config=config, images=images, **SMALL, **more)


COUNTS: dict[str, Callable[[Any], Any]] = {
    "quantize": lambda n: run_experiment(small(n)),
    "train": lambda n: train_model("tiny", "idx:set", out=Path("t.npz"), epochs=n),
    "seed": lambda n: train_model("tiny", "idx:set", out=Path("t.npz"), epochs=1, seed=n),
    "run": lambda n: artifacts.rerun(Path("saved"), images=n),
    "exact": lambda n: exactness_table(
        [small(n, replace(CONFIG, method="aquant", batch=1))], ["threshold"], OUT
    ),
    "fixed-point": lambda n: fraction_bits_table([small(n, lowering=FixedPoint())], OUT),
    "limited": lambda n: data.load("idx:set", split="test").limited(n),
}


def test_what_is_no_count_is_refused_before_the_work_and_numpy_s_integers_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past bug: a result with a seed of numpy could not be written once it was there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(reference_models.MODELS, "tiny", tiny.TINY)
    tiny.write_set(Path("set"), 1)
    tiny.write_weights(Path("w.npz"), 1)
    run_experiment(small(np.int64(32)), out="saved")
    for name, door in COUNTS.items():
        for wrong in (-1, 1.5, "3", True, float("nan"), [3], b"3"):
            with pytest.raises(InputError, match=r"^(images|epochs|seed): needs whole"):
                door(wrong)
            assert not {"t.json", "t.npz", "t.checkpoint.npz"} & set(os.listdir()), name
        door(np.int16(1))
        OUT.unlink(missing_ok=True)
        Path("t.npz").unlink(missing_ok=True)


def test_what_is_no_set_or_split_is_refused_by_every_function() -> None:
    for wrong in (Path("idx"), None, 3, b"idx:set", ["shapes"]):
        for call in (data.check, data.identity, data.name, data.title, data.absolute):
            with pytest.raises(InputError, match="^data: needs text such as folder:PATH"):
                call(wrong)
        with pytest.raises(InputError, match="^data: needs text"):
            data.load(wrong, split="test")
        with pytest.raises(InputError, match="^data: needs text"):
            Experiment(data=wrong)


@pytest.mark.parametrize(
    "table",
    [
        lambda given: accuracy_table(given, OUT),
        lambda given: exactness_table(given, ["threshold"], OUT),
        lambda given: fraction_bits_table(given, OUT),
    ],
)
def test_a_table_is_of_one_model_data_set_and_number_of_images(
    table: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = Experiment(lowering=FixedPoint())
    for more, message in (
        ({"model": "mobilenet"}, "one model, got 'resnet8' and 'mobilenet'"),
        ({"data": "idx:x"}, "one data, got 'shapes' and 'idx:x'"),
        ({"weights": "w.npz"}, "one weights, got None and 'w.npz'"),
        ({"images": 64}, "one images, got 1024 and 64"),
    ):
        with pytest.raises(InputError, match=f"^experiments: a table has {message}"):
            table([one, replace(one, **more)])
    with pytest.raises(InputError, match="^experiments: needs at least one"):
        table([])
    assert os.listdir() == []


@pytest.mark.parametrize("make", sets.MAKERS, ids=lambda make: make.__name__)
def test_a_split_that_is_none_is_refused_by_every_function(
    tmp_path: Path, make: Callable[[Path], str]
) -> None:
    spec = make(tmp_path / "set")
    for wrong in ("val", 3, None, ["train"]):
        for call in (data.check, data.identity):
            with pytest.raises(InputError, match="^split: needs train or test"):
                call(spec, [wrong])  # type: ignore[list-item]
