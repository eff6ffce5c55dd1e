"""Build LiteRT models of a few operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.engines.eight_bit import Output, Quantized

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}
IDENTIFIER = b"TFL3"


class Graph:
    """Collect tensors and operators; a tensor is known by its place."""

    def __init__(self) -> None:
        self.feeds: list[Array] = []
        self._inputs: list[int] = []
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._codes: list[Any] = []
        self._operators: list[Any] = []

    def tensor(self, shape: Sequence[int], dtype: Any, scale: Any = None, zero: Any = 0) -> int:
        """Add a tensor; several scales belong to the axis that has so many."""
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), TYPES[np.dtype(dtype).name], 0
        tensor.name = f"t{len(self._tensors)}".encode()
        if scale is not None:
            parameters = schema.QuantizationParametersT()
            parameters.scale = np.atleast_1d(scale).astype(np.float32).tolist()
            parameters.zeroPoint = np.atleast_1d(zero).astype(np.int64).tolist()
            tensor.quantization = parameters
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def given(self, codes: Array, scale: Any = None, zero: Any = 0) -> int:
        """Add an input of the model."""
        self._inputs.append(self.tensor(codes.shape, codes.dtype, scale, zero))
        self.feeds.append(codes)
        return self._inputs[-1]

    def image(self, x: Quantized) -> int:
        """Add an image C,H,W as an input, with the channels last."""
        return self.given(channels_last(x.codes), x.scale, x.zero)

    def result(self, shape: Sequence[int], y: Output) -> int:
        """Add the tensor of a result."""
        return self.tensor(shape, y.storage.dtype, y.scale, y.zero)

    def constant(self, values: Array, scale: Any = None, zero: Any = 0, axis: int = 0) -> int:
        """Add a constant, as converters do with weights."""
        place = self.tensor(values.shape, values.dtype, scale, zero)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._buffers.append(buffer)
        self._tensors[place].buffer = len(self._buffers) - 1
        if scale is not None:
            self._tensors[place].quantization.quantizedDimension = axis
        return place

    def padded(self, tensor: int, padding: Sequence[int], *, lowest: bool = False) -> int:
        """Pad height and width by the zero point, or by the lowest code."""
        if not any(padding):
            return tensor
        top, bottom, left, right = padding
        before = self._tensors[tensor]
        batch, height, width, channels = before.shape
        shape = batch, height + top + bottom, width + left + right, channels
        (kind,) = (name for name, number in TYPES.items() if number == before.type)
        after = self.tensor(shape, kind)
        self._tensors[after].quantization = before.quantization
        sides = self.constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
        inputs = [tensor, sides]
        if lowest:
            unsigned = before.type == TYPES["uint8"]
            value = self.constant(
                np.array([0], np.uint8) if unsigned else np.array([-128], np.int8)
            )
            self._tensors[value].quantization = before.quantization
            inputs.append(value)
        self.operator("PADV2" if lowest else "PAD", inputs, after, version=2)
        return after

    def operator(
        self, name: str, inputs: Sequence[int], output: int, version: int = 1, **options: Any
    ) -> int:
        """Add an operator; `options` are those of the schema. Return `output`."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes)
        operator.inputs, operator.outputs = list(inputs), [output]
        kind = OPTIONS.get(name)
        if kind is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        self._codes.append(code)
        self._operators.append(operator)
        return output

    def model(self, result: int) -> bytes:
        """Return the model with this result."""
        part = schema.SubGraphT()
        part.tensors, part.operators = self._tensors, self._operators
        part.inputs, part.outputs = self._inputs, [result]
        model = schema.ModelT()
        model.version, model.buffers = 3, self._buffers
        model.subgraphs, model.operatorCodes = [part], self._codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())


OPTIONS = {
    "ADD": "AddOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
}


def channels_last(image: Array) -> Array:
    """Return an image C,H,W as 1,H,W,C."""
    return np.ascontiguousarray(image.transpose(1, 2, 0)[None])


def channels_first(image: Array) -> Array:
    """Return an image 1,H,W,C as C,H,W."""
    return np.ascontiguousarray(image[0].transpose(2, 0, 1))
