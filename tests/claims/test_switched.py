from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.claims.layer_errors import ALL
from aquant_ref.claims.switched import Switched
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.ptq.network import LearnedWindow
from aquant_ref.ptq.pipeline import observe
from tests.claims import networks


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("feedback", [0, 1])
def test_rows_times_weights_are_the_output(groups: int, feedback: int) -> None:
    layer = Builder((2, 3, 3))
    with layer.block("stem"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=4, kernel=1))
    with layer.block("body"):
        y = layer("conv", "conv2d", x, channels=4, kernel=3, padding=1, stride=2, groups=groups)
        z = layer("side", "conv2d", x, channels=4, kernel=1, stride=2)  # rounds what it reads once
        x = layer("relu", "relu", layer("add", "add", y, z))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=2)
    graph = layer.graph()
    rng = np.random.default_rng(6)
    parameters = {
        name: rng.normal(0.3, 0.7, shape).astype(np.float32)
        for name, shape in graph.parameter_shapes.items()
    }
    images = rng.random((4, 2, 3, 3)).astype(np.float32)
    made = observe(graph, parameters, images, networks.CONFIG)
    coefficients = rng.uniform(-0.3, 0.3, (36, 3)).astype(np.float32)
    made.windows["body.conv"] = LearnedWindow(coefficients, feedback=feedback)
    switched = Switched(made, images)
    for name in ("stem.conv", "body.conv", "body.side", "head.linear"):
        for off in ALL:
            rows = switched.rows(name, off)
            weight = switched.weight(name, off)
            split = groups if name == "body.conv" else 1
            matrix = weight.reshape(split, len(weight) // split, -1)
            sums = np.einsum("gor,ngrp->ngop", matrix, rows.reshape(4, split, -1, rows.shape[2]))
            got = sums.reshape(4, len(weight), -1) + made.weights()[f"{name}.bias"][:, None]
            wanted = switched.output(name, off).reshape(4, len(weight), -1)
            assert got == pytest.approx(wanted, abs=1e-5)
