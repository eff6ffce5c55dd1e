"""Whatever takes a word from a list answers another one in one form: what there is, and which of it
may have been meant.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aquant_ref as aq
import reference_models
from aquant_ref import data
from aquant_ref.cli import main
from aquant_ref.conformance import contract
from aquant_ref.engine import Instruction
from aquant_ref.engine.validate import check
from aquant_ref.errors import nearest
from aquant_ref.experiments import grid
from aquant_ref.experiments.exactness import exactness_table
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.integer import requantize
from aquant_ref.nn.graph import Builder
from aquant_ref.ptq import Config
from aquant_ref.quant.border import border
from aquant_ref.quant.fixed_point import FixedPoint
from tests import test_api


def net() -> aq.Network:
    return aq.Network((1, 4, 4))


def build(op: str, reads: str = "image", **attributes: Any) -> None:
    Builder((1, 4, 4))("x", op, reads, **attributes)


Door = tuple[Callable[[str], Any], str, str]
# What is called with a word, a word that is near to one of its list, and that one.
DOORS: dict[str, Door] = {
    "method": (lambda word: Config(word), "AQuant", "aquant"),
    "method of a table": (lambda word: grid.parse(f"{word}@row", "W2A2"), "aqaunt", "aquant"),
    "search": (lambda word: Config("rtn", search=word), "Brecq", "brecq"),
    "setting": (lambda word: Config.of("W2A2", **{word: 3}), "iters", "iterations"),
    "border word": (lambda word: Config(border=f"{word}/linear"), "rows", "row"),
    "family": (lambda word: aq.BorderSpec(family=word), "quadratik", "quadratic"),
    "squash": (lambda word: aq.BorderSpec(squash=word), "sigmoids", "sigmoid"),
    "squash of a border": (
        lambda word: border(np.zeros((1, 1)), np.zeros((1, 1)), 3, squash=word),
        "Clip",
        "clip",
    ),
    "attribute": (lambda word: build("max_pool", kernel=2, **{word: 1}), "strides", "stride"),
    "operation": (lambda word: build(word), "ReLU", "relu"),
    "tensor": (lambda word: net().relu(word), "imgae", "image"),
    "lowering": (lambda word: aq.lower(test_api.model(), word), "fixedpoint", "fixed_point"),
    "lowering of a table": (
        lambda word: exactness_table([Experiment()], [word], Path("x.json")),
        "LUT",
        "lut",
    ),
    "profile": (lambda word: FixedPoint(profile=word), "tflite", "tflite_up"),
    "profile of requantize": (
        lambda word: requantize(np.zeros(1, np.int32), 1 << 30, 1, qmin=0, qmax=1, profile=word),
        "tflite-up",
        "tflite_up",
    ),
    "model": (reference_models.get, "resnet9", "resnet8"),
    "data set": (lambda word: data.load(word, split="test"), "shape", "shapes"),
    "operation of the contract": (contract.get, "requantise", "requantize"),
    "instruction": (
        lambda word: check((1, 2, 2), (Instruction("x", word, ("image",)),)),
        "treshold",
        "threshold",
    ),
    "tensor of a program": (
        lambda word: aq.engine.Engine(test_api.program()).compute(
            "stem.relu_1", {word: np.zeros((1, 1, 5, 4), np.uint8)}
        ),
        "imgae",
        "image",
    ),
}
COMMANDS = {
    "command": (("quantise",), "quantize"),
    "option": (("quantize", "--metod", "rtn"), "--method"),
    "option with its value": (("table", "--seed=1", "--out=x.json", "--imagse=3"), "--images"),
    "option of the kit": (("verify", "--deviatoins", "x"), "--deviations"),
    "method": (("quantize", "--method", "qdrp"), "qdrop"),
    "border": (("quantize", "--border", "chanel"), "channel"),
    "lowering": (("quantize", "--lowering", "fixed-point"), "fixed_point"),
    "lowerings": (("exact", "--lowerings", "treshold", "--out", "x.json"), "threshold"),
    "profile": (("fixed-point", "--profiles", "exakt"), "exact"),
    "model": (("train", "mobilnet"), "mobilenet"),
    "card": (("models", "mobilnet"), "mobilenet"),
    "data": (("quantize", "--data", "cifar:x"), "cifar10:PATH"),
    "dtype": (("certify", "x", "--dtype", "float23"), "float32"),
}


@pytest.mark.parametrize("door", DOORS)
def test_the_nearest_word_is_suggested(door: str) -> None:
    call, word, meant = DOORS[door]
    with pytest.raises(aq.InputError) as caught:
        call(word)
    assert repr(word) in str(caught.value) or word in str(caught.value)
    assert f"(did you mean {meant!r}?)" in str(caught.value)


@pytest.mark.parametrize("door", DOORS)
def test_a_word_that_is_near_to_none_is_answered_without_a_guess(door: str) -> None:
    with pytest.raises(aq.InputError) as caught:
        DOORS[door][0]("zzzzzzzz")
    assert "did you mean" not in str(caught.value)
    assert "zzzzzzzz" in str(caught.value)


@pytest.mark.parametrize("door", COMMANDS)
def test_a_command_line_is_answered_with_the_nearest_word(
    door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, meant = COMMANDS[door]
    assert main.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"(did you mean {meant!r}?)" in line


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["quantize", "--methods", "x"], "(did you mean '--method'?)"),
        (["verify", "--adaptr", "x"], "(did you mean '--adapter'?)"),
        (["run", "--iters", "4"], "(an option of quantize, "),
        (["verify", "--outputs", "x"], "--outputs; see aquant-ref verify --help"),
        (["verify", "--foo"], "--foo; see aquant-ref verify --help"),
        (["verify", "-x"], "-x; see aquant-ref verify --help"),
    ],
)
def test_an_unknown_option_is_answered_with_one_that_is_near_or_where_it_belongs(
    command: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: --foo was answered with --json, which shares the dashes."""
    assert main.main(command) == 2
    assert said in capsys.readouterr().err


def test_a_word_of_a_megabyte_is_answered_at_once() -> None:
    assert nearest("a" * 2**20, ["aquant", "rtn"]) == ""
    with pytest.raises(aq.InputError) as caught:
        Config("method" * 2**18)
    assert len(str(caught.value)) < 500
