"""The first half of the network in `small`: a stem, a shortcut and a head."""

from __future__ import annotations

import numpy as np

from aquant_ref.nn.graph import Builder, Graph
from aquant_ref.ptq import Config
from tests.ptq import small

CONFIG = Config(iterations=40, batch=16)


def graph() -> Graph:
    layer = Builder((2, 6, 6))
    return small.head(layer, small.stem_and_body(layer))


def parameters() -> dict[str, np.ndarray]:
    return small.parameters(graph())


def images(count: int = 48) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 2, 6, 6)).astype(np.uint8)
