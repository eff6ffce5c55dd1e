from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import reference_models
from aquant_ref.engine import Program
from aquant_ref.errors import InputError
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.experiments.quantize import run_experiment, train_model
from aquant_ref.formats import native
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.outputs import FILES
from aquant_ref.ptq.methods import Config
from aquant_ref.quant.fixed_point import FixedPoint
from tests import tiny


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set and weights of the small model."""
    monkeypatch.setitem(reference_models.MODELS, "tiny", tiny.TINY)
    tiny.write_set(tmp_path / "a", 0)
    tiny.write_weights(tmp_path / "a.npz", 0)
    return tmp_path


def experiment(place: Path, **more: Any) -> Experiment:
    config = Config("rtn", 4, 4, batch=8)
    given = {"config": config, "images": 16, "weights": str(place / "a.npz"), **more}
    return Experiment("tiny", f"idx:{place / 'a'}", **given)


def test_the_main_job_writes_a_model_its_program_and_what_it_found(place: Path) -> None:
    said: list[str] = []
    outcome = run_experiment(experiment(place), out=str(place / "out"), say=said.append)
    assert {path.name for path in (place / "out").iterdir()} == set(FILES)
    assert json.loads((place / "out/result.json").read_text()) == outcome.result
    model = QuantizedModel.load(place / "out/model.npz")
    assert model.sha256() == outcome.model.sha256() == outcome.result["model_sha256"]
    assert Program.load(place / "out/program.npz").source["model_sha256"] == model.sha256()
    assert outcome.exact
    exact = outcome.result["bit_exact"]
    assert (exact["images"], exact["mismatches"]) == (10, 0)
    certificate = outcome.result["certificate"]
    assert certificate["layers"] == certificate["certified"] + certificate["fragile"] == 3
    steps = ("float", "nearest", "rtn", "snap", "lower and certify", "compare")
    assert [line.partition(":")[0] for line in said if line.endswith(" s")] == list(steps)


def test_fixed_point_is_set_beside_the_ideal_semantics_instead_of_certified(place: Path) -> None:
    outcome = run_experiment(experiment(place, lowering=FixedPoint(4)))
    assert outcome.lowered is not None
    assert outcome.lowered.certificates == ()
    assert outcome.result["certificate"] is None
    assert outcome.result["ideal"]["top1"].keys() == {"ideal", "engine"}
    assert (outcome.result["fraction_bits"], outcome.result["profile"]) == (4, "exact")


def test_weights_in_floating_point_are_simulated_alone(place: Path) -> None:
    outcome = run_experiment(
        experiment(place, config=Config("rtn", 32, 4, batch=8)), out=str(place / "out")
    )
    assert outcome.lowered is None
    assert outcome.exact
    assert outcome.result["not_lowered"]
    assert outcome.result["top1"]["engine"] is None
    assert {path.name for path in (place / "out").iterdir()} == {FILES[0], FILES[2]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "resnet9"}, "unknown model 'resnet9'"),
        ({"epochs": 0}, "^epochs: "),
        ({"seed": -1}, "^seed: "),
        ({"seed": 2**64}, "^seed: "),
        ({"out": Path("no/weights.npz")}, "no"),
        ({"data_set": "shapes:x"}, "shapes"),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_it_starts(
    place: Path, options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aquant_ref.data.load", None)
    given = {"model": "tiny", "data_set": f"idx:{place / 'a'}", "out": place / "w.npz", **options}
    with pytest.raises(InputError, match=message):
        train_model(given.pop("model"), given.pop("data_set"), **given)
    assert not (place / "w.npz").exists()


def test_a_training_leaves_weights_alone_and_they_say_what_they_are(place: Path) -> None:
    before = {path.name for path in place.iterdir()}
    said: list[str] = []
    path = train_model("tiny", f"idx:{place / 'a'}", out=place / "w.npz", epochs=1, say=said.append)
    assert {each.name for each in place.iterdir()} - before == {"w.npz"}
    meta, arrays = native.load(path, "weights")
    assert (meta["model"], meta["seed"], meta["recipe"]["epochs"]) == ("tiny", 0, 1)
    assert meta["classes"] == [str(number) for number in range(10)]
    assert {name: a.shape for name, a in arrays.items()} == tiny.build(10).parameter_shapes
    assert said[0].startswith("epoch 1 of 1: loss ")
    assert said[-1].startswith(f"wrote {path}, trained on ")
