"""What a run works on: a float network, images to calibrate with and images to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import reference_models
from aquant_ref import data
from aquant_ref.checks import takes_functions
from aquant_ref.errors import InputError, check_name, counted
from aquant_ref.nn.accuracy import float_logits
from aquant_ref.nn.fold import fold_batch_norm
from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.progress import Progress, Say, quiet, silent

if TYPE_CHECKING:
    from aquant_ref.data import Images


from aquant_ref.typing import Pixels, Reals


@dataclass(frozen=True)
class Inputs:
    """`graph` and `parameters` have their batch norm folded; `calibration` is uint8 (N, C, H, W).

    `weights` is the file that the parameters came from, `classes` what their logits stand for,
    `model_file_sha256` the file of a network of the user's own.
    """

    graph: Graph
    parameters: dict[str, Reals]
    calibration: Pixels
    test: Images
    weights: Path
    classes: tuple[str, ...] = ()
    model_file_sha256: str = ""

    @classmethod
    @takes_functions
    def load(
        cls,
        model: str,
        data_set: str,
        *,
        images: int,
        seed: int,
        weights: str | None = None,
        progress: Progress = quiet,
        say: Say = silent,
    ) -> Inputs:
        """Load a reference model and a data set.

        `images` calibration images are drawn from the training split by the seed. Raises InputError
        for an unknown model or set, damaged files, images that do not fit the network or are too
        few.
        """
        check_name("data", data_set)
        check_name("weights", str(weights))
        definition = reference_models.get(model)
        data.check(data_set)  # first, or the weights are blamed for what is not there
        name = data.name(data_set)
        path = definition.weights_path(name) if weights is None else Path(weights)
        trained, parameters, meta = definition.load(path)
        if meta.get("left_out"):
            say(f"{path}: every tensor name begins with {meta['left_out']!r}, which is left out")
        try:
            graph, parameters = fold_batch_norm(trained, parameters)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        training, test = (
            data.load(data_set, split=split, progress=progress, shape=graph.shapes[INPUT])
            for split in data.SPLITS
        )
        check_images(graph, training, data_set, definition.name)
        classes = tuple(meta.get("classes", ()))
        for each in (training, test):
            check_classes(graph, each, data_set, classes, definition.name)
        known = graph.shapes[graph.output][0]
        if not classes and len(training.classes) < known:
            say(
                f"{data_set}: has {counted(len(training.classes), 'class', 'classes')}, the model "
                f"{known} without names; top-1 means nothing unless they are its first ones"
            )
        if images > len(training):
            raise InputError(
                f"images: {data_set} has {len(training)} training images, not {images}"
            )
        chosen = np.random.default_rng(seed).choice(len(training), images, replace=False)
        calibration = training.batch(np.sort(chosen))
        with np.errstate(all="ignore"):
            logits = float_logits(graph, parameters, calibration[:1])
        if not np.isfinite(logits).all():
            raise InputError(f"{path}: its weights are so large that the logits overflow")
        return cls(
            graph,
            parameters,
            calibration,
            test,
            path,
            classes or training.classes,
            definition.file_sha256,
        )


def check_images(graph: Graph, images: Images, data_set: str, model: str = "the model") -> None:
    """Raise InputError, which names the set, unless its images fit the network `model`."""
    shape = tuple(images.batch(np.arange(1)).shape[1:]) if len(images) else None
    if shape is None:
        raise InputError(f"{data_set}: has no training images to calibrate with")
    if shape != graph.shapes[INPUT]:
        needs = "x".join(map(str, graph.shapes[INPUT]))
        raise InputError(
            f"{data_set}: images are {'x'.join(map(str, shape))}, {model} needs {needs}"
        )


def check_classes(
    graph: Graph,
    images: Images,
    data_set: str,
    classes: Sequence[str],
    model: str = "the model",
) -> None:
    """Raise InputError, which names the set, unless its labels number the network's `classes`.

    The set may lack the last ones. Without names, which weights from elsewhere do not have, there
    must be a logit for each.
    """
    logits = graph.shapes[graph.output][0]
    if len(images.classes) > logits:
        raise InputError(
            f"{data_set}: has {counted(len(images.classes), 'class', 'classes')}, {model} {logits}"
        )
    for own, other in zip(images.classes, classes, strict=False):
        if own != other:
            raise InputError(
                f"{data_set}: has a class {own!r} where the model was trained on {other!r}"
            )
