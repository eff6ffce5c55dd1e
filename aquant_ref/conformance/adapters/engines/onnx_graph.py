"""Build ONNX models of a few nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from aquant_ref.typing import Array

OPSETS = {"": 19, "com.microsoft": 1}
IR_VERSION = 9
INT64: int = TensorProto.INT64
BFLOAT16: Any = helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16).type


class Graph:
    """Collect nodes, constants and inputs; every value has a name of its own."""

    def __init__(self) -> None:
        self.feeds: dict[str, Array] = {}
        self._constants: list[Any] = []
        self._nodes: list[Any] = []

    def given(self, value: Any) -> str:
        """Add an input of the model; its shape is left open."""
        name = f"in{len(self.feeds)}"
        self.feeds[name] = np.asarray(value)
        return name

    def constant(self, value: Any) -> str:
        """Add a constant, as exporters do with weights."""
        array, name = np.asarray(value), f"constant{len(self._constants)}"
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._constants.append(
            helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)
        )
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; the operator may have a domain, "com.microsoft::QLinearAdd"."""
        domain, _, kind = operator.rpartition("::")
        name = f"value{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(kind, list(inputs), [name], domain=domain or None, **attributes)
        )
        return name

    def model(self, result: str, dtype: Any, shape: Sequence[None]) -> ModelProto:
        """Return the model whose result has this type and so many axes."""
        inputs = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim
            )
            for name, value in self.feeds.items()
        ]
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        outputs = [helper.make_tensor_value_info(result, kind, list(shape))]
        graph = helper.make_graph(self._nodes, "case", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
