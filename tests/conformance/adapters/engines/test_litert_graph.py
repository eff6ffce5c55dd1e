"""Models of a few operators, with the channels last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def test_an_image_is_turned_to_have_its_channels_last_and_back() -> None:
    graph: Any = pytest.importorskip("aquant_ref.conformance.adapters.engines.litert_graph")
    image = np.arange(24).reshape(2, 3, 4)
    turned = graph.channels_last(image)
    assert turned.shape == (1, 3, 4, 2)
    assert turned[0, 1, 2].tolist() == [image[0, 1, 2], image[1, 1, 2]]
    assert np.array_equal(graph.channels_first(turned), image)
