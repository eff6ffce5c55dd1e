"""Put the quantized operators of torch under test, with each of its engines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.engines.codes import storage_of
from aquant_ref.conformance.adapters.engines.eight_bit import (
    LAYERS,
    Output,
    Quantized,
    Weights,
    Windows,
)
from aquant_ref.conformance.adapters.engines.functions import Functions
from aquant_ref.errors import InputError
from aquant_ref.typing import Array, Codes

OF_UNSIGNED = ("add", "add_tensors", "avg_pool", "avg_pool2d")  # operations of QNNPACK
CODES = ("a", "b", "x", "total", "a_zero", "b_zero", "x_zero", "zero_point", "qmin")
HALF = 128  # between a signed code and the unsigned one of the same number


@contextmanager
def _engine(name: str) -> Iterator[None]:
    """Compute by this engine in the block; torch says that its quantized tensors grow old.

    Its threads wait for one another longer than any of these tensors takes: one is enough.
    """
    before, threads = torch.backends.quantized.engine, torch.get_num_threads()
    torch.backends.quantized.engine = name
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.quantized.engine = before
        torch.set_num_threads(threads)


class Torch(Functions):
    """Compute with the engine that torch takes unless told otherwise.

    Layers have unsigned activations and signed weights, so that other codes are stored as those.
    """

    engine = "x86"
    whole_bias = False
    apart = ("fbgemm",)
    layers: tuple[str, ...] = (
        *("conv2d:onednn", "depthwise:onednn"),
        *("linear:fbgemm", "linear:fbgemm_tensor"),
    )
    full, rest = ("add:torch",), ("add:torch_tail",)
    variations: tuple[str, ...] = ()  # of other operations, besides those of every engine

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name the version and the engine."""
        return f"torch {torch.__version__} with {self.engine}"

    def start(self) -> None:
        """Raise InputError if torch was built without the engine."""
        has = torch.backends.quantized.supported_engines
        if self.engine not in has:
            raise InputError(f"adapter: torch has no engine {self.engine}, only {', '.join(has)}")

    def supports(self, operation: str) -> bool:
        """Tell that no layer takes an accumulator: a bias is a float32."""
        return operation not in ("requantize", "rescale_codes") and super().supports(operation)

    def capabilities(self) -> Capabilities:
        """Declare float32, rounded half even."""
        return Capabilities(
            bits=(8,),
            rounding=("half_even",),
            by_operation={"matmul": {"requantization": ("float32",)}},
            variations=(
                "quantize:float32_zero_first",
                "dequantize:float32",
                "add:torch",
                "add_tensors:torch",
                "add:torch_tail",
                "avg_pool:torch",
                "avg_pool2d:torch",
                "mul:torch",
                "activation:float32",
                "activation_range:torch",
                "concat:torch",
                *self.layers,
                *self.variations,
            ),
        )

    def _quantize(self, real: Array, y: Output) -> Array:
        with _engine(self.engine):
            kind = torch.qint8 if y.storage.signed else torch.quint8
            return _codes(
                torch.quantize_per_tensor(torch.from_numpy(real), float(y.scale), y.zero, kind)
            )

    def _dequantize(self, x: Quantized) -> Array:
        with _engine(self.engine):
            return _tensor(x.codes, x).dequantize().numpy()

    def _add(self, a: Quantized, b: Quantized, y: Output) -> Array:
        with _engine(self.engine):
            terms = (_tensor(each.codes, each) for each in (a, b))
            return _codes(torch.ops.quantized.add(*terms, float(y.scale), y.zero))

    def _mul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        with _engine(self.engine):
            terms = (_tensor(each.codes, each) for each in (a, b))
            return _codes(torch.ops.quantized.mul(*terms, float(y.scale), y.zero))

    def _matmul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        with _engine(self.engine):
            factors = (_tensor(each.codes, each) for each in (a, b))
            return _codes(torch.ops.quantized.matmul(*factors, float(y.scale), y.zero))

    def _concat(self, terms: list[Quantized], y: Output) -> Array:
        with _engine(self.engine):
            parts = [_tensor(each.codes, each) for each in terms]
            return _codes(torch.ops.quantized.cat(parts, 0, float(y.scale), y.zero))

    def _activation(self, function: str, x: Quantized, alpha: float, y: Output) -> Array:
        of, size = torch.ops.quantized, (float(y.scale), y.zero)
        functions: dict[str, Any] = {
            "sigmoid": lambda t: of.sigmoid(t, *size),
            "hard_swish": lambda t: of.hardswish(t, *size),
            "leaky_relu": lambda t: of.leaky_relu(t, alpha, False, *size),
            "elu": lambda t: of.elu(t, *size, alpha),
        }
        if function not in functions:
            raise NotImplementedError(f"no {function} of codes has a scale of its own")
        with _engine(self.engine):
            return _codes(functions[function](_tensor(x.codes, x)))

    def _limits(self, activation: str, x: Quantized, _y: Output) -> Array:
        if activation == "none":
            return x.codes
        with _engine(self.engine):
            codes = _tensor(x.codes, x)
            return _codes(
                torch.ops.quantized.relu6(codes) if activation == "relu6" else codes.relu()
            )

    def _avg_pool(
        self,
        x: Quantized,
        kernel: tuple[int, int],
        windows: Windows,
        count_padding: bool,
        y: Output,
    ) -> Array:
        if (x.scale, x.zero) != (y.scale, y.zero):
            raise NotImplementedError("avg_pool2d keeps scale and zero point")
        if windows.dilation != (1, 1):
            raise NotImplementedError("avg_pool2d has no dilations")
        top, bottom, left, right = windows.padding
        codes, padding = x.codes, (top, left)
        if (top, left) != (bottom, right):
            if not count_padding:
                raise NotImplementedError("avg_pool2d pads both sides alike")
            codes, padding = _padded(codes, windows.padding, x.zero), (0, 0)
        with _engine(self.engine):
            if self.engine == "qnnpack" and kernel == (1, 1) and x.codes.dtype == np.uint8:
                raise NotImplementedError("QNNPACK has no pool of one element")
            pooled = torch.nn.functional.avg_pool2d(
                _tensor(codes[None], x),
                kernel,
                windows.stride,
                padding,
                count_include_pad=count_padding,
            )
            return _codes(pooled)[0]

    def _max_pool(self, x: Array, kernel: tuple[int, int], windows: Windows) -> Array:
        top, bottom, left, right = windows.padding
        codes, padding = x, [top, left]
        if (top, left) != (bottom, right):
            codes, padding = _padded(x, windows.padding, int(np.iinfo(x.dtype).min)), [0, 0]
        with _engine(self.engine):
            pooled = torch.ops.quantized.max_pool2d(
                _tensor(codes[None], Quantized(codes, np.float32(1), 0)),
                list(kernel),
                list(windows.stride),
                padding,
                list(windows.dilation),
                False,
            )
            return _codes(pooled)[0]

    def _convolved(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        if weights.codes.dtype == np.uint8:
            codes = (weights.codes.astype(np.int16) - HALF).astype(np.int8)
            weights = replace(weights, codes=codes, zero=weights.zero - HALF)
        if not y.storage.signed:
            return super()._convolved(x, weights, windows, y)
        codes = (x.codes.astype(np.int16) + HALF).astype(np.uint8)
        unsigned = y.moved(+HALF)
        moved = replace(x, codes=codes, zero=x.zero + HALF)
        return super()._convolved(moved, weights, windows, unsigned).astype(np.int16) - HALF

    def _conv2d(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        top, bottom, left, right = windows.padding
        codes, padding = x.codes, [top, left]
        if (top, left) != (bottom, right):
            codes, padding = _padded(codes, windows.padding, x.zero), [0, 0]
        with _engine(self.engine):
            operators: Any = torch.ops.quantized
            places = (list(windows.stride), padding, list(windows.dilation), weights.groups)
            packed = operators.conv2d_prepack(_kernel(weights), _bias(weights), *places)
            layer = operators.conv2d_relu if _relu(y) else operators.conv2d
            return _codes(layer(_tensor(codes[None], x), packed, float(y.scale), y.zero))[0]

    def _linear(self, x: Quantized, weights: Weights, _windows: Windows, y: Output) -> Array:
        with _engine(self.engine):
            operators: Any = torch.ops.quantized
            packed = operators.linear_prepack(_kernel(weights), _bias(weights))
            layer = operators.linear_relu if _relu(y) else operators.linear
            return _codes(layer(_tensor(x.codes[None], x), packed, float(y.scale), y.zero))[0]

    def conv2d(self, *, profile: str = "", **fields: Any) -> Array:
        """Spec: AQ-LAYER-3 to AQ-LAYER-6: a zero point added in float32 is that of quint8."""
        held = storage_of(*(fields[name] for name in CODES if name in fields))
        if profile == "onednn" and held.signed:
            raise NotImplementedError("activations are quint8")
        return super().conv2d(profile=profile, **fields)

    def clip(self, *, v: Array, low: Array, high: Array) -> Array:
        """Spec: AQ-INT-1."""
        return torch.from_numpy(v).clamp(int(low[0]), int(high[0])).numpy()


def _relu(y: Output) -> bool:
    return bool(y.qmin == y.zero > y.storage.ends[0])


def _codes(tensor: Any) -> Array:
    return tensor.int_repr().numpy()


def _tensor(codes: Array, x: Quantized) -> Any:
    stored = torch.from_numpy(np.ascontiguousarray(codes))
    return torch._make_per_tensor_quantized_tensor(stored, float(x.scale), x.zero)


def _kernel(weights: Weights) -> Any:
    codes = torch.from_numpy(np.ascontiguousarray(weights.codes))
    if weights.alike:
        scale, zero = float(weights.scale[0]), int(weights.zero[0])
        return torch._make_per_tensor_quantized_tensor(codes, scale, zero)
    scales = torch.from_numpy(weights.scale.astype(np.float64))
    zeros = torch.from_numpy(weights.zero.astype(np.int64))
    return torch._make_per_channel_quantized_tensor(codes, scales, zeros, 0)


def _bias(weights: Weights) -> Any:
    """Return the bias as torch takes it, a real number in float32."""
    return torch.from_numpy(weights.real_bias.astype(np.float32))


def _padded(codes: Array, padding: tuple[int, int, int, int], value: int) -> Array:
    top, bottom, left, right = padding
    return np.pad(codes, ((0, 0), (top, bottom), (left, right)), constant_values=value)


class Onednn(Torch):
    """Compute layers by oneDNN."""

    engine = "onednn"

    def _convolved(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        if weights.zero.any() or weights.codes.dtype == np.uint8:
            raise NotImplementedError("weights have the zero point 0")
        return super()._convolved(x, weights, windows, y)

    layers = tuple(f"{name}:onednn" for name in LAYERS)


class Fbgemm(Torch):
    """Compute layers by FBGEMM."""

    engine = "fbgemm"
    layers = tuple(f"{name}:{each}" for name in LAYERS for each in ("fbgemm", "fbgemm_tensor"))


class Qnnpack(Torch):
    """Compute layers by QNNPACK, and sums and means of unsigned codes."""

    engine = "qnnpack"
    layers = tuple(f"{name}:qnnpack" for name in LAYERS)
    variations = tuple(f"{name}:qnnpack" for name in OF_UNSIGNED)

    def _added(self, profile: str, **fields: Any) -> Codes:
        _of_kernel(profile, fields)
        return super()._added(profile, **fields)

    def add_tensors(self, *, profile: str = "", **fields: Any) -> Array:
        """Spec: AQ-PEER-16, AQ-PEER-24."""
        _of_kernel(profile, fields)
        return super().add_tensors(**fields)

    def _activation(self, function: str, x: Quantized, alpha: float, y: Output) -> Array:
        fixed = function == "sigmoid" and not y.storage.signed
        if fixed and (float(y.scale), y.zero) != (1 / 256, 0):
            raise NotImplementedError("QNNPACK's sigmoid has the scale 1/256")
        return super()._activation(function, x, alpha, y)

    def _mean(self, profile: str, **fields: Any) -> Codes:
        _of_kernel(profile, fields)
        return super()._mean(profile, **fields)

    def avg_pool2d(self, *, profile: str = "", **fields: Any) -> Array:
        """Spec: AQ-PEER-19, AQ-PEER-25."""
        _of_kernel(profile, fields)
        return super().avg_pool2d(**fields)


def _of_kernel(profile: str, fields: dict[str, Any]) -> None:
    """Refuse unsigned codes unless QNNPACK is asked, which has no others."""
    held = storage_of(*(fields[name] for name in CODES if name in fields))
    if held.signed == (profile == "qnnpack"):
        raise NotImplementedError(f"{held.dtype.__name__} is another kernel's")
