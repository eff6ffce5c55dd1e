"""The network as a TFLite file: int8 codes (those of `int8` minus 128), images NHWC."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.windows import pair
from tests.bench.peers.int8 import Int8Network, Step

Array = NDArray[Any]
TYPES = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}
MIDDLE = 128  # codes are signed there


class _Builder:
    def __init__(self, network: Int8Network, batch: int) -> None:
        self.network, self.batch = network, batch
        self.tensors: list[Any] = []
        self.buffers = [schema.BufferT()]  # the first is that of tensors without content
        self.operators: list[Any] = []
        self.codes: list[int] = []
        self.index: dict[str, int] = {}
        self.activation(INPUT, self.nhwc(INPUT))

    def nhwc(self, name: str) -> tuple[int, ...]:
        shape = self.network.graph.shapes[name]
        return (self.batch, *shape[1:], shape[0])

    def tensor(self, name: str, shape: Any, kind: str, scale: Any, zero: Any, axis: int = 0) -> int:
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.atleast_1d(scale).astype(np.float32).tolist()
        quantization.zeroPoint = np.atleast_1d(zero).astype(np.int64).tolist()
        quantization.quantizedDimension = axis
        each = schema.TensorT()
        each.name, each.shape, each.type = name, list(shape), TYPES[kind]
        each.buffer, each.quantization = 0, quantization
        self.tensors.append(each)
        self.index[name] = len(self.tensors) - 1
        return self.index[name]

    def activation(self, name: str, shape: tuple[int, ...]) -> int:
        each = self.network.ranges[name]
        return self.tensor(name, shape, "int8", each.scale, each.zero_point - MIDDLE)

    def constant(self, name: str, value: Array, scale: Any = (), axis: int = 0) -> int:
        zero = np.zeros(len(np.atleast_1d(scale)), np.int64)
        number = self.tensor(name, value.shape, str(value.dtype), scale, zero, axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self.buffers.append(buffer)
        self.tensors[number].buffer = len(self.buffers) - 1
        return number

    def operator(self, op: str, inputs: list[int], output: int, kind: str, options: Any) -> None:
        code = getattr(schema.BuiltinOperator, op)
        if code not in self.codes:
            self.codes.append(code)
        each = schema.OperatorT()
        each.opcodeIndex, each.inputs, each.outputs = self.codes.index(code), inputs, [output]
        if options is not None:
            each.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            each.builtinOptions = options
        self.operators.append(each)

    def conv2d(self, step: Step) -> None:
        a, x = step.node.attributes, self.index[step.inputs[0]]
        vertical, horizontal = pair(a.get("padding", 0))
        if vertical or horizontal:
            x = self.padded(step, vertical, horizontal)
        codes, scale = self.network.weight(step.node.name)
        bias, unit = self.network.bias(step)
        weights = self.constant(
            f"{step.node.name}.weight", np.ascontiguousarray(codes.transpose(0, 2, 3, 1)), scale
        )
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH, options.strideW = pair(a.get("stride", 1))
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = self.function(step)
        biases = self.constant(f"{step.node.name}.bias", bias, unit)
        out = self.activation(step.output, self.nhwc(step.output))
        self.operator("CONV_2D", [x, weights, biases], out, "Conv2DOptions", options)

    def padded(self, step: Step, vertical: int, horizontal: int) -> int:
        name = step.inputs[0]
        each, (n, h, w, c) = self.network.ranges[name], self.nhwc(name)
        amounts = np.array([[0, 0], [vertical] * 2, [horizontal] * 2, [0, 0]], np.int32)
        pads = self.constant(f"{step.node.name}.pads", amounts)
        shape = (n, h + 2 * vertical, w + 2 * horizontal, c)
        zero = each.zero_point - MIDDLE
        out = self.tensor(f"{step.node.name}.padded", shape, "int8", each.scale, zero)
        self.operator("PAD", [self.index[name], pads], out, "PadOptions", schema.PadOptionsT())
        return out

    def function(self, step: Step) -> int:
        functions = schema.ActivationFunctionType
        return functions.RELU if step.relu else functions.NONE

    def add(self, step: Step) -> None:
        options = schema.AddOptionsT()
        options.fusedActivationFunction = self.function(step)
        out = self.activation(step.output, self.nhwc(step.output))
        self.operator("ADD", [self.index[n] for n in step.inputs], out, "AddOptions", options)

    def global_avg_pool(self, step: Step) -> None:
        axes = self.constant(f"{step.node.name}.axes", np.array([1, 2], np.int32))
        options = schema.ReducerOptionsT()
        options.keepDims = False
        out = self.activation(step.output, (self.batch, self.network.graph.shapes[step.output][0]))
        self.operator("MEAN", [self.index[step.inputs[0]], axes], out, "ReducerOptions", options)

    def flatten(self, step: Step) -> None:
        self.index[step.output] = self.index[step.inputs[0]]  # a mean has no axes left

    def linear(self, step: Step) -> None:
        name = step.node.name
        codes, scale = self.network.weight(name)
        bias, unit = self.network.bias(step)
        weights = self.constant(f"{name}.weight", codes, scale)
        biases = self.constant(f"{name}.bias", bias, unit)
        options = schema.FullyConnectedOptionsT()
        out = self.activation(step.output, (self.batch, len(codes)))
        x = self.index[step.inputs[0]]
        self.operator(
            "FULLY_CONNECTED", [x, weights, biases], out, "FullyConnectedOptions", options
        )


def tflite_model(network: Int8Network, batch: int) -> bytes:
    """The file: int8 images (batch, H, W, C) -> int8 logits."""
    builder = _Builder(network, batch)
    for step in network.steps:
        getattr(builder, step.node.op)(step)
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = builder.tensors, builder.operators
    graph.inputs, graph.outputs = [0], [builder.index[network.graph.output]]
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], builder.buffers
    model.operatorCodes = []
    for code in builder.codes:
        each = schema.OperatorCodeT()
        each.builtinCode = each.deprecatedBuiltinCode = code
        each.version = 1
        model.operatorCodes.append(each)
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), file_identifier=b"TFL3")
    return bytes(packer.Output())
