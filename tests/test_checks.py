"""Every door that takes images or labels refuses what is none, in one line; so do the settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref import nn
from aquant_ref.certification.certificate import certify
from aquant_ref.comparison.agreement import compare, compare_with_ideal
from aquant_ref.comparison.recording import Recording
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lower, lowering_of
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.accuracy import float_logits, top1
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import Recipe, initial_parameters, train
from aquant_ref.ptq import Config, nearest, observe, quantize_with
from aquant_ref.ptq.border_spec import BorderSpec
from aquant_ref.ptq.closed_form import closed_form
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.pipeline import learn, learned
from aquant_ref.ptq.reconstruction import network_error, run_pass
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.simulate.a_rounding import ARounding
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from aquant_ref.simulate.simulation import Simulation

SHAPE = (2, 4, 3)
RTN = Config("rtn", 4, 4, iterations=1, batch=2)
GOOD = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.uint8)


@cache
def graph() -> Graph:
    layer = Builder(SHAPE)
    with layer.block("stem"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=3, kernel=3, padding=1))
    with layer.block("body"):
        x = layer("relu", "relu", layer("conv", "conv2d", x, channels=3, kernel=1))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=3)
    return layer.graph()


@cache
def parameters() -> dict[str, np.ndarray]:
    return initial_parameters(graph(), 0)


@cache
def model() -> QuantizedModel:
    return nearest(graph(), parameters(), GOOD, RTN)


@cache
def program() -> Program:
    return lower(model())


@cache
def fixed() -> Program:
    return lower(model(), "fixed_point")


def network() -> LearnedNetwork:
    return observe(graph(), parameters(), graph().to_float(GOOD), RTN)


@dataclass
class Set:
    """Labelled images, whatever they are."""

    images: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Any) -> Any:
        return self.images[indices] if isinstance(self.images, np.ndarray) else self.images


def labelled(images: Any) -> Set:
    return Set(images, np.zeros(len(images), np.int64))


RECIPE = Recipe(1, batch=1, crop=0)
# What takes uint8 images, each called with them.
DOORS: dict[str, Callable[[Any], Any]] = {
    "Graph.to_float": lambda images: graph().to_float(images),
    "float_logits": lambda images: float_logits(graph(), parameters(), images),
    "ptq.quantize_with": lambda images: quantize_with(graph(), parameters(), images, RTN),
    "ptq.nearest": lambda images: nearest(graph(), parameters(), images, RTN),
    "ptq.learned": lambda images: learned(graph(), parameters(), images, RTN),
    "Simulation.run": lambda images: Simulation(model()).run(images),
    "Simulation.logits": lambda images: Simulation(model()).logits(images),
    "Simulation.compute": lambda images: Simulation(model()).compute("stem.relu", {INPUT: images}),
    "FixedPointSimulation.run": lambda images: FixedPointSimulation(model(), FixedPoint()).run(
        images
    ),
    "ARounding.logits": lambda images: ARounding(model(), parameters()).logits(images),
    "Engine.run": lambda images: Engine(program()).run(images),
    "Engine.compute": lambda images: Engine(program()).compute("stem.relu", {INPUT: images}),
    "compare": lambda images: compare(model(), program(), labelled(images)),
    "compare_with_ideal": lambda images: compare_with_ideal(model(), fixed(), labelled(images)),
    "Recording.of": lambda images: Recording.of(
        Engine(program()).run, labelled(images), {}, batch=2
    ),
    "top1": lambda images: top1(Simulation(model()).logits, labelled(images)),
    "train": lambda images: train(graph(), labelled(images), RECIPE, seed=0),
    "train, test": lambda images: train(
        graph(), labelled(GOOD), RECIPE, seed=0, test=labelled(images)
    ),
}
NO_IMAGES: dict[str, Any] = {
    "reals 0..1": GOOD / 255,
    "reals 0..255": GOOD.astype(np.float32),
    "float16": GOOD.astype(np.float16),
    "int8": GOOD.astype(np.int8),
    "int64": GOOD.astype(np.int64),
    "uint16": GOOD.astype(np.uint16),
    "booleans": GOOD > 127,
    "complex": GOOD.astype(complex),
    "objects": GOOD.astype(object),
    "NHWC": GOOD.transpose(0, 2, 3, 1).copy(),
    "height and width exchanged": GOOD.swapaxes(2, 3).copy(),
    "another height": GOOD[:, :, :3],
    "another width": np.repeat(GOOD, 2, axis=3),
    "fewer channels": GOOD[:, :1],
    "one image": GOOD[0],
    "an axis more": GOOD[None],
    "none": GOOD[:0],
    "a list": GOOD.tolist(),
    "a tuple": tuple(GOOD),
    "masked": np.ma.masked_greater(GOOD, 200),
}


@pytest.mark.parametrize("wrong", NO_IMAGES)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_uint8_image_of_the_network_s_shape_is_refused(door: str, wrong: str) -> None:
    with pytest.raises(InputError) as caught:
        DOORS[door](NO_IMAGES[wrong])
    message = str(caught.value)
    assert "\n" not in message
    assert "images" in message or message.startswith("calibration")


@pytest.mark.parametrize("door", DOORS)
def test_images_are_accepted_wherever_they_lie_in_memory(door: str, tmp_path: Path) -> None:
    stored = np.memmap(tmp_path / "x", np.uint8, "w+", shape=GOOD.shape)
    stored[:] = GOOD
    for images in (stored, np.asfortranarray(GOOD), np.repeat(GOOD, 2, axis=0)[::2]):
        DOORS[door](images)


# What takes real images, as Graph.to_float makes them.
REAL_DOORS: dict[str, Callable[[Any], Any]] = {
    "Graph.run": lambda images: graph().run(parameters(), images),
    "ptq.observe": lambda images: observe(graph(), parameters(), images, RTN),
    "learn": lambda images: learn(network(), images, replace(RTN, method="qdrop")),
    "run_pass": lambda images: run_pass(
        network(), images, ReconstructionPass("p", 1, batch=1), seed=(0,)
    ),
    "closed_form": lambda images: closed_form(network(), images, BorderSpec()),
    "network_error": lambda images: network_error(network(), images),
}
REAL = GOOD.astype(np.float32) / np.float32(255)
NOT_REAL = {
    "codes": GOOD,
    "int64": GOOD.astype(np.int64),
    "float16": REAL.astype(np.float16),
    "complex": REAL.astype(complex),
    "objects": REAL.astype(object),
    "NHWC": REAL.transpose(0, 2, 3, 1).copy(),
    "one image": REAL[0],
    "none": REAL[:0],
    "a list": REAL.tolist(),
    "masked": np.ma.masked_greater(REAL, 0.9),
}


@pytest.mark.parametrize("wrong", NOT_REAL)
@pytest.mark.parametrize("door", REAL_DOORS)
def test_what_are_no_real_images_is_refused(door: str, wrong: str) -> None:
    with pytest.raises(InputError, match="^(images|calibration): "):
        REAL_DOORS[door](NOT_REAL[wrong])


@pytest.mark.parametrize("door", [door for door in REAL_DOORS if door != "Graph.run"])
def test_calibration_images_that_are_not_divided_by_255_are_refused(door: str) -> None:
    for wrong in (REAL * 255, -1.01 * REAL / REAL.max(), np.full_like(REAL, np.nan)):
        with pytest.raises(InputError, match="^calibration: goes from .* to .*needs pixels"):
            REAL_DOORS[door](wrong)


# What is made of a network, each called with something else in its place.
KIND_DOORS: dict[str, Callable[[Any], Any]] = {
    "lower": lower,
    "lower, fixed point": lambda other: lower(other, "fixed_point"),
    "Simulation": Simulation,
    "FixedPointSimulation": lambda other: FixedPointSimulation(other, FixedPoint()),
    "ARounding": lambda other: ARounding(other, parameters()),
    "Engine": Engine,
    "compare, model": lambda other: compare(other, program(), labelled(GOOD)),
    "compare, program": lambda other: compare(model(), other, labelled(GOOD)),
    "quantize, graph": lambda other: quantize_with(other, parameters(), GOOD, RTN),
    "quantize, parameters": lambda other: quantize_with(graph(), other, GOOD, RTN),
    "quantize, config": lambda other: quantize_with(graph(), parameters(), GOOD, other),
    "nearest, config": lambda other: nearest(graph(), parameters(), GOOD, other),
    "observe, graph": lambda other: observe(other, parameters(), graph().to_float(GOOD), RTN),
    "fold, graph": lambda other: nn.fold(other, parameters()),
    "fold, mean": lambda other: nn.fold(graph(), parameters(), mean=other),
    "fold, parameters": lambda other: nn.fold(graph(), other),
}


@pytest.mark.parametrize("door", KIND_DOORS)
def test_what_is_of_another_kind_is_named(door: str) -> None:
    for other in (RECIPE, [1], 3, "model.npz"):
        with pytest.raises(InputError, match=r"^\w+: needs .*, got ") as caught:
            KIND_DOORS[door](other)
        assert "\n" not in str(caught.value)


def test_parameters_whose_names_are_no_strings_are_refused() -> None:
    with pytest.raises(InputError, match="^parameter 3 is unexpected$"):
        graph().check_parameters({**parameters(), 3: np.ones(1)})


def test_masked_parameters_are_refused_by_name() -> None:
    masked = {name: np.ma.masked_equal(values, 0) for name, values in parameters().items()}
    with pytest.raises(InputError, match="^parameter 'stem.conv.weight' is "):
        quantize_with(graph(), masked, GOOD, RTN)


def test_logits_that_are_none_have_no_accuracy() -> None:
    for logits in (np.full((3, 3), np.nan), np.zeros(3), np.zeros((1, 3))):
        with pytest.raises(InputError, match="^accuracy: "):
            top1(lambda codes, made=logits: made, labelled(GOOD))


def test_a_crop_beyond_the_image_is_refused_before_any_work() -> None:
    with pytest.raises(InputError, match="^crop: needs whole numbers from 0 to 3, got 4"):
        train(graph(), labelled(GOOD), replace(RECIPE, crop=4), seed=0)


def test_a_seed_that_is_none_makes_no_parameters() -> None:
    for seed in (-1, 2**64, 0.5):
        with pytest.raises(InputError, match="^seed: "):
            initial_parameters(graph(), seed)


# Labels

LABEL_DOORS: dict[str, Callable[[Any], Any]] = {
    "the loss": lambda labels: nn.softmax_cross_entropy(np.zeros((3, 3)), labels),
    "compare": lambda labels: compare(model(), program(), Set(GOOD, labels)),
    "compare_with_ideal": lambda labels: compare_with_ideal(model(), fixed(), Set(GOOD, labels)),
    "top1": lambda labels: top1(Simulation(model()).logits, Set(GOOD, labels)),
    "train": lambda labels: train(graph(), Set(GOOD, labels), replace(RECIPE, batch=3), seed=0),
}
NO_LABELS = {
    "one is -1": np.array([0, 1, -1]),
    "one is as many as the classes": np.array([0, 3, 1]),
    "a column": np.zeros((3, 1), np.int64),
    "one-hot": np.eye(3, dtype=np.int64),
    "reals": np.zeros(3),
    "booleans": np.zeros(3, bool),
    "objects": np.zeros(3, object),
    "beyond int64": np.full(3, 2**64 - 1, np.uint64),
}


@pytest.mark.parametrize("wrong", NO_LABELS)
@pytest.mark.parametrize("door", LABEL_DOORS)
def test_what_are_no_classes_is_refused(door: str, wrong: str) -> None:
    with pytest.raises(InputError, match="^labels: needs 3 whole numbers, 0 to 2, got "):
        LABEL_DOORS[door](NO_LABELS[wrong])


@pytest.mark.parametrize("door", LABEL_DOORS)
@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_labels_of_any_integer_type_are_accepted(door: str, dtype: Any) -> None:
    LABEL_DOORS[door](np.array([0, 1, 2], dtype))


# Settings

COUNTS = (-1, 1.0, 2.5, True, "1", None, [1], float("nan"), 2**31, 10**400, np.ones(1, int))
NO_FLAG = (0, 1, "yes", None, np.ones(1, bool))
NO_WORD = ("nonsense", 3, None, ["rtn"], b"rtn")
NO_RATE = (-1e-3, "1", True, None, float("nan"), float("inf"), 1j, np.ones(1))
NO_BITS = (0, -1, 17, 33, 2.0, True, "2", None, [2], 10**400)
SETTINGS: dict[str, tuple[Any, dict[str, tuple[Any, ...]]]] = {
    "Config": (
        Config(),
        {
            "method": NO_WORD,
            "weight_bits": NO_BITS,
            "act_bits": (*NO_BITS, 32),
            "iterations": COUNTS,
            "batch": (0, *COUNTS),
            "seed": (*COUNTS[:-3], 2**64, 10**400, np.ones(1, int)),
            "border": (
                3,
                None,
                ["row"],
                "nonsense",
                "feedback٣",
                "feedback01",
                "row\n",
            ),
            "search": NO_WORD,
            "mixing": NO_WORD,
            "signed": NO_FLAG,
        },
    ),
    "BorderSpec": (
        BorderSpec(),
        {
            **dict.fromkeys(
                ("family", "squash", "granularity", "fusion", "start", "errors"), NO_WORD
            ),
            "feedback": (*COUNTS, 2**30 + 1),
        },
    ),
    "FixedPoint": (FixedPoint(), {"fraction_bits": (17, *COUNTS), "profile": NO_WORD}),
    "Recipe": (
        Recipe(1),
        {
            "epochs": COUNTS,
            "batch": (0, *COUNTS),
            "rate": (0, 0.0, *NO_RATE),
            "warmup_epochs": NO_RATE,
            "momentum": (1.5, *NO_RATE),
            "decay": NO_RATE,
            "crop": COUNTS,
            "flip": NO_FLAG,
        },
    ),
    "ReconstructionPass": (
        ReconstructionPass("p", 1),
        {
            "iterations": COUNTS,
            "batch": (0, *COUNTS),
            **dict.fromkeys(("unit", "loss", "beta_schedule", "mask", "mixing"), NO_WORD),
            **dict.fromkeys(("activations", "weights", "dropping", "scales", "biases"), NO_FLAG),
            **dict.fromkeys(("lsq_factor", "relative"), NO_FLAG),
            **dict.fromkeys(
                ("weight_rate", "scale_rate", "bias_rate", "border_rate", "regularization"), NO_RATE
            ),
            "border": ("row", 3, {}),
        },
    ),
}


def test_every_field_of_a_setting_is_looked_at() -> None:
    for good, wrong in SETTINGS.values():
        names = {field.name for field in fields(good)} - {"name"}  # of a pass, in its messages
        assert wrong.keys() == names


@pytest.mark.parametrize(
    ("settings", "field"), [(name, field) for name, (_, bad) in SETTINGS.items() for field in bad]
)
def test_a_setting_that_cannot_be_so_is_refused_where_it_is_given(
    settings: str, field: str
) -> None:
    good, wrong = SETTINGS[settings]
    for value in wrong[field]:
        with pytest.raises(InputError, match=field.split("_")[-1].rstrip("s")) as caught:
            replace(good, **{field: value})
        assert len(str(caught.value)) < 300


def test_numbers_of_numpy_become_python_s_so_that_they_can_be_written() -> None:
    given = Config("rtn", np.int8(4), np.int64(3), np.uint8(1), np.int16(8), np.int32(5))
    made = asdict(replace(given, signed=np.bool_(True)))
    assert json.loads(json.dumps(made)) == asdict(Config("rtn", 4, 3, 1, 8, 5, signed=True))
    assert type(Recipe(1, rate=np.float32(0.5)).rate) is float
    assert type(FixedPoint(np.int64(3)).fraction_bits) is int


def test_a_border_spec_is_kept_as_its_words() -> None:
    config = Config(border=BorderSpec(granularity="row"))
    assert config.border == "quadratic/sigmoid/row/off"


NO_DTYPES = (np.int8, np.float16, "int64", complex, object, None, "nonsense", 3)
DTYPES: dict[str, Callable[[Any], Any]] = {
    "Simulation": lambda dtype: Simulation(model(), dtype=dtype),
    "Graph.to_float": lambda dtype: graph().to_float(GOOD, dtype),
    "compare": lambda dtype: compare(model(), program(), labelled(GOOD), dtype=dtype),
    "certify": lambda dtype: certify(lowering_of(model(), None), dtype=dtype),
}


@pytest.mark.parametrize("door", DTYPES)
def test_a_dtype_that_is_not_float32_or_float64_is_refused(door: str) -> None:
    for dtype in NO_DTYPES:
        with pytest.raises(InputError, match="^dtype: needs float32 or float64"):
            DTYPES[door](dtype)
    DTYPES[door]("float32")


@pytest.mark.parametrize("batch", [0, -1, 1.5, None])
def test_a_batch_that_is_none_is_refused_by_every_loop(batch: Any) -> None:
    with pytest.raises(InputError, match="^batch: needs"):
        top1(Simulation(model()).logits, labelled(GOOD), batch=batch)
    with pytest.raises(InputError, match="^batch: needs"):
        Recording.of(Engine(program()).run, labelled(GOOD), {}, batch=batch)
