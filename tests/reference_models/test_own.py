"""`--model file.py:function` in every command that takes a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref import data
from aquant_ref.cli import main
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.nn.training.train import initial_parameters
from reference_models import get
from tests import tiny
from tests.data import sets

SOURCE = """
import aquant_ref as aq
from layers import CHANNELS  # a file beside this one

def build():
    net = aq.Network((3, 2, 3))
    with net.block("stem"):
        x = net.relu(net.batch_norm(net.conv2d(net.input, CHANNELS, kernel=1)))
    with net.block("body"):
        x = net.relu(net.conv2d(x, 3, kernel=(1, 2), padding=(0, 1)))
    with net.block("head"):
        net.linear(net.flatten(x), 10)
    return net

def half():
    return 0.5

def fails():
    return 1 / 0

def grey():
    net = aq.Network((1, 2, 3))
    x = net.relu(net.conv2d(net.input, 2, kernel=1))
    net.linear(net.flatten(x), 10)
    return net.graph()

def wide():
    net = aq.Network((2, 4, 3))
    net.linear(net.flatten(net.input), 10)
    return net.graph()

def few():
    net = aq.Network((3, 2, 3))
    net.linear(net.flatten(net.input), 4)
    return net.graph()
"""

SAYS = "print('printed'); return net\n"
SET = ("--data", "idx:set")
LOOK = ("--images", "32", "--iters", "1")
COMMANDS: dict[str, tuple[str, ...]] = {
    "quantize": ("quantize", "--method", "rtn", *SET, *LOOK, "--out", "out"),
    "table": ("table", "--methods", "rtn", *SET, *LOOK, "--out", "out.json"),
    "exact": ("exact", "--lowerings", "threshold", *SET, *LOOK, "--out", "out.json"),
    "fixed-point": (
        *("fixed-point", "--method", "rtn", "--fraction-bits", "8"),
        *(*SET, *LOOK, "--out", "out.json"),
    ),
    "claim": ("claim", "5", "--border", "linear", *SET, *LOOK, "--out", "out.json"),
}
each_command = pytest.mark.parametrize("command", [*COMMANDS, "train", "models"])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tiny.write_set(Path("set"), 1)
    Path("net.py").write_text(SOURCE)
    Path("layers.py").write_text("CHANNELS = 2\n")
    graph = get("net.py:build").build(0)
    np.savez("w.npz", **initial_parameters(graph, 0))
    return tmp_path


def words(command: str, model: str, weights: str = "w.npz") -> list[str]:
    if command == "models":
        return ["models", model]
    if command == "train":
        return ["train", model, *SET, "--epochs", "1", "--out", "t.npz"]
    return [*COMMANDS[command], "--model", model, "--weights", weights]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


@each_command
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("none.py:build", "none.py: no such file"),
        (".py:build", ".py: no such file"),
        ("net.py", "net.py: needs the name of a function, as in net.py:build"),
        ("net.py:", "net.py: needs the name of a function"),
        ("net.py:a-b", "net.py: needs the name of a function"),
        ("net.py:bild", "net.py: has no function 'bild' (did you mean 'build'?)"),
        ("net.py:CHANNELS", "net.py: has no function 'CHANNELS'"),
        ("net.py:half", "net.py: half returns float, needs a Graph or a Network"),
        ("net.py:fails", "net.py:19: fails fails (ZeroDivisionError: division by zero)"),
        ("wrong.py:build", "wrong.py: fails (SyntaxError: invalid syntax (wrong.py, line 1))"),
        ("leaves.py:build", "leaves.py:2: fails (SystemExit: 3)"),
        ("binary.py:build", "binary.py: fails (SyntaxError: "),
        ("nodes.py:build", "nodes.py:4: build fails (conv2d_1: conv2d has no attribute 'strides'"),
        ("set:build", "unknown model 'set:build'; choose from resnet8"),
    ],
)
def test_what_is_no_network_is_one_line_that_names_the_file(
    command: str, model: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("wrong.py").write_text("def build(:\n")
    Path("leaves.py").write_text("import sys\nsys.exit(3)\n")
    Path("binary.py").write_bytes(b"\x00\xff")
    Path("nodes.py").write_text(
        "import aquant_ref.nn as nn\n\ndef build():\n"
        "    return nn.Builder((1, 3, 3))('conv2d_1', 'conv2d', 'image', strides=2)\n"
    )
    before = set(place.iterdir())
    assert message in refused(capsys, *words(command, model))
    assert set(place.iterdir()) == before


@pytest.mark.parametrize("command", [*COMMANDS, "train"])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("net.py:wide", "images are 3x2x3, net.py:wide needs 2x4x3"),
        ("net.py:few", "has 10 classes, net.py:few 4"),
    ],
)
def test_a_network_that_does_not_fit_the_data_is_named(
    command: str, model: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("other.npz", **initial_parameters(get(model).build(0), 0))
    assert message in refused(capsys, *words(command, model, "other.npz"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own.pop("head.linear_1.bias"), "'head.linear_1.bias' is missing"),
        (lambda own: own.update(more=np.ones(1)), "'more' is unexpected"),
        (
            lambda own: own.update({"head.linear_1.bias": np.ones(3)}),
            "'head.linear_1.bias' has shape (3,), needs (10,)",
        ),
    ],
)
def test_weights_of_another_network_are_named(
    command: str,
    change: Callable[[dict[str, Any]], Any],
    message: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = dict(np.load("w.npz"))
    change(own)
    np.savez("other.npz", **own)
    line = refused(capsys, *words(command, "net.py:build", "other.npz"))
    assert "other.npz: parameter " in line
    assert message in line


def test_weights_are_asked_for(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "quantize", "--model", "net.py:build", *SET)
    assert "net.py:build: ships no weights; give a file (.npz or .safetensors) as weights" in line


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@each_command
def test_what_the_file_prints_is_no_part_of_the_result(
    command: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("says.py").write_text("print('at the top')\n" + SOURCE.replace("return net\n", SAYS, 1))
    assert main.main(words(command, "says.py:build")) == 0
    captured = capfd.readouterr()
    assert "printed" not in captured.out
    assert "at the top" not in captured.out
    assert "at the top\nprinted\n" in captured.err


def test_a_result_in_json_is_json_whatever_the_file_prints(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("says.py").write_text(SOURCE.replace("return net\n", SAYS, 1))
    assert main.main([*words("quantize", "says.py:build"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "says.py:build"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("aq.Netwrok", "no attribute 'Netwrok' (did you mean 'Network'?)"),
        ("aq.Network((1, 2, 3)).cnv2d", "no attribute 'cnv2d' (did you mean 'conv2d'?)"),
        ("from aquant_ref import quantise", "cannot import name 'quantise' from 'aquant_ref'"),
        ("network = 0; netwrok", "'netwrok' is not defined (did you mean 'network'?)"),
    ],
)
def test_a_misspelt_name_in_the_file_is_suggested(
    line: str, said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("typo.py").write_text(f"import aquant_ref as aq\n{line}\n")
    told = refused(capsys, *words("quantize", "typo.py:build"))
    assert told.startswith("aquant-ref: error: typo.py:2: fails (")
    assert said in told


def test_the_main_job_records_the_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(words("quantize", "net.py:build")) == 0
    assert " 0 mismatches" in capsys.readouterr().out
    result = json.loads(Path("out/result.json").read_text())
    assert result["model"] == "net.py:build"
    assert result["model_file_sha256"] == sha256("net.py")
    assert main.main(["run", "out"]) == 0


@pytest.mark.parametrize("command", ["exact", "fixed-point"])
def test_a_row_is_that_of_the_file_wherever_it_lies(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(model: str) -> Any:
        assert main.main(words(command, model)) == 0
        return json.loads(Path("out.json").read_text())["rows"]

    (row,) = rows("net.py:build")
    assert row["model"] == "net.py:build"
    assert row["model_file_sha256"] == sha256("net.py")
    Path("moved").mkdir()
    Path("net.py").rename("moved/net.py")
    Path("layers.py").rename("moved/layers.py")
    assert rows("moved/net.py:build") == [row]
    Path("moved/net.py").write_text(SOURCE + "# changed\n")
    first, second = rows("moved/net.py:build")
    assert first == row
    assert first["key"] != second["key"]


def test_workers_execute_the_file_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(words("table", "net.py:build")) == 0
    (row,) = json.loads(Path("out.json").read_text())["rows"]
    assert row["model_file_sha256"] == sha256("net.py")


def test_a_trained_network_is_quantized_with_what_training_wrote(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words("train", "net.py:build")) == 0
    assert main.main(words("quantize", "net.py:build", "t.npz")) == 0
    assert " 0 mismatches" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["quantize", "train"])
def test_a_network_of_one_channel_reads_grey_images_in_one(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("grey.npz", **initial_parameters(get("net.py:grey").build(0), 0))
    assert main.main(words(command, "net.py:grey", "grey.npz")) == 0
    if command == "quantize":
        assert main.main(["run", "out"]) == 0
        assert capsys.readouterr().out.count(" 0 mismatches") == 2


def test_digits_of_28x28_are_padded_unless_the_network_reads_28x28(tmp_path: Path) -> None:
    spec = sets.idx_plain(tmp_path / "digits")
    padded = data.load(spec, split="test").batch([0])
    own = data.load(spec, split="test", shape=(1, 28, 28)).batch([0])
    assert padded.shape == (1, 3, 32, 32)
    assert own.shape == (1, 1, 28, 28)
    np.testing.assert_array_equal(padded[:, 1:2, 2:-2, 2:-2], own)


def test_the_table_of_the_network_is_its_card(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["models", "net.py:build"]) == 0
    assert "stem.conv2d_1" in capsys.readouterr().out


def test_a_result_does_not_take_the_place_of_the_file(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.json").symlink_to("net.py")
    for command in ("table", "exact", "fixed-point", "claim"):
        line = refused(capsys, *words(command, "net.py:build"))
        assert "--out: out.json is the file of --model" in line


def test_a_file_that_changes_while_it_is_in_use_is_named(place: Path) -> None:
    origin = Experiment("net.py:build", "idx:set", weights="w.npz").origin()
    Path("net.py").write_text(SOURCE + "# changed\n")
    with pytest.raises(ValueError, match="net.py:build: has changed while it was in use"):
        origin.load(images=8, seed=0)
