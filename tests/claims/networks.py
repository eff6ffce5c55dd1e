"""The network of `tests.tiny` on images of one channel: small enough to compute by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from aquant_ref.data import Images
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.nn.graph import Graph
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.network import LearnedNetwork, LearnedWindow
from aquant_ref.ptq.pipeline import observe
from tests import tiny

SHAPE = (1, 2, 3)
CONFIG = Config("rtn", 2, 2, 5, batch=4)


def graph() -> Graph:
    return tiny.build(2, SHAPE)


def inputs(images: int = 8) -> Inputs:
    rng = np.random.default_rng(3)
    parameters = {
        name: rng.normal(0.2, 0.7, shape).astype(np.float32)
        for name, shape in graph().parameter_shapes.items()
    }
    calibration = rng.integers(0, 256, (16, *SHAPE)).astype(np.uint8)
    test = rng.integers(0, 256, (images, *SHAPE)).astype(np.uint8)
    labelled = Images(test, np.zeros(images, np.int64), ("a", "b"), "tiny")
    return Inputs(graph(), parameters, calibration, labelled, Path("tiny.npz"))


def network(**changes: object) -> LearnedNetwork:
    """Rounded to nearest, then with a border of every channel of stem.relu; `changes` to that."""
    given = inputs()
    images = given.graph.to_float(given.calibration)
    made = observe(given.graph, given.parameters, images, CONFIG)
    coefficients = np.array([[0.2, -0.1, 0.1], [-0.1, 0.2, 0.3]], np.float32)
    made.tensors["stem.relu"] = replace(
        made.tensors["stem.relu"], **{"coefficients": coefficients, **changes}
    )
    return made


def windowed(window: LearnedWindow) -> LearnedNetwork:
    """The same, but body.conv rounds in every window."""
    made = network(coefficients=None)
    made.windows["body.conv"] = window
    return made
