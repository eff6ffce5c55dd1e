"""The network in ONNX: in QDQ form, as onnxruntime takes it, or with QLinearConv."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.windows import pair
from tests.bench.peers.int8 import Int8Network, Step

Array = NDArray[Any]
OPSET, IR = 19, 9


class _Builder:
    def __init__(self, network: Int8Network, *, qlinear: bool) -> None:
        self.network, self.qlinear = network, qlinear
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        last = network.graph.output  # whose logits stay real
        for name in (INPUT, *(step.output for step in network.steps if step.output != last)):
            self.constant(f"{name}.scale", np.float32(network.ranges[name].scale))
            self.constant(f"{name}.zero", np.uint8(network.ranges[name].zero_point))

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def codes_of(self, real: str, name: str) -> None:
        """Quantize the real tensor into the codes `name`."""
        self.node("QuantizeLinear", [real, f"{name}.scale", f"{name}.zero"], name)

    def real(self, name: str) -> str:
        """The real numbers of the codes `name`; each reader has its own, as QDQ wants it."""
        output = f"{name}.real{len(self.nodes)}"
        return self.node("DequantizeLinear", [name, f"{name}.scale", f"{name}.zero"], output)

    def weights(self, step: Step, *, transposed: bool = False) -> tuple[str, str, str]:
        name = step.node.name
        codes, scale = self.network.weight(name)
        return (
            self.constant(f"{name}.weight", codes.T.copy() if transposed else codes),
            self.constant(f"{name}.weight_scale", scale),
            self.constant(f"{name}.weight_zero", np.zeros(len(scale), np.int8)),
        )

    def conv2d(self, step: Step) -> None:
        a = step.node.attributes
        pads = [pair(a.get("padding", 0))[i] for i in (0, 1, 0, 1)]
        how = {"kernel_shape": list(pair(a["kernel"])), "strides": list(pair(a.get("stride", 1)))}
        how["pads"] = pads
        x, out = step.inputs[0], step.output
        weights = self.weights(step)
        codes, unit = self.network.bias(step)
        bias = self.constant(f"{step.node.name}.bias", codes)
        if self.qlinear:
            quantized = [x, f"{x}.scale", f"{x}.zero", *weights, f"{out}.scale", f"{out}.zero"]
            self.node("QLinearConv", [*quantized, bias], out, **how)
            return
        unit_name = self.constant(f"{step.node.name}.unit", unit)
        w = self.node("DequantizeLinear", list(weights), f"{step.node.name}.w", axis=0)
        b = self.node("DequantizeLinear", [bias, unit_name], f"{step.node.name}.b", axis=0)
        self.codes_of(self.node("Conv", [self.real(x), w, b], f"{out}.made", **how), out)

    def add(self, step: Step) -> None:
        a, b = map(self.real, step.inputs)
        self.codes_of(self.node("Add", [a, b], f"{step.output}.made"), step.output)

    def global_avg_pool(self, step: Step) -> None:
        made = self.node("GlobalAveragePool", [self.real(step.inputs[0])], f"{step.output}.made")
        self.codes_of(made, step.output)

    def flatten(self, step: Step) -> None:
        self.node("Flatten", [step.inputs[0]], step.output)

    def linear(self, step: Step) -> None:
        weights = self.weights(step, transposed=True)
        codes, unit = self.network.bias(step)
        bias = self.constant(f"{step.node.name}.bias", codes)
        unit_name = self.constant(f"{step.node.name}.unit", unit)
        w = self.node("DequantizeLinear", list(weights), f"{step.node.name}.w", axis=1)
        b = self.node("DequantizeLinear", [bias, unit_name], f"{step.node.name}.b", axis=0)
        self.node("Gemm", [self.real(step.inputs[0]), w, b], step.output)


def onnx_model(network: Int8Network, batch: int, *, qlinear: bool = False) -> ModelProto:
    """The model: uint8 images (batch, C, H, W) -> float logits."""
    builder = _Builder(network, qlinear=qlinear)
    for step in network.steps:
        getattr(builder, step.node.op)(step)
    graph, output = network.graph, network.graph.output
    shape = (batch, *graph.shapes[INPUT])
    made = helper.make_graph(
        builder.nodes,
        "network",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, (batch, *graph.shapes[output]))],
        builder.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
