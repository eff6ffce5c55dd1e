"""The fixed-point program in floating point: integers in float64, floors at the same places.

It is the simulation of a network whose scales and units are all 1, so that every tensor holds
integers, exact below 2^53, with other rules where an accumulator becomes a code and where branches
meet. A product of an accumulator and a multiplier has up to 62 bits: the multiplier is split.
Shares no arithmetic with the engine; the numbers of each rescaling and border are derived in
`quant.fixed_point` for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import instance
from aquant_ref.model.fixed_point import border_of, scale_of_sum
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import CEILINGS, Node, windows
from aquant_ref.nn.windows import images_per_block
from aquant_ref.quant.fixed_point import (
    FLOAT_PROFILES,
    TAU_BITS,
    FixedBorder,
    FixedPoint,
    Rescaling,
    rescaling,
)
from aquant_ref.quant.multiplier import requantize_real
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.threads import map_blocks

Array = NDArray[Any]
Worth = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]  # unit and bias of each channel

MEANS = ("avg_pool", "global_avg_pool")
HALF_BITS = 16  # of a multiplier's lower half
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class FixedPointSimulation(Simulation):
    """A quantized network in fixed point, ready to run in float64.

    Spec: AQ-LOWER-10. Raises InputError, which names the tensor, where a number has no integer
    form.
    """

    def __init__(self, model: QuantizedModel, options: FixedPoint) -> None:
        instance("model", model, QuantizedModel)
        model.check()
        super().__init__(_counted(model))
        self.options = options
        self._worth = {INPUT: _codes_worth(model, INPUT)}
        self._borders: dict[str, FixedBorder] = {}
        self._rescalings: dict[tuple[str, str], Rescaling | None] = {}  # by reader, what it reads
        self._factors: dict[str, Array] = {}  # of each window of a mean
        for node in model.graph.nodes:
            self._prepare(model, node)

    def _codes(self, name: str, r: Array) -> Array:
        found, border = self._rescalings[name, name], self._borders[name]
        stored = self._stored[name]
        bits = 8 if stored.bits <= 8 else 16
        out = np.empty(r.shape, f"{'int' if stored.signed else 'uint'}{bits}")

        def block(part: slice) -> None:
            t = r[part] if found is None else rescaled(r[part], found, self.options.profile)
            out[part] = bordered(t, border) + stored.zero_point

        # a dozen temporaries an element: in blocks they stay in cache
        map_blocks(block, len(r), images_per_block(16 * r[:1].nbytes))
        return out

    def _apply(self, node: Node, own: Mapping[str, Array], *inputs: Array) -> Array:
        if node.op in CEILINGS:  # the border clips
            return inputs[0]
        if node.op in MEANS:
            columns = windows(node, inputs[0].shape[1:]).columns(inputs[0])
            return np.asarray(columns.sum(axis=(2, 3)) * self._factors[node.name])
        if node.op == "add":
            pairs = zip(node.inputs, inputs, strict=True)
            a, b = (self._rescaled(node.name, name, x) for name, x in pairs)
            return np.asarray(a + b)
        return super()._apply(node, own, *inputs)

    def _rescaled(self, reader: str, name: str, x: Array) -> Array:
        found = self._rescalings[reader, name]
        return x if found is None else rescaled(x, found, self.options.profile)

    # What the integers of each tensor are worth, before any image

    def _prepare(self, model: QuantizedModel, node: Node) -> None:
        name, bits = node.name, self.options.fraction_bits
        self._worth[name] = self._worth_of(model, node)
        if node.op == "add":
            scale = scale_of_sum(model, name)
            for term in node.inputs:
                self._rescale(name, term, scale, bits)
            self._worth[name] = _same(scale / 2**bits, len(self._worth[name][0]))
        if name in model.tensors:
            self._borders[name] = border_of(model, name, bits)
            scale = Fraction(model.stored(name).scale)
            self._rescale(name, name, scale, self._borders[name].fraction_bits)
            self._worth[name] = _codes_worth(model, name)

    def _rescale(self, reader: str, name: str, scale: Fraction, bits: int) -> None:
        unit, bias = self._worth[name]
        same = self._worth[name] == _same(scale / 2**bits, len(unit))
        self._rescalings[reader, name] = (
            None if same else rescaling(unit, bias, scale, bits, self.options)
        )

    def _worth_of(self, model: QuantizedModel, node: Node) -> Worth:
        if node.name in model.layers:
            layer = model.layers[node.name]
            return tuple(map(Fraction, layer.unit)), tuple(map(Fraction, layer.bias))
        unit, bias = self._worth[node.inputs[0]]
        shape = model.graph.shapes[node.inputs[0]]
        if node.op in MEANS:
            counts = windows(node, shape).counts()
            divisor = lcm(*counts.ravel().tolist())
            if node.attributes.get("count_padding", True):
                divisor = prod(windows(node, shape).kernel)
                counts = np.full_like(counts, divisor)
            self._factors[node.name] = divisor // counts
            return tuple(u / divisor for u in unit), bias
        if node.op == "concat":
            units, biases = zip(*(self._worth[name] for name in node.inputs), strict=True)
            return sum(units, ()), sum(biases, ())
        if node.op == "flatten":
            return _each(unit, prod(shape[1:])), _each(bias, prod(shape[1:]))
        return unit, bias


def _counted(model: QuantizedModel) -> QuantizedModel:
    """The same network with scales and units of 1, and no bias but that of the logits."""
    tensors = {name: replace(tensor, scale=1.0) for name, tensor in model.tensors.items()}
    layers = {
        name: replace(layer, unit=np.ones_like(layer.unit), bias=np.zeros_like(layer.bias))
        for name, layer in model.layers.items()
    }
    last = model.graph.output
    logits = model.layers[last]
    layers[last] = replace(layers[last], bias=np.rint(logits.bias / logits.unit))
    return replace(model, tensors=tensors, layers=layers)


def _same(unit: Fraction, channels: int) -> Worth:
    return (unit,) * channels, (Fraction(0),) * channels


def _codes_worth(model: QuantizedModel, name: str) -> Worth:
    """Of codes minus their zero point, as a node reads them."""
    return _same(Fraction(model.tensors[name].scale), model.graph.shapes[name][0])


def _each(values: tuple[Fraction, ...], times: int) -> tuple[Fraction, ...]:
    return tuple(value for value in values for _ in range(times))


def _per_channel(values: Array, x: Array) -> Array:
    return values.reshape(-1, *(1,) * (x.ndim - 2)).astype(np.float64)


def rescaled(x: Array, found: Rescaling, profile: str) -> Array:
    """T of integer-valued float64 accumulators x (N, C, ...), saturated to int32.

    Spec: AQ-FIXED-8.
    """
    acc = np.ldexp(x, found.left.reshape(-1, *(1,) * (x.ndim - 2))) + _per_channel(found.bias, x)
    m = _per_channel(found.multiplier, x)
    if profile in FLOAT_PROFILES:
        ends = {"qmin": int(INT32_MIN), "qmax": int(INT32_MAX)}
        return requantize_real(acc.astype(np.int64), m, profile=profile, **ends).astype(np.float64)
    assert found.shift is not None
    t = requantized(acc, m, _per_channel(found.shift, x), profile)
    return np.clip(t, INT32_MIN, INT32_MAX)


def requantized(acc: Array, m: Array, shift: Array, profile: str) -> Array:
    """The product acc * m * 2^-shift rounded by an integer profile, float64.

    Spec: AQ-FIXED-2 to AQ-FIXED-4.
    """
    if profile in ("exact", "tflite_single"):
        return _half_up(acc, m, shift)
    high = _half_up(acc * 2 ** np.maximum(31 - shift, 0), m, np.full_like(shift, 31))
    scaled = high / 2 ** np.maximum(shift - 31, 0)  # of 32 bits: exact
    if profile == "tflite_up":
        return np.floor(scaled + 0.5)
    return np.copysign(np.floor(abs(scaled) + 0.5), scaled)


def _half_up(a: Array, m: Array, shift: Array) -> Array:
    """Integers a * m * 2^-shift, half_up: floor(v + 1/2) = floor((floor(2*v) + 1)/2)."""
    return np.floor((_floor_product(a, m, shift - 1) + 1) / 2)


def _floor_product(a: Array, m: Array, shift: Array) -> Array:
    """floor(a * m * 2^-shift) for integers |a| <= 2^32 and 0 <= m < 2^31, though a * m has 63 bits.

    m is split in two halves and a * m = whole * 2^16 + rest, 0 <= rest < 2^16, both exact. Where
    the result is beyond 2^53 it is rounded; what it is used for has saturated long before.
    """
    upper = np.floor(m / 2**HALF_BITS)
    product = a * (m - upper * 2**HALF_BITS)
    carry = np.floor(product / 2**HALF_BITS)
    whole, rest = a * upper + carry, product - carry * 2**HALF_BITS
    scale = 2.0**-shift
    return np.floor(whole * (scale * 2**HALF_BITS)) + np.floor(rest * scale)


def bordered(t: Array, border: FixedBorder) -> Array:
    """The code of T (N, C, ...) minus the zero point, float64. Spec: AQ-FIXED-9."""
    t = np.clip(t, border.low, border.high)
    whole = np.floor(t / 2**border.fraction_bits)
    fraction = t - whole * 2**border.fraction_bits
    tau = _floor_product(t, np.full(1, float(border.multiplier)), np.full(1, float(border.shift)))
    p = np.zeros(1)
    for coefficients in border.coefficients.T[::-1]:  # b2, b1, b0
        p = np.floor(p * tau / 2**TAU_BITS) + _per_channel(coefficients, t)
    return np.asarray(whole + (border.lift[fraction.astype(np.int64)] >= p))
