from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.experiments import worker
from aquant_ref.experiments.origin import Origin
from aquant_ref.experiments.worker import begins_with_qdrop, compute, first_of, first_pass
from aquant_ref.ptq.methods import Config

SETTINGS: dict[str, Any] = {"weight_bits": 2, "act_bits": 2, "iterations": 2, "batch": 4}


def config(method: str, **more: Any) -> Config:
    return Config(method, **{**SETTINGS, **more})


@pytest.fixture
def folder(tmp_path: Path, loads: list[Any]) -> Iterator[Path]:
    """This process as a worker on the small network, with the folder of its results."""
    worker._process = worker._Process(Origin.find("tiny", "idx:x"), 16, tmp_path)
    yield tmp_path
    worker._process = None


def row(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*.json")
    made: dict[str, Any] = json.loads(path.read_text())
    assert path.stem == made["key"]
    return made


def test_methods_that_differ_in_their_second_pass_share_the_key_of_the_first() -> None:
    shared = {first_of(config(method)) for method in ("qdrop-scales", "aquant", "qdrop")}
    assert shared == {config("qdrop")}
    assert first_of(config("aquant", seed=1)) != first_of(config("aquant"))
    for more in ({"weight_bits": 3}, {"mixing": "qdrop"}, {"search": "qdrop-all"}):
        assert first_of(config("aquant", **more)) != first_of(config("aquant"))


@pytest.mark.parametrize(
    ("method", "shared"),
    [("qdrop", True), ("aquant", True), ("qdrop-bias", True), ("rtn", False), ("brecq", False)],
)
def test_the_first_pass_of_qdrop_is_that_of_the_methods_that_begin_with_it(
    method: str, shared: bool
) -> None:
    assert begins_with_qdrop(config(method)) == shared


def test_a_first_pass_is_computed_once(folder: Path, loads: list[Any]) -> None:
    first_pass(first_of(config("aquant")))
    (path,) = folder.iterdir()
    assert path.name.startswith("first-")
    before = path.stat().st_mtime_ns
    assert worker._process is not None
    worker._process.inputs.clear()
    first_pass(first_of(config("qdrop-scales")))
    assert (path.stat().st_mtime_ns, len(loads)) == (before, 1)


def test_a_cell_is_one_row_under_its_key(folder: Path) -> None:
    compute(config("rtn"))
    made = row(folder)
    assert (made["method"], made["weight_bits"], made["act_bits"]) == ("rtn", 2, 2)
    assert (made["border"], made["block_errors"], made["images"]) == ("", [], 16)
    assert made["tested"] == 5
    assert 0 <= made["top1"] <= 1


def test_a_second_pass_begins_with_the_stored_first_one(folder: Path) -> None:
    """Its errors come first in the row, and its time is counted."""
    first_pass(config("qdrop"))
    (path,) = folder.iterdir()
    stored = worker.checkpoint.load(path, worker.observe(*observed(), config("qdrop")))
    compute(config("qdrop-scales"))
    made = row(folder)
    count = len(stored["block_errors"])
    assert made["block_errors"][:count] == stored["block_errors"]
    assert len(made["block_errors"]) > count > 0
    assert made["seconds"] >= round(stored["seconds"], 1)


def observed() -> tuple[Any, Any, Any]:
    inputs = worker._inputs(config("qdrop"))
    return inputs.graph, inputs.parameters, inputs.graph.to_float(inputs.calibration)
