"""Put LiteRT under test: its reference kernels, its optimised kernels, and XNNPACK."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.engines.codes import Storage, storage_of
from aquant_ref.conformance.adapters.engines.eight_bit import (
    LAYERS,
    EightBit,
    Output,
    Quantized,
    Weights,
    Windows,
)
from aquant_ref.conformance.adapters.engines.functions import Functions
from aquant_ref.conformance.adapters.engines.litert_graph import (
    Graph,
    channels_first,
)
from aquant_ref.typing import Array, Codes

FUNCTIONS = {  # the operator, and its version for codes
    "sigmoid": ("LOGISTIC", 2),
    "tanh": ("TANH", 2),
    "hard_swish": ("HARD_SWISH", 1),
    "leaky_relu": ("LEAKY_RELU", 2),
    "elu": ("ELU", 1),
    "gelu": ("GELU", 2),
    "exp": ("EXP", 2),
}
OF_SIGNED = ("elu", "exp", "gelu")
ACTIVATIONS = {"none": 0, "relu": 1, "relu6": 3}  # ActivationFunctionType of the schema
NOT_XNNPACK = ("avg_pool", "avg_pool2d", "matmul", "concat")  # of tensors with unequal scales
VALID = 1  # Padding of the schema
SAME = 0
CANDIDATES = 1 << 14  # scales that are tried
CODES = ("a", "b", "a_zero", "b_zero", "zero_point", "qmin")
IMAGES = ("conv2d", "depthwise")
BOTH = ("tflite_up", "tflite_away")
DEPTHWISE_REGISTER = 8  # channels
HALF = 128  # between a signed code and the unsigned one of the same number


class LiteRt(Functions):
    """Compute each operation by a model; channels come last inside.

    LiteRT pads by an operator of its own. Unsigned codes have one scale for all weights, which are
    unsigned as well; with more scales codes are stored as signed ones.
    """

    resolver: Any
    single_product = True  # of two scales, in kernels that have one scale for all weights

    def run(self, graph: Graph, result: int) -> Array:
        """Return the result of the model."""
        interpreter = self._interpreter(graph.model(result))
        for detail, value in zip(interpreter.get_input_details(), graph.feeds, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    def _interpreter(self, model: bytes) -> Interpreter:
        try:
            interpreter = Interpreter(
                model_content=model, experimental_op_resolver_type=self.resolver, num_threads=1
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise NotImplementedError(f"does not prepare this: {error}") from error
        return interpreter

    def _quantize(self, real: Array, y: Output) -> Array:
        graph = Graph()
        x, result = graph.given(real), graph.result(real.shape, y)
        return self.run(graph, graph.operator("QUANTIZE", [x], result))

    def _dequantize(self, x: Quantized) -> Array:
        graph = Graph()
        codes = graph.given(x.codes, x.scale, x.zero)
        result = graph.tensor(x.codes.shape, np.float32)
        return self.run(graph, graph.operator("DEQUANTIZE", [codes], result, version=2))

    def _rescale_codes(self, x: Quantized, y: Output) -> Array:
        graph = Graph()
        codes, result = graph.given(x.codes, x.scale, x.zero), graph.result(x.codes.shape, y)
        return self.run(graph, graph.operator("QUANTIZE", [codes], result, version=2))

    def _add(self, a: Quantized, b: Quantized, y: Output) -> Array:
        return self._of_terms("ADD", a, b, y, potScaleInt16=True)

    def _mul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        return self._of_terms("MUL", a, b, y)

    def _of_terms(
        self, operator: str, a: Quantized, b: Quantized, y: Output, **options: Any
    ) -> Array:
        graph = Graph()
        terms = [graph.given(each.codes, each.scale, each.zero) for each in (a, b)]
        result = graph.result(a.codes.shape, y)
        options["fusedActivationFunction"] = _activation(y)
        return self.run(graph, graph.operator(operator, terms, result, version=2, **options))

    def _matmul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        graph = Graph()
        factors = [graph.given(each.codes, each.scale, each.zero) for each in (a, b)]
        shape = (*a.codes.shape[:2], b.codes.shape[2])
        return self.run(graph, graph.operator("BATCH_MATMUL", factors, graph.result(shape, y), 4))

    def _activation(self, function: str, x: Quantized, alpha: float, y: Output) -> Array:
        if function not in FUNCTIONS or (function == "elu" and alpha != 1):
            raise NotImplementedError(f"has no {function}")
        if function in OF_SIGNED and not y.storage.signed:
            raise NotImplementedError(f"{function} is for int8 alone")
        graph = Graph()
        codes, result = graph.given(x.codes, x.scale, x.zero), graph.result(x.codes.shape, y)
        options = {"alpha": alpha} if function == "leaky_relu" else {}
        name, version = FUNCTIONS[function]
        return self.run(graph, graph.operator(name, [codes], result, version, **options))

    def _concat(self, terms: list[Quantized], y: Output) -> Array:
        graph = Graph()
        parts = [graph.given(each.codes, each.scale, each.zero) for each in terms]
        channels = sum(len(each.codes) for each in terms)
        result = graph.result((channels, *terms[0].codes.shape[1:]), y)
        return self.run(graph, graph.operator("CONCATENATION", parts, result, version=2, axis=0))

    def _limits(self, activation: str, x: Quantized, y: Output) -> Array:
        graph = Graph()
        image = graph.given(x.codes.reshape(1, 1, -1, 1), x.scale, x.zero)
        options = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}
        options |= {"padding": VALID, "fusedActivationFunction": ACTIVATIONS[activation]}
        result = graph.result((1, 1, len(x.codes), 1), y)
        return self.run(graph, graph.operator("MAX_POOL_2D", [image], result, 2, **options))

    def _avg_pool(
        self,
        x: Quantized,
        kernel: tuple[int, int],
        windows: Windows,
        count_padding: bool,
        y: Output,
    ) -> Array:
        if (x.scale, x.zero) != (y.scale, y.zero):
            raise NotImplementedError("AVERAGE_POOL_2D keeps scale and zero point")
        graph = Graph()
        image, padding = graph.image(x), VALID
        if any(windows.padding) and not count_padding:
            if windows.padding != _same(x.codes.shape[1:], kernel, windows.stride):
                raise NotImplementedError("AVERAGE_POOL_2D counts padding other than SAME")
            padding = SAME
            size = tuple(-(-n // s) for n, s in zip(x.codes.shape[1:], windows.stride, strict=True))
        else:
            image = graph.padded(image, windows.padding)
            size = _size(x.codes.shape[1:], kernel, windows)
        return self._pool(graph, "AVERAGE_POOL_2D", image, size, kernel, windows, y, padding)

    def _max_pool(self, x: Array, kernel: tuple[int, int], windows: Windows) -> Array:
        graph = Graph()
        scale, store = np.float32(1), Storage(x.dtype == np.int8)
        image = graph.image(Quantized(x, scale, 0))
        image = graph.padded(image, windows.padding, lowest=True)
        size, y = _size(x.shape[1:], kernel, windows), Output(scale, 0, store, *store.ends)
        return self._pool(graph, "MAX_POOL_2D", image, size, kernel, windows, y, VALID)

    def _pool(
        self,
        graph: Graph,
        name: str,
        image: int,
        size: Any,
        kernel: tuple[int, int],
        windows: Windows,
        y: Output,
        padding: int,
    ) -> Array:
        if windows.dilation != (1, 1):
            raise NotImplementedError("a pool has no dilations")
        channels = graph.feeds[0].shape[3]
        options = {
            "padding": padding,
            "filterHeight": kernel[0],
            "filterWidth": kernel[1],
            "fusedActivationFunction": _activation(y),
            **_strides(windows),
        }
        result = graph.operator(name, [image], graph.result((1, *size, channels), y), 2, **options)
        return channels_first(self.run(graph, result))

    def _rescaled(self, *, zero_point: int, qmin: int, qmax: int, **fields: int) -> Codes:
        """Ask signed kernels: those of unsigned codes round the product of scales to float32."""
        by = HALF if qmin >= 0 else 0
        ends = {"zero_point": zero_point - by, "qmin": qmin - by, "qmax": qmax - by}
        return super()._rescaled(**fields, **ends) + by

    def _scales(self, multiplier: int, shift: int) -> Array:
        """Return two scales of 24 bits whose product has these 31 bits."""
        wanted = multiplier * 2.0**17
        first = np.arange((1 << 24) - CANDIDATES, 1 << 24)
        second = np.rint(wanted / first)
        off = abs(first * second - wanted)
        best = int(off.argmin())
        if off[best] >= 1 << 16:
            raise NotImplementedError("no two float32 have this product")
        return np.ldexp([float(first[best]), second[best]], [-24, 7 - shift])

    def _layer_codes(self, x: Codes, x_zero: int, zero_point: int, qmin: int) -> Storage:
        if qmin >= -HALF:
            return super()._layer_codes(x, x_zero, zero_point, qmin)
        if x_zero or zero_point:
            raise NotImplementedError("codes of 16 bits have the zero point 0")
        return Storage(signed=True, bits=16)

    def _convolved(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        if x.codes.dtype != np.uint8:
            if weights.zero.any():
                raise NotImplementedError("weights beside signed codes have the zero point 0")
            return super()._convolved(x, weights, windows, y)
        if weights.alike:
            self._check_product(x, weights)
            if weights.codes.dtype == np.int8:
                codes = (weights.codes.astype(np.int16) + HALF).astype(np.uint8)
                weights = replace(weights, codes=codes, zero=weights.zero + HALF)
            return super()._convolved(x, weights, windows, y)
        if weights.zero.any():
            raise NotImplementedError("several zero points of weights")
        codes = (x.codes.astype(np.int16) - HALF).astype(np.int8)
        signed = y.moved(-HALF)
        answer = super()._convolved(
            replace(x, codes=codes, zero=x.zero - HALF), weights, windows, signed
        )
        return answer.astype(np.int16) + HALF

    def _check_product(self, x: Quantized, weights: Weights) -> None:
        exact = float(x.scale) * float(weights.scale[0])
        if self.single_product and float(x.scale * weights.scale[0]) != exact:
            raise NotImplementedError("a kernel with one scale rounds a product to float32")

    def _conv2d(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        graph = Graph()
        kernel: Any = weights.codes.shape[2:]
        image = graph.padded(graph.image(x), windows.padding)
        options = {
            "padding": VALID,
            "dilationHFactor": windows.dilation[0],
            "dilationWFactor": windows.dilation[1],
            "fusedActivationFunction": _activation(y),
            **_strides(windows),
        }
        axis, order, name = 0, (0, 2, 3, 1), "CONV_2D"
        if weights.depthwise:
            axis, order, name = 3, (1, 2, 3, 0), "DEPTHWISE_CONV_2D"
            options["depthMultiplier"] = len(weights.codes) // len(x.codes)
        size = (1, *_size(x.codes.shape[1:], kernel, windows), len(weights.codes))
        constants = _constants(graph, weights, weights.codes.transpose(order), x, axis)
        result = graph.operator(name, [image, *constants], graph.result(size, y), 3, **options)
        return channels_first(self.run(graph, result))

    def _linear(self, x: Quantized, weights: Weights, _windows: Windows, y: Output) -> Array:
        if weights.alike:
            self._check_product(x, weights)
        graph = Graph()
        row = graph.given(x.codes[None], x.scale, x.zero)
        constants = _constants(graph, weights, weights.codes, x, 0)
        result = graph.result((1, len(weights.codes)), y)
        options = {"fusedActivationFunction": _activation(y)}
        graph.operator("FULLY_CONNECTED", [row, *constants], result, 4, **options)
        return self.run(graph, result)[0]


def _constants(
    graph: Graph, weights: Weights, codes: Array, x: Quantized, axis: int
) -> tuple[int, int]:
    scale, zero = weights.scale, weights.zero
    if weights.alike:
        scale, zero = scale[:1], zero[:1]
    kernel = graph.constant(codes, scale, zero, axis)
    return kernel, graph.constant(weights.bias, x.scale * scale, np.zeros_like(zero))


def _activation(y: Output) -> int:
    """Return RELU where the range starts at the zero point, or NONE."""
    return int(y.qmin == y.zero > y.storage.ends[0])


def _strides(windows: Windows) -> dict[str, int]:
    return {"strideH": windows.stride[0], "strideW": windows.stride[1]}


def _size(image: Any, kernel: tuple[int, int], windows: Windows) -> tuple[int, ...]:
    top, bottom, left, right = windows.padding
    return tuple(
        (n + sides - (k - 1) * d - 1) // s + 1
        for n, sides, k, d, s in zip(
            image,
            (top + bottom, left + right),
            kernel,
            windows.dilation,
            windows.stride,
            strict=True,
        )
    )


def _same(image: Any, kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[int, ...]:
    """Return the padding that SAME means."""
    sides: list[int] = []
    for n, k, s in zip(image, kernel, stride, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        sides += [total // 2, total - total // 2]
    return tuple(sides)


class Reference(LiteRt):
    """Compute by the reference kernels."""

    name = f"LiteRT {version('ai-edge-litert')} reference kernels"
    resolver = OpResolverType.BUILTIN_REF

    def _rounding(self, _profile: str) -> str:
        return "half_away"

    def capabilities(self) -> Capabilities:
        """Declare two roundings, away from zero, and float64 in fully connected layers."""
        return Capabilities(
            bits=(8,),
            rounding=("half_away",),
            requantization=("tflite_away",),
            variations=(
                "quantize:float32",
                "dequantize:float32",
                "add:tflite",
                "add_tensors:tflite",
                "avg_pool:tflite",
                "avg_pool2d:tflite",
                "rescale_codes:tflite",
                "mul:tflite",
                *(f"{name}:{each}" for name in IMAGES for each in ("tflite_away", "tflite_16x8")),
                "activation:float32",
                "activation_range:tflite",
                "concat:tflite",
            ),
            by_operation={
                **dict.fromkeys(IMAGES, {"bits": (8, 16)}),
                "linear": {"requantization": ("float64",), "bits": (8, 16)},
                "matmul": {"requantization": ("tflite_away",)},
            },
        )


class Optimised(LiteRt):
    """Compute by the optimised kernels, without a delegate."""

    name = f"LiteRT {version('ai-edge-litert')} optimised kernels"
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    full = ("quantize:float32_reciprocal", "rescale_codes:tflite_up")
    rest = ("quantize:", "add:tflite", "rescale_codes:tflite")

    def _rounding(self, profile: str) -> str:
        return "half_even" if profile else "half_away"

    def add_tensors(self, *, profile: str = "", **fields: Any) -> Array:
        """Spec: AQ-PEER-17, AQ-PEER-18."""
        answer = super().add_tensors(**fields)
        kernel = f"litert_{storage_of(*(fields[name] for name in CODES)).dtype.__name__}"
        if profile != kernel:
            raise NotImplementedError(f"these codes have {kernel}")
        return answer

    def conv2d(self, *, profile: str = "", **fields: Any) -> Array:
        """Compute one group rounding up, several away from zero; a depthwise layer see below."""
        up = fields["groups"] == 1
        if fields.get("depthwise"):
            up = self._fills_registers(**fields)
        right = "tflite_up" if up else "tflite_away"
        if profile in BOTH and profile != right:
            raise NotImplementedError(f"computes this as {right}")
        return super().conv2d(profile=profile, **fields)

    def _fills_registers(self, *, weight: Codes, **fields: Any) -> bool:
        """Tell whether signed channels fill a register: these round up, all others away."""
        scales, zeros = fields["weight_scale"].tolist(), fields["weight_zero"].tolist()
        codes = (fields[name] for name in ("x", "x_zero", "zero_point", "qmin"))
        signed = storage_of(*codes).signed or len({*scales}) > 1 or len({*zeros}) > 1
        return signed and len(weight) >= DEPTHWISE_REGISTER

    def capabilities(self) -> Capabilities:
        """Declare two roundings, the second up, but away from zero in depthwise layers."""
        return Capabilities(
            bits=(8,),
            rounding=("half_even", "half_away"),
            requantization=("tflite_up",),
            variations=(
                "quantize:float32_reciprocal",
                "quantize:core-int",
                "dequantize:float32",
                "add:tflite",
                "add_tensors:litert_int8",
                "add_tensors:litert_uint8",
                "avg_pool:tflite",
                "avg_pool2d:tflite",
                "rescale_codes:tflite",
                "rescale_codes:tflite_up",
                "mul:tflite",
                *(f"{name}:{each}" for name in IMAGES for each in (*BOTH, "tflite_16x8")),
                "activation:float32",
                "activation_range:tflite",
                "concat:tflite",
            ),
            by_operation={
                **dict.fromkeys(IMAGES, {"bits": (8, 16)}),
                "matmul": {"requantization": ("tflite_away",)},
            },
        )


class Xnnpack(LiteRt):
    """Compute by XNNPACK, the delegate that LiteRT takes unless told otherwise."""

    name = f"LiteRT {version('ai-edge-litert')} with XNNPACK"
    resolver = OpResolverType.BUILTIN
    single_product = False

    def _interpreter(self, model: bytes) -> Interpreter:
        interpreter = super()._interpreter(model)
        operators = interpreter._get_ops_details()
        given = {each["index"] for each in interpreter.get_input_details()}
        made = interpreter.get_output_details()[0]["index"]
        for each in operators:
            everything = given <= {*each["inputs"].tolist()} and made in each["outputs"]
            if each["op_name"] == "DELEGATE" and everything:
                return interpreter
        raise NotImplementedError(f"XNNPACK leaves {operators[0]['op_name']} to other kernels")

    def supports(self, operation: str) -> bool:
        """Tell which operations XNNPACK leaves to LiteRT's own kernels."""
        return operation not in NOT_XNNPACK and super().supports(operation)

    def _scales(self, multiplier: int, shift: int) -> Array:
        return EightBit._scales(self, multiplier, shift)

    def capabilities(self) -> Capabilities:
        """Declare float32, rounded half even."""
        return Capabilities(
            bits=(8,),
            rounding=("half_even",),
            requantization=("float32",),
            variations=(
                "quantize:float32_reciprocal",
                "dequantize:float32",
                "add:xnnpack",
                "add_tensors:xnnpack",
                "rescale_codes:xnnpack",
                "mul:xnnpack",
                "activation:float32",
                "activation_range:xnnpack",
                *(f"{name}:{each}" for name in LAYERS for each in ("float32", "float32_product")),
            ),
        )
