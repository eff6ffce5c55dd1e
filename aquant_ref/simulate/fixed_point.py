"""Simulate a fixed-point program in float64, with the floors at the same places.

It is a simulation in which all scales and units are 1, so every tensor consists of integers, which
float64 represents exactly below 2^53. Two rules differ from the other simulation: how an
accumulator becomes a code, and how branches meet. A product of accumulator and multiplier has up to
62 bits, so the multiplier is split in two. The simulation shares no arithmetic with the engine;
`quant.fixed_point` derives the parameters of rescalings and borders for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import lcm, prod

import numpy as np

from aquant_ref.checks import instance
from aquant_ref.model.accumulator_scale import AccumulatorScale
from aquant_ref.model.fixed_point import border_of, scale_of_sum
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import Node, windows
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
from aquant_ref.typing import Codes, Integers, Reals

HALF_BITS = 16  # of the lower half of a multiplier
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class FixedPointSimulation(Simulation):
    """Run a quantized network in fixed point, in float64.

    Spec: AQ-LOWER-10. Raise InputError, which names the tensor, if a parameter has no integer form.
    """

    def __init__(self, model: QuantizedModel, options: FixedPoint) -> None:
        instance("model", model, QuantizedModel)
        model.check()
        super().__init__(_with_unit_scales(model))
        self.options = options
        self._scales = {INPUT: _scale_of_codes(model, INPUT)}
        self._borders: dict[str, FixedBorder] = {}
        self._rescalings: dict[tuple[str, str], Rescaling | None] = {}  # by (reader, tensor)
        self._factors: dict[str, Integers] = {}  # of each window of a mean
        for node in model.graph.nodes:
            self._prepare(model, node)

    def _codes(self, name: str, r: Reals) -> Codes:
        to_steps, border = self._rescalings[name, name], self._borders[name]
        stored = self._stored[name]
        bits = 8 if stored.bits <= 8 else 16
        out = np.empty(r.shape, f"{'int' if stored.signed else 'uint'}{bits}")

        def block(images: slice) -> None:
            t = r[images]
            if to_steps is not None:
                t = rescaled(t, to_steps, self.options.profile)
            out[images] = bordered(t, border) + stored.zero_point

        # Each element has a dozen temporaries, which stay in cache block by block.
        map_blocks(block, len(r), images_per_block(16 * r[:1].nbytes))
        return out

    def _apply(self, node: Node, parameters: Mapping[str, Reals], *inputs: Reals) -> Reals:
        rule = getattr(self, f"_{node.op}", None)
        return super()._apply(node, parameters, *inputs) if rule is None else rule(node, *inputs)

    def _relu(self, _node: Node, x: Reals) -> Reals:
        """Return T unchanged; the border clips it."""
        return x

    _relu6 = _relu

    def _avg_pool(self, node: Node, x: Reals) -> Reals:
        columns = windows(node, x.shape[1:]).columns(x)
        return np.asarray(columns.sum(axis=(2, 3)) * self._factors[node.name])

    _global_avg_pool = _avg_pool

    def _add(self, node: Node, *inputs: Reals) -> Reals:
        pairs = zip(node.inputs, inputs, strict=True)
        a, b = (self._rescaled(node.name, name, x) for name, x in pairs)
        return np.asarray(a + b)

    def _rescaled(self, reader: str, name: str, x: Reals) -> Reals:
        to_steps = self._rescalings[reader, name]
        return x if to_steps is None else rescaled(x, to_steps, self.options.profile)

    # What the integers of each tensor stand for, before any image

    def _prepare(self, model: QuantizedModel, node: Node) -> None:
        name, bits = node.name, self.options.fraction_bits
        rule = getattr(self, f"_scale_of_{node.op}", self._scale_of_input)
        self._scales[name] = rule(model, node)
        if name in model.tensors:
            self._borders[name] = border_of(model, name, bits)
            scale = Fraction(model.stored(name).scale)
            self._rescale(name, name, scale, self._borders[name].fraction_bits)
            self._scales[name] = _scale_of_codes(model, name)

    def _rescale(self, reader: str, name: str, scale: Fraction, bits: int) -> None:
        acc, to_steps = self._scales[name], None
        if not acc.is_steps(scale / 2**bits):
            to_steps = rescaling(acc.unit, acc.bias, scale, bits, self.options)
        self._rescalings[reader, name] = to_steps

    def _scale_of_input(self, _model: QuantizedModel, node: Node) -> AccumulatorScale:
        return self._scales[node.inputs[0]]

    def _scale_of_conv2d(self, model: QuantizedModel, node: Node) -> AccumulatorScale:
        layer = model.layers[node.name]
        return AccumulatorScale(tuple(map(Fraction, layer.unit)), tuple(map(Fraction, layer.bias)))

    _scale_of_linear = _scale_of_conv2d

    def _scale_of_add(self, model: QuantizedModel, node: Node) -> AccumulatorScale:
        scale, bits = scale_of_sum(model, node.name), self.options.fraction_bits
        for term in node.inputs:
            self._rescale(node.name, term, scale, bits)
        return AccumulatorScale.steps(scale / 2**bits, model.graph.shapes[node.name][0])

    def _scale_of_mul(self, _model: QuantizedModel, node: Node) -> AccumulatorScale:
        a, b = (self._scales[name] for name in node.inputs)
        return a.times(b)

    def _scale_of_avg_pool(self, model: QuantizedModel, node: Node) -> AccumulatorScale:
        (source,) = node.inputs
        total, geometry = self._scales[source], windows(node, model.graph.shapes[source])
        counts = geometry.counts()
        divisor = lcm(*counts.ravel().tolist())
        if node.attributes.get("count_padding", True):
            divisor = prod(geometry.kernel)
            counts = np.full_like(counts, divisor)
        self._factors[node.name] = divisor // counts
        return replace(total, unit=tuple(u / divisor for u in total.unit))

    _scale_of_global_avg_pool = _scale_of_avg_pool

    def _scale_of_concat(self, _model: QuantizedModel, node: Node) -> AccumulatorScale:
        return AccumulatorScale.joined([self._scales[name] for name in node.inputs])

    def _scale_of_flatten(self, model: QuantizedModel, node: Node) -> AccumulatorScale:
        shape = model.graph.shapes[node.inputs[0]]
        return self._scales[node.inputs[0]].repeated(prod(shape[1:]))


def _with_unit_scales(model: QuantizedModel) -> QuantizedModel:
    """Return the network with all scales and units 1, and all biases but that of the logits 0."""
    tensors = {name: replace(tensor, scale=1.0) for name, tensor in model.tensors.items()}
    layers = {
        name: replace(layer, unit=np.ones_like(layer.unit), bias=np.zeros_like(layer.bias))
        for name, layer in model.layers.items()
    }
    last = model.graph.output
    logits = model.layers[last]
    layers[last] = replace(layers[last], bias=np.rint(logits.bias / logits.unit))
    return replace(model, tensors=tensors, layers=layers)


def _scale_of_codes(model: QuantizedModel, name: str) -> AccumulatorScale:
    """Describe codes minus their zero point, as a node reads them."""
    return AccumulatorScale.steps(Fraction(model.tensors[name].scale), model.graph.shapes[name][0])


def _per_channel(values: Integers | Reals, x: Reals) -> Reals:
    return values.reshape(-1, *(1,) * (x.ndim - 2)).astype(np.float64)


def rescaled(x: Reals, by: Rescaling, profile: str) -> Reals:
    """Return T, saturated to int32, of integer-valued float64 accumulators x (N, C, ...).

    Spec: AQ-FIXED-8.
    """
    acc = np.ldexp(x, by.left.reshape(-1, *(1,) * (x.ndim - 2))) + _per_channel(by.bias, x)
    m = _per_channel(by.multiplier, x)
    if profile in FLOAT_PROFILES:
        ends = {"qmin": int(INT32_MIN), "qmax": int(INT32_MAX)}
        return requantize_real(acc.astype(np.int64), m, profile=profile, **ends).astype(np.float64)
    assert by.shift is not None
    t = requantized(acc, m, _per_channel(by.shift, x), profile)
    return np.clip(t, INT32_MIN, INT32_MAX)


def requantized(acc: Reals, m: Reals, shift: Reals, profile: str) -> Reals:
    """Return acc * m * 2^-shift, rounded by an integer variation, float64.

    Spec: AQ-FIXED-2 to AQ-FIXED-4.
    """
    if profile in ("exact", "tflite_single"):
        return _half_up(acc, m, shift)
    high = _half_up(acc * 2 ** np.maximum(31 - shift, 0), m, np.full_like(shift, 31))
    scaled = high / 2 ** np.maximum(shift - 31, 0)  # exact, because `high` has 32 bits
    if profile == "tflite_up":
        return np.floor(scaled + 0.5)
    return np.copysign(np.floor(abs(scaled) + 0.5), scaled)


def _half_up(a: Reals, m: Reals, shift: Reals) -> Reals:
    """Round v = a * m * 2^-shift half_up: floor(v + 1/2) = floor((floor(2*v) + 1)/2)."""
    return np.floor((_floor_product(a, m, shift - 1) + 1) / 2)


def _floor_product(a: Reals, m: Reals, shift: Reals) -> Reals:
    """Return floor(a * m * 2^-shift) for integers |a| <= 2^32 and 0 <= m < 2^31.

    a * m has up to 63 bits, so m is split in two: a * m = whole * 2^16 + rest, 0 <= rest < 2^16,
    both exact. A result beyond 2^53 is rounded, but its user has saturated long before.
    """
    upper = np.floor(m / 2**HALF_BITS)
    product = a * (m - upper * 2**HALF_BITS)
    carry = np.floor(product / 2**HALF_BITS)
    whole, rest = a * upper + carry, product - carry * 2**HALF_BITS
    scale = 2.0**-shift
    return np.floor(whole * (scale * 2**HALF_BITS)) + np.floor(rest * scale)


def bordered(t: Reals, border: FixedBorder) -> Reals:
    """Return the code of T (N, C, ...) minus its zero point, float64. Spec: AQ-FIXED-9."""
    t = np.clip(t, border.low, border.high)
    whole = np.floor(t / 2**border.fraction_bits)
    fraction = t - whole * 2**border.fraction_bits
    tau = _floor_product(t, np.full(1, float(border.multiplier)), np.full(1, float(border.shift)))
    p = np.zeros(1)
    for coefficients in border.coefficients.T[::-1]:  # b2, b1, b0
        p = np.floor(p * tau / 2**TAU_BITS) + _per_channel(coefficients, t)
    return np.asarray(whole + (border.lift[fraction.astype(np.int64)] >= p))
