"""Train a float network by SGD with a cosine schedule, crops and flips; resume after any epoch.

All randomness of an epoch comes from `default_rng([seed, epoch])`, so an interrupted run that
resumes from its checkpoint ends in the same weights as an uninterrupted one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from autograd import value_and_grad

from aquant_ref.checks import (
    check_images,
    check_labels,
    flag,
    integer,
    number,
    settle,
    takes_functions,
)
from aquant_ref.errors import InputError, counted
from aquant_ref.formats import native
from aquant_ref.nn.accuracy import Labelled, float_logits, top1
from aquant_ref.nn.elementwise import softmax_cross_entropy
from aquant_ref.nn.graph import INPUT, Graph, Statistics
from aquant_ref.nn.training.optim import SGD, cosine
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Labels, Pixels, Reals

Arrays = dict[str, Reals]

RUNNING_MOMENTUM = 0.1
LARGEST_SEED = 2**64 - 1
RUNNING = (".mean", ".variance")
INITIAL_EPOCH = 2**32 - 1  # the seed of the initial weights; no epoch has this number


@dataclass(frozen=True)
class Recipe:
    """Set how a model is trained: rates per step, `crop` in pixels per side.

    Raise InputError, which names the setting, for an invalid one.
    """

    epochs: int
    batch: int = 128
    rate: float = 0.1
    warmup_epochs: float = 1.0
    momentum: float = 0.9
    decay: float = 2e-4
    crop: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        settle(
            self,
            epochs=integer("epochs", self.epochs),
            batch=integer("batch", self.batch, 1),
            rate=number("rate", self.rate, above=True),
            warmup_epochs=number("warm-up epochs", self.warmup_epochs),
            momentum=number("momentum", self.momentum, most=1),
            decay=number("decay", self.decay),
            crop=integer("crop", self.crop),
            flip=flag("flip", self.flip),
        )


def initial_parameters(graph: Graph, seed: int) -> Arrays:
    """Draw He-normal weights (fan in); set biases to 0 and gamma to 1; float32."""
    rng = np.random.default_rng([integer("seed", seed, 0, LARGEST_SEED), INITIAL_EPOCH])
    parameters: Arrays = {}
    for name, shape in graph.parameter_shapes.items():
        if name.endswith(".weight"):
            deviation = math.sqrt(2 / math.prod(shape[1:]))
            parameters[name] = (deviation * rng.standard_normal(shape)).astype(np.float32)
        else:
            one = name.endswith((".gamma", ".variance"))
            parameters[name] = np.full(shape, float(one), np.float32)
    return parameters


def augment(pixels: Pixels, rng: np.random.Generator, *, crop: int, flip: bool) -> Pixels:
    """Crop zero-padded images at random and mirror half of them; uint8 (N, C, H, W)."""
    n, channels, height, width = pixels.shape
    padded = np.zeros((n, channels, height + 2 * crop, width + 2 * crop), pixels.dtype)
    padded[:, :, crop : crop + height, crop : crop + width] = pixels
    offsets = rng.integers(0, 2 * crop + 1, (n, 2))
    mirrored = np.asarray(rng.integers(0, 2, n) if flip else np.zeros(n, np.int64))
    out = np.empty_like(pixels)
    for image, (top, left), mirror, target in zip(padded, offsets, mirrored, out, strict=True):
        window = image[:, top : top + height, left : left + width]
        target[...] = window[:, :, ::-1] if mirror else window
    return out


@dataclass
class State:
    """Hold the complete state of a training run after `epoch` epochs."""

    parameters: Arrays
    optimizer: SGD
    epoch: int
    history: list[dict[str, float]]


@np.errstate(over="ignore", invalid="ignore")  # each epoch checks loss and parameters
@takes_functions
def train(
    graph: Graph,
    images: Labelled,
    recipe: Recipe,
    *,
    seed: int,
    test: Labelled | None = None,
    checkpoint: Path | None = None,
    origin: Mapping[str, str | int] | None = None,
    progress: Progress = quiet,
    report: Callable[[dict[str, float]], None] | None = None,
) -> State:
    """Train `graph` from its initial weights, or from `checkpoint` if that file exists.

    `progress(steps, label)` may wrap the steps of an epoch in a progress bar. `report` gets a
    dictionary after each epoch: epoch, loss and, with `test` images, top1. `origin` identifies the
    images by their content. Raise InputError for fewer images than one batch, for images or labels
    that do not fit the network, and for a checkpoint that is damaged or belongs to another recipe,
    seed, graph or origin.
    """
    integer("seed", seed, 0, LARGEST_SEED)
    if len(images) < recipe.batch:
        raise InputError(
            f"training: {counted(len(images), 'image')}, fewer than a batch of {recipe.batch}"
        )
    for data_set in (images, test):
        if data_set is not None:
            _check(data_set, graph)
    integer("crop", recipe.crop, 0, min(graph.shapes[INPUT][1:]))  # at most the size of an image
    state = State(initial_parameters(graph, seed), _optimizer(recipe), 0, [])
    identity = {
        "recipe": asdict(recipe),
        "seed": seed,
        "images": len(images),
        "graph": str(graph),
        **(origin or {}),
    }
    if checkpoint is not None and os.path.exists(checkpoint):
        state = _load(checkpoint, graph, recipe, identity)
    while state.epoch < recipe.epochs:
        loss = _train_epoch(graph, state, images, recipe, seed, progress)
        state.epoch += 1
        entry = {"epoch": float(state.epoch), "loss": loss}
        if test is not None:
            entry["top1"] = top1(lambda batch: float_logits(graph, state.parameters, batch), test)
        state.history.append(entry)
        if checkpoint is not None:
            _save(checkpoint, state, identity)
        if report is not None:
            report(entry)
    return state


def _check(images: Labelled, graph: Graph) -> None:
    """Raise InputError unless the first image and all labels fit the network."""
    check_images(images.batch(np.arange(min(1, len(images)))), graph.shapes[INPUT])
    check_labels(images.labels, len(images), graph.shapes[graph.output][0])


def _optimizer(recipe: Recipe) -> SGD:
    return SGD(momentum=recipe.momentum, decay=recipe.decay)


def _train_epoch(
    graph: Graph,
    state: State,
    images: Labelled,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> float:
    rng = np.random.default_rng([seed, state.epoch])
    order = rng.permutation(len(images))
    steps = len(images) // recipe.batch
    total = 0.0
    for step in progress(range(steps), f"epoch {state.epoch + 1}"):
        chosen = order[step * recipe.batch : (step + 1) * recipe.batch]
        pixels = augment(images.batch(chosen), rng, crop=recipe.crop, flip=recipe.flip)
        learned = {k: v for k, v in state.parameters.items() if not k.endswith(RUNNING)}
        statistics: Statistics = {}
        loss, gradients = value_and_grad(_loss)(
            learned, graph, graph.to_float(pixels), images.labels[chosen], statistics
        )
        if not math.isfinite(loss):
            raise InputError(
                f"training: the loss is {loss} in epoch {state.epoch + 1}; lower the rate"
            )
        progress_in_epochs = state.epoch + (step + 1) / steps
        factor = cosine(progress_in_epochs, recipe.epochs, warmup=recipe.warmup_epochs)
        state.optimizer.step(state.parameters, gradients, recipe.rate * factor)
        _update_running(state.parameters, statistics)
        total += float(loss)
    try:
        graph.check_parameters(state.parameters)
    except InputError as error:
        raise InputError(
            f"training: {error} after epoch {state.epoch + 1}; lower the rate"
        ) from error
    return total / steps


def _loss(
    learned: Arrays, graph: Graph, images: Reals, labels: Labels, statistics: Statistics
) -> Any:
    running = {name: None for name in graph.parameter_shapes if name.endswith(RUNNING)}
    logits = graph.run({**learned, **running}, images, statistics=statistics)  # type: ignore[dict-item]
    return softmax_cross_entropy(logits, labels)


def _update_running(parameters: Arrays, statistics: Statistics) -> None:
    for node, values in statistics.items():
        for name, value in zip(RUNNING, values, strict=True):
            old = parameters[node + name]
            new = (1 - RUNNING_MOMENTUM) * old + RUNNING_MOMENTUM * value
            parameters[node + name] = new.astype(old.dtype)


def _save(path: Path, state: State, identity: dict[str, Any]) -> None:
    arrays = {f"parameters/{name}": value for name, value in state.parameters.items()}
    arrays |= {f"velocity/{name}": value for name, value in state.optimizer.velocity.items()}
    meta = {**identity, "epoch": state.epoch, "history": state.history}
    native.save(path, "checkpoint", meta=meta, arrays=arrays)


def _load(path: Path, graph: Graph, recipe: Recipe, identity: dict[str, Any]) -> State:
    meta, arrays = native.load(path, "checkpoint")
    for key, value in identity.items():
        if meta.get(key) != value:
            raise InputError(f"{path}: belongs to another {key}; delete it to start again")
    stored: dict[str, Arrays] = {"parameters": {}, "velocity": {}}
    optimizer = _optimizer(recipe)
    try:
        for name, array in arrays.items():
            kind, _, parameter = name.partition("/")
            stored[kind][parameter] = array
        graph.check_parameters(stored["parameters"])
        running = {n: a for n, a in stored["parameters"].items() if n.endswith(RUNNING)}
        graph.check_parameters(
            {**stored["velocity"], **running}
        )  # all learned ones have a velocity
        epoch, history = meta["epoch"], [dict(entry) for entry in meta["history"]]
        if type(epoch) is not int or not 0 < epoch == len(history) <= recipe.epochs:
            raise ValueError(f"{len(history)} entries for epoch {epoch}")
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not a checkpoint of this training ({error})") from error
    optimizer.velocity = stored["velocity"]
    return State(stored["parameters"], optimizer, epoch, history)
