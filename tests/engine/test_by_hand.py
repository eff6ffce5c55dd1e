"""Models and programs put together by hand: every door takes them, or refuses them in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.instruction import Instruction
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from aquant_ref.simulate.simulation import Simulation
from tests.engine import networks

MODEL = networks.residual_network(0)
PROGRAM = lower(MODEL)
LAYER, TENSOR = MODEL.layers["stem.conv"], MODEL.tensors["stem.relu"]
SCALE = float(np.float32(TENSOR.scale))


def layer(**parts: Any) -> QuantizedModel:
    return replace(MODEL, layers={**MODEL.layers, "stem.conv": replace(LAYER, **parts)})


def tensor(**parts: Any) -> QuantizedModel:
    return replace(MODEL, tensors={**MODEL.tensors, "stem.relu": replace(TENSOR, **parts)})


MODELS: dict[str, Callable[[], QuantizedModel]] = {
    "codes in a list": lambda: layer(codes=LAYER.codes.tolist()),
    "masked codes": lambda: layer(codes=np.ma.masked_equal(LAYER.codes, 0)),
    "codes that are reals": lambda: layer(codes=LAYER.codes.astype(float)),
    "no zero points": lambda: layer(zero_point=None),
    "a unit in float32": lambda: layer(unit=LAYER.unit.astype(np.float32)),
    "bits that are True": lambda: layer(bits=True),
    "no layers": lambda: replace(MODEL, layers=None),
    "no layer": lambda: replace(MODEL, layers={**MODEL.layers, "stem.conv": None}),
    "no quantizer": lambda: replace(MODEL, tensors={**MODEL.tensors, "stem.relu": None}),
    "a scale in words": lambda: tensor(scale="1"),
    "a scale that is an array": lambda: tensor(scale=np.ones(1)),
    "a zero point that is a float": lambda: tensor(zero_point=0.0),
    "crossings in a list": lambda: tensor(crossings=TENSOR.crossings.tolist()),
    "a quantizer of what moves codes": lambda: replace(
        MODEL, tensors={**MODEL.tensors, "head.flatten": TENSOR}
    ),
    "no windows": lambda: replace(MODEL, windows=None),
    "a window of another kind": lambda: replace(MODEL, windows={"stem.conv": 3}),
    "a source that is none": lambda: replace(MODEL, source=None),
    "a source that JSON cannot say": lambda: replace(MODEL, source={"a": {1}}),
    "a source whose keys are numbers": lambda: replace(MODEL, source={1: 2}),
    "no graph": lambda: replace(MODEL, graph=None),
}
MODEL_DOORS: dict[str, Callable[[QuantizedModel, Path], Any]] = {
    "save": lambda model, path: model.save(path),
    "lower": lambda model, path: lower(model),
    "lower, fixed point": lambda model, path: lower(model, "fixed_point"),
    "Simulation": lambda model, path: Simulation(model),
    "FixedPointSimulation": lambda model, path: FixedPointSimulation(model, FixedPoint()),
}


@pytest.mark.parametrize("wrong", MODELS)
@pytest.mark.parametrize("door", MODEL_DOORS)
def test_a_model_whose_parts_cannot_be_so_is_refused(door: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        MODEL_DOORS[door](MODELS[wrong](), tmp_path / "model.npz")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("door", MODEL_DOORS)
def test_numbers_of_numpy_are_those_of_python(door: str, tmp_path: Path) -> None:
    model = tensor(scale=np.float32(SCALE), zero_point=np.int8(0), bits=np.uint8(TENSOR.bits))
    assert model.sha256() == tensor(scale=SCALE).sha256()
    MODEL_DOORS[door](model, tmp_path / "model.npz")


FIRST = PROGRAM.instructions[0]
CODES = next(each for each in PROGRAM.instructions if each.op == "threshold")


def changed(each: Instruction, **parts: Any) -> Program:
    found = (replace(i, **parts) if i is each else i for i in PROGRAM.instructions)
    return replace(PROGRAM, instructions=tuple(found))


def weight(made: Callable[[Any], Any]) -> Program:
    return changed(FIRST, arrays={**FIRST.arrays, "weight": made(FIRST.arrays["weight"])})


def thresholds(made: Callable[[Any], Any]) -> Program:
    return changed(CODES, arrays={"thresholds": made(CODES.arrays["thresholds"])})


PROGRAMS: dict[str, Callable[[], Program]] = {
    "instructions in a list": lambda: replace(PROGRAM, instructions=list(PROGRAM.instructions)),
    "nothing": lambda: replace(PROGRAM, instructions=()),
    "none": lambda: replace(PROGRAM, instructions=None),
    "an instruction that is none": lambda: replace(PROGRAM, instructions=(None,)),
    "a tensor made twice": lambda: replace(PROGRAM, instructions=(FIRST, *PROGRAM.instructions)),
    "no attributes": lambda: changed(FIRST, attributes=None),
    "an attribute more": lambda: changed(FIRST, attributes={**FIRST.attributes, "x": 1}),
    "no arrays": lambda: changed(FIRST, arrays=None),
    "weights in a list": lambda: weight(np.ndarray.tolist),
    "masked weights": lambda: weight(lambda w: np.ma.masked_equal(w, 0)),
    "weights that are reals": lambda: weight(lambda w: w.astype(float)),
    "thresholds in another order": lambda: thresholds(lambda t: t[:, ::-1]),
    "thresholds that are reals": lambda: thresholds(lambda t: t + 0.5),
    "thresholds of fewer channels": lambda: thresholds(lambda t: t[1:]),
    "inputs in a list": lambda: changed(FIRST, inputs=["image"]),
}
PROGRAM_DOORS: dict[str, Callable[[Program, Path], Any]] = {
    "save": lambda program, path: program.save(path),
    "Engine": lambda program, path: Engine(program),
    "plain Engine": lambda program, path: Engine(program, product="plain"),
}


@pytest.mark.parametrize("wrong", PROGRAMS)
@pytest.mark.parametrize("door", PROGRAM_DOORS)
def test_a_program_that_cannot_be_run_is_refused(door: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        PROGRAM_DOORS[door](PROGRAMS[wrong](), tmp_path / "program.npz")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
