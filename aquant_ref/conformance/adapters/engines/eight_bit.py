"""Ask an engine that computes with codes of 8 bits: the contract's fields become its arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from aquant_ref import oracle
from aquant_ref.conformance.adapters.engines.codes import (
    REGISTERS,
    OneByOne,
    Storage,
    clipped,
    each,
    everywhere,
    scale32,
    storage_of,
    unanimous,
    whole_bias,
)
from aquant_ref.typing import Array, Codes, Integers, Reals

ROWS = (
    3  # windows of one sum, one below the other: a window that is the whole image is another path
)


LAYERS = ("conv2d", "depthwise", "linear")
PIXELS, CHANNELS = (3, 11), 9  # that compute one accumulator: vector registers, and what is left


@dataclass(frozen=True)
class Quantized:
    """Hold codes with the parameters that they are stored with."""

    codes: Array
    scale: np.float32
    zero: int


@dataclass(frozen=True)
class Output:
    """Say how a result is stored, and what it is clipped to."""

    scale: np.float32
    zero: int
    storage: Storage
    qmin: int
    qmax: int

    @property
    def whole(self) -> bool:
        """Tell whether the range is that of the type."""
        return (self.qmin, self.qmax) == self.storage.ends

    def moved(self, by: int) -> Output:
        """Return the same numbers stored with the other sign."""
        other = Storage(not self.storage.signed)
        return Output(self.scale, self.zero + by, other, self.qmin + by, self.qmax + by)


@dataclass(frozen=True)
class Windows:
    """Say where the windows of a layer or pool lie; padding is top, bottom, left, right."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Weights:
    """Hold the weights of a layer, with one scale and zero point for each output channel."""

    codes: Array
    scale: Reals
    zero: Integers
    bias: Integers
    real_bias: Reals
    groups: int = 1
    depthwise: bool = False
    apart: bool = False

    @property
    def alike(self) -> bool:
        """Tell whether one scale and zero point are given for all channels."""
        return not self.apart and len({*self.scale.tolist()}) == len({*self.zero.tolist()}) == 1


class EightBit(OneByOne):
    """Translate the operations of the contract; an engine defines those with an underscore.

    What an engine cannot be given raises NotImplementedError, and is reported as unsupported.
    """

    full: Collection[str] = ()  # choices of those elements alone that fill vector registers,
    rest: Collection[str] = ()  # and of those that are left

    apart: Collection[str] = ()  # alternatives of layers that are given a scale for each channel
    whole_bias = True  # a bias is an integer of accumulator steps

    def _picked(self, answers: Array, choice: str) -> Any:
        """Return the answer that the elements of an alternative agree on."""
        if choice in self.full:
            answers = answers[:REGISTERS]
        elif choice in self.rest:
            answers = answers[REGISTERS:]
        return unanimous(answers)

    def quantize(self, *, rounding: str, profile: str = "", **columns: Array) -> Array:
        """Spec: AQ-PEER-2 to AQ-PEER-4."""
        if rounding != self._rounding(profile):
            raise NotImplementedError(f"rounds {self._rounding(profile)}")
        return each(partial(self._quantized, profile), **columns)

    def _rounding(self, _profile: str) -> str:
        return "half_even"

    def _quantized(
        self, profile: str, *, r: float, scale: float, zero_point: int, qmin: int, qmax: int
    ) -> Codes:
        kind, size = self._type(profile, scale)
        with np.errstate(over="ignore", under="ignore"):
            real = everywhere(kind(r), kind)
        y = Output(size, zero_point, storage_of(zero_point, qmin), qmin, qmax)
        if not profile and not (float(real[0]) == r and float(y.scale) == scale):
            raise NotImplementedError("a number is no float32")
        answers = self._quantize(real, y)
        return clipped(self._picked(answers, f"quantize:{profile}"), qmin, qmax)

    def _type(self, profile: str, scale: float) -> tuple[Any, Any]:
        """Return the type of real numbers in a variation, and the scale in it."""
        if profile.startswith("float16"):
            return np.float16, np.float16(scale)
        return np.float32, scale32(scale)

    def _quantize(self, _real: Array, _y: Output) -> Array:
        raise NotImplementedError

    def dequantize(self, *, profile: str = "", **columns: Array) -> Array:
        """Spec: AQ-PEER-5."""
        return each(partial(self._dequantized, profile), **columns)

    def _dequantized(self, profile: str, *, q: int, scale: float, zero_point: int) -> float:
        codes = storage_of(q, zero_point).hold(everywhere(q, np.int64))
        x = Quantized(codes, self._type(profile, scale)[1], zero_point)
        return float(self._picked(self._dequantize(x), f"dequantize:{profile}"))

    def _dequantize(self, _x: Quantized) -> Array:
        raise NotImplementedError

    def add(self, *, profile: str = "", **columns: Array) -> Array:
        """Spec: AQ-PEER-6 to AQ-PEER-11, AQ-PEER-24."""
        return each(partial(self._added, profile), **columns)

    def _added(self, profile: str, *, a: int, b: int, **fields: Any) -> Codes:
        total = self._of_two(self._add, everywhere(a, int), everywhere(b, int), **fields)
        return self._picked(total, f"add:{profile}")

    def add_tensors(self, *, a: Codes, b: Codes, profile: str = "", **fields: Any) -> Array:
        """Spec: AQ-PEER-16 to AQ-PEER-18."""
        del profile  # an engine has one way to compute
        return self._of_two(self._add, a, b, **fields)

    def _of_two(
        self,
        compute: Callable[[Quantized, Quantized, Output], Array],
        a: Codes,
        b: Codes,
        *,
        a_scale: float,
        a_zero: int,
        b_scale: float,
        b_zero: int,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
    ) -> Array:
        store = storage_of(a, b, a_zero, b_zero, zero_point, qmin)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        first = Quantized(store.hold(a), scale32(a_scale), a_zero)
        second = Quantized(store.hold(b), scale32(b_scale), b_zero)
        return clipped(compute(first, second, y), qmin, qmax)

    def _add(self, _a: Quantized, _b: Quantized, _y: Output) -> Array:
        raise NotImplementedError

    def mul(self, *, profile: str = "", **columns: Array) -> Array:
        """Spec: AQ-CODES-7 to AQ-CODES-11."""
        return each(partial(self._multiplied, profile), **columns)

    def _multiplied(self, profile: str, *, a: int, b: int, **fields: Any) -> Codes:
        product = self._of_two(self._mul, everywhere(a, int), everywhere(b, int), **fields)
        return self._picked(product, f"mul:{profile}")

    def _mul(self, _a: Quantized, _b: Quantized, _y: Output) -> Array:
        raise NotImplementedError

    def rescale_codes(self, *, profile: str = "", **columns: Array) -> Array:
        """Spec: AQ-CODES-2 to AQ-CODES-5."""
        return each(partial(self._converted, profile), **columns)

    def _converted(
        self,
        profile: str,
        *,
        x: int,
        x_scale: float,
        x_zero: int,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
    ) -> Codes:
        codes = storage_of(x, x_zero).hold(everywhere(x, np.int64))
        y = Output(scale32(scale), zero_point, storage_of(zero_point, qmin), qmin, qmax)
        answers = self._rescale_codes(Quantized(codes, scale32(x_scale), x_zero), y)
        return clipped(self._picked(answers, f"rescale_codes:{profile}"), qmin, qmax)

    def _rescale_codes(self, _x: Quantized, _y: Output) -> Array:
        raise NotImplementedError

    def avg_pool(self, *, profile: str = "", **columns: Array) -> Array:
        """Spec: AQ-PEER-12 to AQ-PEER-15, AQ-PEER-25."""
        return each(partial(self._mean, profile), **columns)

    def _mean(self, profile: str, *, total: int, count: int, x_zero: int, **fields: Any) -> Any:
        del profile  # an engine has one way to compute
        store = storage_of(total, x_zero, fields["zero_point"], fields["qmin"])
        x = np.tile(_codes_of_sum(total, count, store), (1, ROWS, 1))
        windows = {**fields, "kernel": (1, count), "count_padding": 0}
        return unanimous(self._pooled(x, x_zero, store, Windows(), **windows))

    def avg_pool2d(
        self,
        *,
        x: Codes,
        x_zero: int,
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
        dilation: tuple[int, int],
        zero_point: int,
        qmin: int,
        profile: str = "",
        **fields: Any,
    ) -> Array:
        """Spec: AQ-IDEAL-4."""
        del profile
        store = storage_of(x, x_zero, zero_point, qmin)
        fields = {**fields, "zero_point": zero_point, "qmin": qmin}
        return self._pooled(x, x_zero, store, Windows(stride, padding, dilation), **fields)

    def _pooled(
        self,
        x: Codes,
        x_zero: int,
        store: Storage,
        windows: Windows,
        *,
        kernel: tuple[int, int],
        x_scale: float,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        count_padding: int,
    ) -> Array:
        codes = Quantized(store.hold(x), scale32(x_scale), x_zero)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        answer = self._avg_pool(codes, kernel, windows, bool(count_padding), y)
        return clipped(answer, qmin, qmax)

    def _avg_pool(
        self,
        _x: Quantized,
        _kernel: tuple[int, int],
        _windows: Windows,
        _count_padding: bool,
        _y: Output,
    ) -> Array:
        raise NotImplementedError

    def max_pool2d(
        self,
        *,
        x: Codes,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
        dilation: tuple[int, int],
    ) -> Array:
        """Spec: AQ-IDEAL-4."""
        codes = storage_of(x).hold(x)
        return self._max_pool(codes, kernel, Windows(stride, padding, dilation)).astype(np.int64)

    def _max_pool(self, _x: Array, _kernel: tuple[int, int], _windows: Windows) -> Array:
        raise NotImplementedError

    def conv2d(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        weight: Codes,
        weight_scale: Reals,
        weight_zero: Integers,
        bias: Reals,
        groups: int,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        profile: str = "",
        depthwise: bool = False,
        **windows: Any,
    ) -> Array:
        """Spec: AQ-INT-4."""
        scales = scale32(weight_scale)
        if profile == "float32" and not _one_product(scale32(x_scale), scales, scale32(scale)):
            raise NotImplementedError("rounds a multiplier after each step: float32_product")
        store = self._layer_codes(x, x_zero, zero_point, qmin)
        size = 64 if store.bits == 16 else 32
        weights = Weights(
            _weights(weight, weight_zero),
            scales,
            weight_zero,
            whole_bias(bias, x_scale, weight_scale, size)
            if self.whole_bias
            else np.zeros(0, np.int32),
            bias,
            groups,
            depthwise,
            profile in self.apart,
        )
        codes = Quantized(store.hold(x), scale32(x_scale), x_zero)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        return clipped(self._convolved(codes, weights, Windows(**windows), y), qmin, qmax)

    def _layer_codes(self, x: Codes, x_zero: int, zero_point: int, qmin: int) -> Storage:
        """Return how the activations of a layer are stored."""
        return storage_of(x, x_zero, zero_point, qmin)

    def depthwise(self, *, x: Codes, **fields: Any) -> Array:
        """Spec: AQ-INT-4: as many groups as channels."""
        return self.conv2d(x=x, groups=len(x), depthwise=True, **fields)

    def linear(self, *, x: Codes, weight: Codes, **fields: Any) -> Array:
        """Spec: AQ-INT-3."""
        return self.conv2d(x=x, weight=weight, groups=1, **fields)

    def requantize(self, *, profile: str, **columns: Array) -> Array:
        """Spec: AQ-FIXED-2 to AQ-FIXED-7: a convolution of zeros, whose bias is the accumulator."""
        del profile
        return each(self._rescaled, **columns)

    def _rescaled(
        self, *, acc: int, multiplier: int, shift: int, zero_point: int, qmin: int, qmax: int
    ) -> Codes:
        store = storage_of(zero_point, qmin)
        scale = scale32(self._scales(multiplier, shift))
        x = Quantized(store.hold(np.full((1, *PIXELS), zero_point)), scale[0], zero_point)
        zero = np.zeros(CHANNELS, np.int64)
        weights = Weights(
            np.ones((CHANNELS, 1, 1, 1), np.int8),
            np.full(CHANNELS, scale[1]),
            zero,
            (zero + acc).astype(np.int32),
            zero.astype(np.float64),
        )
        y = Output(np.float32(1), zero_point, store, qmin, qmax)
        return clipped(unanimous(self._convolved(x, weights, Windows(), y)), qmin, qmax)

    def _scales(self, multiplier: int, shift: int) -> Array:
        """Return scales of input and weights with this product: one of 24 bits."""
        return np.array([1, np.ldexp(np.float64(multiplier), -shift)])

    def _convolved(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        layer = self._linear if x.codes.ndim == 1 else self._conv2d
        return layer(x, weights, windows, y)

    def _conv2d(self, _x: Quantized, _weights: Weights, _windows: Windows, _y: Output) -> Array:
        raise NotImplementedError

    def _linear(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        """Compute it as a convolution of one pixel, unless the engine has better."""
        image = replace(x, codes=x.codes[:, None, None])
        kernel = replace(weights, codes=weights.codes[:, :, None, None])
        return self._conv2d(image, kernel, windows, y)[:, 0, 0]


def _one_product(x: np.float32, weights: Reals, y: np.float32) -> bool:
    """Tell whether the multipliers are the same, rounded once or after each step."""
    for w in np.unique(weights):
        exact = Fraction(float(x)) * Fraction(float(w)) / Fraction(float(y))
        if oracle.to_float(exact, 24, -149) != Fraction(float(np.float32(x * w) / y)):
            return False
    return True


def _weights(weight: Codes, zero: Integers) -> Array:
    """Hold weights as signed codes, or else with their zero points as unsigned ones."""
    return Storage(bool(weight.min(initial=0) < 0 or not zero.any())).hold(weight)


def _codes_of_sum(total: int, count: int, store: Storage) -> Array:
    """Return an image (1, 1, count) of unlike codes with this sum."""
    low, high = store.ends
    whole, more = divmod(total, count)
    codes = np.full(count, whole)
    codes[:more] += 1
    for first in range(count // 2):
        last = count - 1 - first
        apart = min(first * 7 % 60, high - int(codes[first]), int(codes[last]) - low)
        codes[first] += apart
        codes[last] -= apart
    return codes.reshape(1, 1, count)
