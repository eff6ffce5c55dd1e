"""The door to what `quantize --out` has written: its three files, run again together."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from aquant_ref import data
from aquant_ref.data import Images
from aquant_ref.engine.program import MODEL
from aquant_ref.errors import InputError
from aquant_ref.experiments.artifacts import FILES, rerun
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT
from tests.engine.networks import residual_network
from tests.fuzz.mutate import own, values
from tests.fuzz.target import Target, Wrong
from tests.fuzz.targets.stored import saved

CLASSES = ("cat", "dog", "ship")


@cache
def _files() -> tuple[bytes, bytes]:
    model = residual_network(0)
    return saved(model.save), saved(lowering_of(model, None).program.save)


@cache
def _images() -> Images:
    shape = residual_network(0).graph.shapes[INPUT]
    return Images(np.zeros((2, *shape), np.uint8), np.array([0, 1]), CLASSES, "set")


def _folder() -> dict[str, bytes]:
    config = {"method": "aquant", "weight_bits": 2, "act_bits": 2}
    data_set = {"at": "idx:set", "division": "", "train": "a", "test": "b"}
    case = {
        "model": {"classes": list(CLASSES), "config": config, "block_errors": []},
        "program": {"lowering": "threshold", "fraction_bits": None, "profile": None},
        "result": {"data_set": data_set, "top1": {"engine": 0.5}},
    }
    fixed = {**case, "program": {"lowering": "fixed_point", "fraction_bits": 8, "profile": "exact"}}
    return {"thresholds": values.written(case), "fixed point": values.written(fixed)}


def _identity(spec: str, splits: object) -> str:
    """That of any set whose name can be read."""
    data.name(spec)
    return "b"


def run_again(path: Path) -> None:
    """Write the files with the sources and the result of the case, and run the network again."""
    case = json.loads(path.read_bytes())
    if not isinstance(case, dict) or not {"model", "program", "result"} <= case.keys():
        return
    folder = path.with_name("folder")
    folder.mkdir()
    model, program = _files()
    (folder / FILES[0]).write_bytes(own.with_source(model, case["model"]))
    source = case["program"]
    if isinstance(source, dict):
        source[MODEL] = QuantizedModel.load(folder / FILES[0]).sha256()
    (folder / FILES[1]).write_bytes(own.with_source(program, source))
    (folder / FILES[2]).write_bytes(values.written(case["result"]))
    with (
        mock.patch.object(data, "load", return_value=_images()),
        mock.patch.object(data, "identity", _identity),
    ):
        try:
            found = rerun(folder)
        except InputError as error:
            if "idx:set" in str(error):  # of the set, and not of a file
                raise InputError(f"{folder}: {error}") from error
            raise
    # the program has thresholds: where its source says so, it has to be what is simulated
    if source.get("lowering", "threshold") == "threshold" and not found.agreement.exact:
        raise Wrong("engine and simulation differ")
    json.dumps(found.result, allow_nan=False).encode()


TARGETS = (
    Target("saved-folder", _folder, (values.tree,), run_again, ".json", structured=True, quick=10),
)
