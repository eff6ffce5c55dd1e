"""A network is run again on the data set that it was quantized on, and says where that is another.

Past bug: `run DIR` of a network quantized on digits was tested on shapes, 10.60 % instead of
99.17 %.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_models
from aquant_ref import data
from aquant_ref.claims import claims
from aquant_ref.cli import main
from aquant_ref.data import folder
from aquant_ref.errors import InputError
from aquant_ref.experiments import artifacts, recorded
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.experiments.origin import Origin
from aquant_ref.formats import native
from aquant_ref.nn.training.train import Recipe, initial_parameters
from aquant_ref.ptq import observers
from tests import tiny
from tests.data import sets

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Folders give images of 4x4, and few values are searched for a scale."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(reference_models.MODELS, "tiny", tiny.TINY)
        patch.setattr(folder, "RESIZED", 4)
        patch.setattr(folder, "CROPPED", 4)
        patch.setattr(observers, "OBSERVED", 1 << 12)
        yield


def quantize(root: Path, spec: str, model: str) -> list[str]:
    classes = data.load(spec, split="test").classes
    graph = reference_models.get(model).build(len(classes))
    meta = {"model": model, "classes": list(classes)}
    native.save(root / "w.npz", "weights", meta=meta, arrays=initial_parameters(graph, 0))
    setting = ["--method", "rtn", "--weight-bits", "4", "--act-bits", "4", "--images", "6"]
    options = ["--model", model, "--data", spec, "--weights", str(root / "w.npz")]
    return ["quantize", *setting, *options, "--out", str(root / "out")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network quantized on idx:digits, given as a relative path; in out/."""
    root = tmp_path_factory.mktemp("digits")
    tiny.write_set(root / "digits", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main.main(quantize(root, "idx:digits", "tiny")) == 0
    return root


@pytest.fixture
def digits(made: Path, tmp_path: Path) -> Path:
    """A copy of it, and of the data set, in which a test may change things."""
    root = tmp_path / "root"
    shutil.copytree(made, root)
    result = json.loads((root / "out/result.json").read_text())
    result["data_set"]["at"] = f"idx:{root}/digits"
    (root / "out/result.json").write_text(json.dumps(result))
    return root


def ran(capsys: Captured, *options: str | Path) -> str:
    capsys.readouterr()
    assert main.main(["run", *map(str, options)]) == 0
    return capsys.readouterr().out


def test_the_recorded_set_is_the_default_from_whatever_folder(
    made: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    out = ran(capsys, made / "out")
    assert f"program.npz on idx:{made}/digits\n" in out
    assert "quantized on" not in out
    assert "10 images" in out
    result = artifacts.rerun(made / "out").result
    assert (result["data"], result["same_images"]) == (f"idx:{made}/digits", True)


def test_another_set_is_named_and_the_same_one_elsewhere_is_not(
    digits: Path, capsys: Captured
) -> None:
    shutil.copytree(digits / "digits", digits / "same")
    assert "quantized on" not in ran(capsys, digits / "out", "--data", f"idx:{digits}/same")
    other = sets.idx_file(np.full((10, *tiny.SHAPE[1:]), 9, np.uint8))
    (digits / "same/t10k-images-idx3-ubyte").write_bytes(other)
    out = ran(capsys, digits / "out", "--data", f"idx:{digits}/same")
    assert f"on idx:{digits}/same\n  quantized on idx:{digits}/digits\n" in out
    (digits / "digits/t10k-images-idx3-ubyte").write_bytes(other)
    out = ran(capsys, digits / "out")
    assert f"  quantized on idx:{digits}/digits, which has changed since\n" in out


def test_a_recorded_set_that_is_gone_is_one_line_that_says_what_to_do(digits: Path) -> None:
    shutil.rmtree(digits / "digits")
    with pytest.raises(InputError) as caught:
        artifacts.rerun(digits / "out")
    message = str(caught.value)
    assert message.startswith(f"{digits}/out/result.json: ")
    assert f"{digits}/digits: no such file or folder" in message
    assert "give another set as data" in message


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "{}",
        '{"data": "shapes"}',
        '{"data_set": "shapes"}',
        '{"data_set": {"at": "shapes"}}',
        '{"data_set": {"at": 1, "test": "x"}}',
        '{"data_set": {"at": "mnist", "test": "x"}}',
        '{"data_set": {"at": "idx:/\\u0000", "test": "x"}}',
        "[" * 100_000,
    ],
)
def test_a_result_that_names_no_set_is_refused_by_file_unless_one_is_given(
    made: Path, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "result.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=f"^{path}: .*; give (one|another set) as data"):
        recorded.set_to_run(path)
    if content is None or "idx" not in content and "mnist" not in content:
        given = recorded.set_to_run(path, f"idx:{made}/digits")
        assert given == (f"idx:{made}/digits", {"quantized_on": None, "same_images": None})


def test_a_set_that_is_divided_here_says_so_in_every_output(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = sets.undivided_folder(tmp_path / "set")
    how = "split by seed 0: 80 % train, 20 % test"
    recipes = {"folder": Recipe(1, batch=4, crop=0)}
    model = replace(tiny.TINY, build=partial(tiny.build, shape=(3, 4, 4)), recipes=recipes)
    monkeypatch.setitem(reference_models.MODELS, "tiny", model)
    job = quantize(tmp_path, spec, "tiny")
    assert main.main(job) == 0
    assert f"tiny on {spec} with {tmp_path}/w.npz, {how}: rtn" in capsys.readouterr().out
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["data_set"]["division"] == how
    assert f"on {spec}, {how}\n" in ran(capsys, tmp_path / "out")
    assert artifacts.rerun(tmp_path / "out").result["division"] == how
    trained = tmp_path / "trained.npz"
    assert main.main(["train", "tiny", "--data", spec, "--out", str(trained)]) == 0
    assert f"trained on folder, {how}\n" in capsys.readouterr().err
    assert native.load(trained, "weights")[0]["data"] == f"folder, {how}"
    evidence = claims.Evidence({"found": 1}, "what was found")
    claim = replace(claims.CLAIMS[2], gather=lambda *_: evidence)
    monkeypatch.setitem(claims.CLAIMS, 2, claim)
    setting = ["--data", spec, "--weights", str(tmp_path / "w.npz"), "--images", "32"]
    monkeypatch.setattr(Inputs, "load", lambda *_, **__: None)
    assert main.main(["claim", "2", *setting]) == 0
    assert f"{spec}: {how}\n" in capsys.readouterr().out
    row = Origin.find("tiny", spec, str(tmp_path / "w.npz")).row()  # of every other table
    assert row["data"] == f"folder, {how}"


COMMANDS: dict[str, list[str]] = {
    "quantize": ["quantize"],
    "train": ["train", "resnet8"],
    "table": ["table", "--out", "o.json"],
    "claim": ["claim", "2"],
    "fixed-point": ["fixed-point"],
    "exact": ["exact", "--out", "o.json"],
    "run": ["run", "DIR"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
@pytest.mark.parametrize("kind", ["folder", "idx", "cifar10"])
def test_a_data_set_that_is_not_there_is_what_is_blamed(
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
    command: list[str],
    kind: str,
) -> None:
    """Past bug: "resnet8: has no weights for 'folder'"."""
    monkeypatch.chdir(tmp_path)
    where = [str(made / "out") if each == "DIR" else each for each in command]
    capsys.readouterr()
    assert main.main([*where, "--data", f"{kind}:nope"]) == 2
    assert capsys.readouterr().err == "aquant-ref: error: nope: no such file or folder\n"
    assert list(tmp_path.iterdir()) == []


def test_every_command_that_takes_a_data_set_is_among_these() -> None:
    parser: Any = main.parser()
    (commands,) = (each.choices for each in parser._actions if each.choices)
    taking = {name for name, each in commands.items() if "--data" in each._option_string_actions}
    assert taking == set(COMMANDS)
