from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.data import Images
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.optim import SGD, Adam, cosine
from aquant_ref.nn.training.train import Recipe, augment, initial_parameters, train

RECIPE = Recipe(3, batch=16, rate=0.05, warmup_epochs=0.5, crop=1)


def graph() -> Graph:
    layer = Builder((1, 6, 6))
    with layer.block("all"):
        x = layer("conv", "conv2d", INPUT, channels=4, kernel=3, padding=1, bias=False)
        x = layer("relu", "relu", layer("norm", "batch_norm", x))
        x = layer("flatten", "flatten", layer("pool", "avg_pool", x, kernel=3))
        layer("linear", "linear", x, channels=2)
    return layer.graph()


def images(count: int = 64) -> Images:
    """Horizontal against vertical bars."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 90, (count, 1, 6, 6)).astype(np.uint8)
    labels = (np.arange(count) % 2).astype(np.int64)
    for image, label in zip(codes, labels, strict=True):
        (image[:, 2:4, :] if label else image[:, :, 2:4])[...] = 255
    return Images(codes, labels, ("vertical", "horizontal"), "bars")


def test_training_learns_a_toy_set() -> None:
    state = train(graph(), images(), replace(RECIPE, epochs=12), seed=0, test=images())
    assert state.history[-1]["loss"] < 0.5 * state.history[0]["loss"]
    assert state.history[-1]["top1"] > 0.9


def test_an_interrupted_training_ends_in_the_same_bytes_as_one_that_was_not(
    tmp_path: Path,
) -> None:
    whole = train(graph(), images(), RECIPE, seed=4)

    def interrupt(steps: Iterable[int], label: str) -> Iterable[int]:
        for step in steps:
            if label == "epoch 3" and step == 2:
                raise KeyboardInterrupt
            yield step

    checkpoint = tmp_path / "check.npz"
    with pytest.raises(KeyboardInterrupt):
        train(graph(), images(), RECIPE, seed=4, checkpoint=checkpoint, progress=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["check.npz"]
    resumed = train(graph(), images(), RECIPE, seed=4, checkpoint=checkpoint)
    assert resumed.history == whole.history
    for name, value in whole.parameters.items():
        assert resumed.parameters[name].tobytes() == value.tobytes()


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "check.npz"
    train(graph(), images(), replace(RECIPE, epochs=1), seed=0, checkpoint=checkpoint)
    with pytest.raises(InputError, match="another recipe"):
        train(graph(), images(), RECIPE, seed=0, checkpoint=checkpoint)
    with pytest.raises(InputError, match="another seed"):
        train(graph(), images(), replace(RECIPE, epochs=1), seed=1, checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda meta, arrays: meta.pop("history"), "history"),
        (lambda meta, arrays: meta.update(epoch=9), "epoch 9"),
        (lambda meta, arrays: meta.update(epoch="1"), "epoch 1"),
        (lambda meta, arrays: arrays[min(arrays)].fill(np.nan), "NaN"),
        (lambda meta, arrays: arrays[max(arrays)].fill(np.inf), "infinity"),
        (lambda meta, arrays: arrays.pop(min(arrays)), "missing"),
        (lambda meta, arrays: arrays.pop(max(arrays)), ""),
        (lambda meta, arrays: arrays.update({"more/x": np.zeros(1)}), "more"),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(
    tmp_path: Path, change: Callable[[Any, Any], Any], words: str
) -> None:
    """Past bugs: KeyError, and a loss that is NaN "in epoch 3; lower the rate"."""
    path = tmp_path / "check.npz"
    train(graph(), images(), replace(RECIPE, epochs=1), seed=0, checkpoint=path)
    meta, arrays = native.load(path, "checkpoint")
    change(meta, arrays)
    native.save(path, "checkpoint", meta=meta, arrays=arrays)
    with pytest.raises(InputError, match=r"check.npz: is not a checkpoint") as error:
        train(graph(), images(), replace(RECIPE, epochs=1), seed=0, checkpoint=path)
    assert words in str(error.value)


def test_fewer_images_than_a_batch_are_refused() -> None:
    with pytest.raises(InputError, match="fewer than a batch"):
        train(graph(), images(15), RECIPE, seed=0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_diverges_is_refused() -> None:
    with pytest.raises(InputError, match="loss"):
        train(graph(), images(), replace(RECIPE, rate=1e30, epochs=9), seed=0)


def test_pixels_are_codes_over_255() -> None:
    values = graph().to_float(np.resize(np.array([0, 51, 255], np.uint8), (1, 1, 6, 6)))
    assert values.dtype == np.float32
    assert values.flat[:3] == pytest.approx([0, 0.2, 1])


def test_initial_weights_have_the_deviation_of_he() -> None:
    layer = Builder((50, 4, 4))
    with layer.block("b"):
        layer("conv", "conv2d", INPUT, channels=60, kernel=3)
    parameters = initial_parameters(layer.graph(), 0)
    assert parameters["b.conv.weight"].std() == pytest.approx(np.sqrt(2 / 450), rel=0.02)
    assert not parameters["b.conv.bias"].any()


def test_augmentation_crops_the_padded_image_and_mirrors_it() -> None:
    codes = np.arange(1, 7, dtype=np.uint8).reshape(1, 1, 2, 3).repeat(60, axis=0)
    padded = np.pad(codes[0, 0], 1)
    windows = {padded[i : i + 2, j : j + 3].tobytes() for i in range(3) for j in range(3)}
    mirrored = {
        np.ascontiguousarray(padded[i : i + 2, j : j + 3][:, ::-1]).tobytes()
        for i in range(3)
        for j in range(3)
    }
    seen = {
        image.tobytes()
        for image in augment(codes, np.random.default_rng(0), crop=1, flip=True)[:, 0]
    }
    assert seen <= windows | mirrored
    assert seen & windows
    assert seen & mirrored
    plain = augment(codes, np.random.default_rng(0), crop=1, flip=False)[:, 0]
    assert {image.tobytes() for image in plain} <= windows


def test_nesterov_momentum_takes_the_steps_of_its_definition() -> None:
    p, v = 1.0, 0.0
    parameters = {"a.weight": np.array([1.0])}
    optimizer = SGD(momentum=0.5, decay=0.1)
    for gradient in (0.3, -0.2, 0.5):
        optimizer.step(parameters, {"a.weight": np.array([gradient])}, 0.1)
        g = gradient + 0.1 * p
        v = 0.5 * v + g
        p -= 0.1 * (g + 0.5 * v)
        assert parameters["a.weight"][0] == pytest.approx(p)


def test_only_weights_decay() -> None:
    parameters = {"a.gamma": np.array([1.0])}
    SGD(decay=0.5).step(parameters, {"a.gamma": np.array([0.0])}, 1.0)
    assert parameters["a.gamma"].tolist() == [1.0]


def test_the_first_step_of_adam_is_the_rate_whatever_the_gradient() -> None:
    parameters = {"x": np.array([1.0, 1.0])}
    Adam().step(parameters, {"x": np.array([1e-3, -50.0])}, {"x": 0.01})
    assert parameters["x"] == pytest.approx([0.99, 1.01], abs=1e-6)


def test_adam_takes_the_steps_of_its_definition() -> None:
    m = v = 0.0
    p, parameters, optimizer = 2.0, {"x": np.array([2.0])}, Adam()
    for step, g in enumerate((0.5, -1.0, 0.25), 1):
        optimizer.step(parameters, {"x": np.array([g])}, {"x": 0.1})
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p -= 0.1 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        assert parameters["x"][0] == pytest.approx(p)


def test_the_cosine_rises_over_the_warm_up_and_falls_to_zero() -> None:
    assert [cosine(s, 10, warmup=2) for s in (0, 1, 2, 6, 10, 11)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0, 0]
    )
