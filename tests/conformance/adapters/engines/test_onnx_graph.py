"""Models of a few nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def test_a_graph_becomes_a_model_with_its_inputs_constants_and_nodes() -> None:
    graph_module = pytest.importorskip(
        "aquant_ref.conformance.adapters.engines.onnx_graph", exc_type=ImportError
    )
    graph: Any = graph_module.Graph()
    total = graph.node("Add", graph.given(np.zeros(2, np.float32)), graph.constant(np.float32(1)))
    model = graph.model(total, np.float32, [None])
    assert [node.op_type for node in model.graph.node] == ["Add"]
    assert [each.name for each in model.graph.input] == list(graph.feeds)
    assert [each.name for each in model.graph.output] == [total]
