from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aquant_ref.cli import main
from aquant_ref.data import cifar10
from aquant_ref.experiments import grid
from aquant_ref.experiments import table as results
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.ptq import Config
from aquant_ref.ptq.pipeline import learn, observe
from aquant_ref.ptq.reconstruction import network_error

METHODS = "rtn,qdrop,aquant,aquant@row/window"


ROW_KEYS = {
    "model",
    "data",
    "method",
    "weight_bits",
    "act_bits",
    "border",
    "seed",
    "top1",
    "float_top1",
    "seconds",
    "block_error",
}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A set in the form of CIFAR-10 with 40 training and 20 test images."""
    root = tmp_path_factory.mktemp("few")
    rng = np.random.default_rng(0)
    for split, each in (("train", 4), ("test", 2)):
        for name in cifar10.CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(each):
                pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return f"cifar10:{root}"


def table(few: str, out: Path, *more: str) -> list[str]:
    return [
        "table",
        "--data",
        few,
        "--images",
        "40",
        "--iters",
        "2",
        "--threads",
        "2",
        "--out",
        str(out),
        *more,
    ]


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.slow
def test_a_grid_writes_a_row_for_each_cell_and_redoes_none(
    few: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "few.json"
    assert main.main(table(few, out, "--methods", METHODS, "--bits", "W2A2,W32A2")) == 0
    printed = capsys.readouterr().out
    content = json.loads(out.read_text())
    rows = content["rows"]
    assert len(rows) == 8
    assert all(row.keys() >= ROW_KEYS for row in rows)
    assert {row["weight_bits"] for row in rows} == {2, 32}
    assert printed == out.with_suffix(".md").read_text() == results.markdown(rows)
    before = stamps(tmp_path / "few.cells")
    assert sum(name.startswith("first-") for name in before) == 2  # one for each of the bits
    assert main.main(table(few, out, "--methods", METHODS, "--bits", "W2A2,W32A2")) == 0
    assert json.loads(out.read_text()) == content
    assert stamps(tmp_path / "few.cells") == before
    # the table alone is enough to go on from: it is what gets committed
    for path in (tmp_path / "few.cells").iterdir():
        path.unlink()
    assert main.main(table(few, out, "--methods", METHODS)) == 0
    assert json.loads(out.read_text()) == content
    assert not stamps(tmp_path / "few.cells")


def test_a_second_pass_from_a_stored_first_pass_is_that_of_a_whole_run(
    few: str, tmp_path: Path
) -> None:
    config = Config("qdrop-scales", 2, 2, 5)
    work = Experiment("resnet8", few, config, images=40)
    (row,) = grid.accuracy_table([work], tmp_path / "a.json", processes=1)
    inputs = work.inputs()
    images = inputs.graph.to_float(inputs.calibration)
    network = observe(inputs.graph, inputs.parameters, images, config)
    errors = learn(network, images, config)
    assert row["block_errors"] == errors
    assert row["block_error"] == pytest.approx(network_error(network, images), rel=1e-6)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--bits", "2x2"], ["bits", "2x2", "W4A4"]),
        (["--methods", "magic"], ["magic", "qdrop"]),
        (["--methods", "aquant@wavy"], ["wavy", "row"]),
        (["--methods", "rtn@row"], ["border", "rtn"]),
        (["--seeds", "one"], ["--seeds", "one"]),
        (["--images", "31"], ["images", "batch"]),
        (["--images", "41"], ["images", "40"]),
        (["--out", "table.md"], ["out", "table.md", ".json"]),
        (["--out", "."], ["out", ".json"]),
    ],
)
def test_a_bad_argument_is_refused_before_any_work(
    few: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    words: list[str],
) -> None:
    assert main.main(table(few, tmp_path / "bad.json", *more)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(word in line for word in words), line
    assert not (tmp_path / "bad.json").exists()
