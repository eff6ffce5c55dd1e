"""Threshold lowering: from a quantized model to integers, with exact rationals in between.

A tensor that is not stored as codes is an integer accumulator per channel with an exact meaning,

    real value = unit[c] * acc + bias[c],

and the quantizer after it turns into the least accumulators that reach each code:

    T_k = ceil((crossing_k * scale - bias) / unit).

No multiplier and no rounded bias is left; the result equals the ideal semantics for every
accumulator. ReLU, ReLU6 and leaky ReLU need no instruction: a crossing that is not positive is
always reached, or for a leaky ReLU 1/alpha times as far away; one above 6 is never reached
(AQ-LOWER).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import instance
from aquant_ref.engine.bounds import LIMITS
from aquant_ref.engine.instruction import THRESHOLD_UNREACHED, Instruction
from aquant_ref.engine.program import MODEL, Program
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.model.accumulator_scale import AccumulatorScale
from aquant_ref.model.quantized_model import NO_INTEGER_FORM, QuantizedModel
from aquant_ref.model.quantizers import FeedbackBorder
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import CEILINGS, Node, slope_below_zero, windows
from aquant_ref.quant.feedback import FeedbackTables
from aquant_ref.typing import Codes, Reals

if TYPE_CHECKING:
    from aquant_ref.model.quantizers import QuantizedTensor
    from aquant_ref.nn.windows import Windows

MOST_THRESHOLDS = 1 << 24  # of a tensor: each is an exact fraction, made in Python
TINY = 2.0**-126  # the least normal float32


@dataclass(frozen=True)
class Accumulator(AccumulatorScale):
    """The integer tensor `name`, what it stands for, and how large a simulation's sums become.

    `size` (C,) float64 bounds, in units, the sum of the absolute values of all terms that a
    simulation adds up, biases included; `terms` counts them, and whatever else it rounds. Both make
    the error of the certificate.
    """

    name: str
    size: Reals
    terms: int

    @classmethod
    def of(cls, scale: AccumulatorScale, name: str, size: Reals, terms: int) -> Accumulator:
        """Name the integers that `scale` describes."""
        return cls(scale.unit, scale.bias, name, size, terms)


Ratio = tuple[int, int]  # of a numerator and a denominator above 0, which may have common factors


@dataclass(frozen=True)
class Decisions:
    """The thresholds of the quantizer of tensor `name` before they are rounded up to integers.

    `exact[c][k]` is the accumulator, a rational, from which on channel c has a code above k;
    `ratios` are the same numbers, which there are tens of thousands of, before they are reduced.
    """

    name: str
    accumulator: Accumulator
    ratios: tuple[tuple[Ratio, ...], ...]

    @cached_property
    def exact(self) -> tuple[tuple[Fraction, ...], ...]:
        """The thresholds as fractions."""
        return tuple(tuple(Fraction(n, d) for n, d in row) for row in self.ratios)


class Lowering:
    """Lowers `model`: `program` is the result, `decisions` what its thresholds were rounded from.

    Raises InputError, which names the node, for what has no integer form; AccumulatorOverflow where
    an accumulator could leave int32 or the sum of an add 2^53.

    Spec: AQ-LOWER-1 to AQ-LOWER-4, AQ-LOWER-6 to AQ-LOWER-9, AQ-LOWER-12, AQ-LOWER-13.
    """

    how: Mapping[str, Any] = {"lowering": "threshold"}  # as the program's `source` says it

    def __init__(self, model: QuantizedModel) -> None:
        instance("model", model, QuantizedModel)
        self.model = model
        model.check()
        _check_integer(model)
        self._instructions: list[Instruction] = []
        self.decisions: list[Decisions] = []
        self.meanings: dict[str, Accumulator] = {}
        self._wide = model.wide()
        self._store(INPUT, model.tensors[INPUT], model.zero_point(INPUT))
        for node in model.graph.nodes:
            self._lower(node)
        channels, height, width = model.graph.shapes[INPUT]
        source = {**model.source, **self.how, MODEL: model.sha256()}
        self.program = Program((channels, height, width), tuple(self._instructions), source)
        self.program.validate()  # refuses an overflow now rather than when it is run

    def _lower(self, node: Node) -> None:
        meaning = getattr(self, f"_lower_{node.op}", self._unknown)(node)
        self.meanings[node.name] = meaning
        if node.name in self.model.tensors:
            self._lower_quantizer(node.name, meaning)

    def _unknown(self, node: Node) -> Accumulator:
        raise InputError(f"{node.name}: {node.op} has no integer lowering yet")

    def _emit(self, name: str, op: str, *inputs: str, **rest: Any) -> None:
        self._instructions.append(Instruction(name, op, inputs, **rest))

    def _accumulator(self, node: Node) -> str:
        """Codes have the name of their tensor, so an accumulator gets another; logits keep it."""
        return node.name if node.name == self.model.graph.output else f"{node.name}.acc"

    def _store(self, name: str, tensor: QuantizedTensor, zero_point: Codes) -> None:
        self.meanings[name] = _codes(name, tensor, zero_point)

    def _read(self, name: str) -> Accumulator:
        """Tensor `name` as a node without a border of its own reads it (AQ-WINDOW-4)."""
        source = self.model.stored_as(name)
        if source is None or source not in self._wide:
            return self.meanings[name]
        narrow = f"{name}.narrow"
        if narrow not in self.meanings:
            table = self.model.narrow(source).codes[0]
            self._emit(narrow, "lookup", self.meanings[name].name, arrays={"table": table})
            self.meanings[narrow] = _codes(
                narrow, self.model.tensors[source], self.model.zero_point(name)
            )
        return self.meanings[narrow]

    def _lower_quantizer(self, name: str, meaning: Accumulator) -> None:
        tensor = self.model.stored(name)
        if len(meaning.unit) * tensor.crossings.shape[1] > MOST_THRESHOLDS:
            raise InputError(
                f"{name}: {tensor.bits} bits in {len(meaning.unit)} channels need more than "
                f"{MOST_THRESHOLDS} thresholds"
            )
        zero_point = np.full(len(meaning.unit), tensor.zero_point, np.int32)
        scale = Fraction(tensor.scale)
        rows = np.broadcast_to(tensor.crossings, (len(meaning.unit), tensor.crossings.shape[1]))
        node = self.model.graph.node(name)
        ratios = tuple(
            _thresholds(row.tolist(), scale, node, unit, bias)
            for row, unit, bias in zip(rows, meaning.unit, meaning.bias, strict=True)
        )
        thresholds = np.array([[_least(n, d) for n, d in row] for row in ratios], np.int64)
        self._emit(
            name,
            "threshold",
            meaning.name,
            attributes={"least": tensor.qmin},
            arrays={"thresholds": thresholds},
        )
        self.decisions.append(Decisions(name, meaning, ratios))
        self._store(name, tensor, zero_point)

    def _layer(self, node: Node, op: str, source: Accumulator, **rest: Any) -> Accumulator:
        """Emit a convolution or linear layer, which reads `source`."""
        layer = self.model.layers[node.name]
        self._check_codes(node)
        weight = layer.integers()
        arrays = {
            "weight": _small(weight),
            "zero_point": self.model.zero_point(node.inputs[0]),
            **rest.pop("arrays", {}),
        }
        name = self._accumulator(node)
        self._emit(name, op, source.name, arrays=arrays, **rest)
        unit = tuple(Fraction(u) for u in layer.unit.tolist())
        bias = tuple(Fraction(b) for b in layer.bias.tolist())
        rows = abs(weight).reshape(len(weight), -1)
        code = float(source.size.max())
        if node.name in self.model.windows:  # it reads wide codes and makes narrow ones of them
            narrow = self.model.tensors[self.model.code_source(node.inputs[0])]
            code = float(max(-narrow.low, narrow.high))
        size = rows.sum(axis=1) * code + abs(layer.bias) / layer.unit
        return Accumulator(unit, bias, name, size, rows.shape[1] + 1)

    def _windows(self, node: Node) -> Windows:
        return windows(node, self.model.graph.shapes[node.inputs[0]])

    def _lower_conv2d(self, node: Node) -> Accumulator:
        attributes = _attributes(self._windows(node), "stride", "padding", "dilation")
        attributes["groups"] = node["groups"]
        border = self.model.windows.get(node.name)
        if border is None:
            return self._layer(node, "conv2d", self._read(node.inputs[0]), attributes=attributes)
        source = self.model.code_source(node.inputs[0])
        attributes["zero_code"] = self.model.wide_tensor(source).zero_point
        tables = {k: v for k, v in vars(border).items() if isinstance(v, np.ndarray)}
        op = "fused_conv2d" if "fusion" in tables else "border_conv2d"
        if isinstance(border, FeedbackTables):
            op, attributes["error_bits"] = "feedback_conv2d", border.error_bits
            tables["directions"] = _small(border.directions)
        wide = self.meanings[node.inputs[0]]
        return self._layer(node, op, wide, attributes=attributes, arrays=tables)

    def _lower_linear(self, node: Node) -> Accumulator:
        """Spec: AQ-LOWER-4."""
        layer, source = self.model.layers[node.name], self._read(node.inputs[0])
        if node.name != self.model.graph.output:  # then its bias goes into the thresholds
            return self._layer(
                node, "linear", source, arrays={"bias": np.zeros(len(layer.bias), np.int32)}
            )
        pairs = zip(layer.bias.tolist(), layer.unit.tolist(), strict=True)
        counted = [Fraction(bias) / Fraction(unit) for bias, unit in pairs]
        if any(bias.denominator != 1 for bias in counted):
            raise InputError(f"{node.name}: its bias is not an integer number of its unit")
        if (largest := max(map(abs, counted))) > LIMITS["int32"]:
            raise InputError(f"{node.name}: its bias is {largest} units, beyond int32")
        bias = np.array([int(bias) for bias in counted], np.int32)
        return self._layer(node, "linear", source, arrays={"bias": bias})

    def _lower_add(self, node: Node) -> Accumulator:
        """Spec: AQ-LOWER-2."""
        a, b = (self._read(name) for name in node.inputs)
        units = [common_unit(*pair) for pair in zip(a.unit, b.unit, strict=True)]
        name = self._accumulator(node)
        multipliers = {}
        for key, m in (("multiplier_a", a), ("multiplier_b", b)):
            factors = [int(unit / common) for unit, common in zip(m.unit, units, strict=True)]
            if max(factors) > LIMITS["int64"]:
                raise AccumulatorOverflow(
                    f"{name}: its terms have units too far apart for one sum in int64"
                )
            multipliers[key] = np.array(factors, np.int64)
        self._emit(name, "add", a.name, b.name, arrays=multipliers)
        bias = tuple(x + y for x, y in zip(a.bias, b.bias, strict=True))
        size = a.size * multipliers["multiplier_a"] + b.size * multipliers["multiplier_b"]
        return Accumulator(tuple(units), bias, name, size, max(a.terms, b.terms) + 1)

    def _lower_mul(self, node: Node) -> Accumulator:
        """Spec: AQ-LOWER-12."""
        self._check_codes(node)
        a, b = (self._read(name) for name in node.inputs)
        zero_points = map(self.model.zero_point, node.inputs)
        name = self._accumulator(node)
        arrays = dict(zip(("zero_point_a", "zero_point_b"), zero_points, strict=True))
        self._emit(name, "mul", a.name, b.name, arrays=arrays)
        return Accumulator.of(a.times(b), name, a.size * b.size, 1)

    def _lower_relu(self, node: Node) -> Accumulator:
        if node.name not in self.model.tensors:
            raise InputError(f"{node.name}: a {node.op} without a quantizer has no integer form")
        return self._read(node.inputs[0])

    _lower_relu6 = _lower_requantize = _lower_relu

    def _lower_leaky_relu(self, node: Node) -> Accumulator:
        """Return what it reads; a simulation rounds twice more, alpha and the product.

        Spec: AQ-LOWER-13.
        """
        read = self._lower_relu(node)
        if not (alpha := node["alpha"]):
            return read
        small = TINY / alpha  # what float32 loses without normal numbers, where alpha counts as 1
        size = [
            s * (1 + small) + small / float(u) for s, u in zip(read.size, read.unit, strict=True)
        ]
        return replace(read, size=np.array(size), terms=read.terms + 2)

    def _check_codes(self, node: Node) -> None:
        for read in node.inputs:
            if self.model.code_scale(read) is None:
                raise InputError(f"{node.name}: reads {read}, which is not stored as codes")

    def _lower_avg_pool(self, node: Node) -> Accumulator:
        """Emit a sum, whose divisor goes into the unit; divisors that differ between windows are
        brought to their least common multiple.

        Spec: AQ-LOWER-3, AQ-LOWER-8.
        """
        source = self._read(node.inputs[0])
        self._check_codes(node)
        geometry = self._windows(node)
        counts, kernel = geometry.counts(), prod(geometry.kernel)
        counted = node.attributes.get("count_padding", True)
        divisor = kernel if counted else lcm(*counts.ravel().tolist())
        name = self._accumulator(node)
        if divisor > LIMITS["int32"]:
            raise AccumulatorOverflow(f"{name}: its sums have no common divisor inside int32")
        factor = np.ones_like(counts) if counted else divisor // counts
        arrays = {
            "zero_point": self.model.zero_point(node.inputs[0]),
            "factor": factor.astype(np.int32),
        }
        attributes = _attributes(geometry, "kernel", "stride", "padding", "dilation")
        self._emit(name, "sum", source.name, attributes=attributes, arrays=arrays)
        unit = tuple(u / divisor for u in source.unit)
        size = source.size * float((counts * factor).max())
        return Accumulator(unit, (Fraction(0),) * len(unit), name, size, kernel)

    _lower_global_avg_pool = _lower_avg_pool

    def _lower_concat(self, node: Node) -> Accumulator:
        """Emit a concat, whose channels keep the unit and the bias of their input.

        Spec: AQ-LOWER-9.
        """
        sources = [self._read(name) for name in node.inputs]
        name = self._accumulator(node) if node.name in self.model.tensors else node.name
        self._emit(name, "concat", *(source.name for source in sources))
        size = np.concatenate([source.size for source in sources])
        terms = max(source.terms for source in sources)
        return Accumulator.of(AccumulatorScale.joined(sources), name, size, terms)

    def _lower_max_pool(self, node: Node) -> Accumulator:
        source = self.meanings[node.inputs[0]]
        self._check_codes(node)
        attributes = _attributes(self._windows(node), "kernel", "stride", "padding", "dilation")
        self._emit(node.name, "max_pool", source.name, attributes=attributes)
        return replace(source, name=node.name)

    def _lower_flatten(self, node: Node) -> Accumulator:
        source = self.meanings[node.inputs[0]]
        positions = prod(self.model.graph.shapes[node.inputs[0]][1:])
        self._emit(node.name, "flatten", source.name, attributes={"positions": positions})
        size = np.repeat(source.size, positions)
        return Accumulator.of(source.repeated(positions), node.name, size, source.terms)


def _attributes(geometry: Windows, *keys: str) -> dict[str, Any]:
    """Where windows lie, as a program file has it: lists, everything said in full."""
    whole = {key: list(getattr(geometry, key)) for key in keys}
    return {**whole, "padding": [list(sides) for sides in geometry.padding]}


def _small(weight: Codes) -> Codes:
    """Return weights as int8 where it holds them, else as int32."""
    return weight.astype(np.int8 if abs(weight).max(initial=0) < 128 else np.int32)


def _check_integer(model: QuantizedModel) -> None:
    """Spec: AQ-IDEAL-3."""
    config = model.source.get("config")
    if isinstance(config, Mapping) and config.get("method") == "a-rounding":
        raise InputError("a-rounding needs the float network at inference: it has no integer form")
    for name, border in model.windows.items():
        if isinstance(border, FeedbackBorder):
            raise InputError(f"{name}: {NO_INTEGER_FORM}")
    for name in model.floats:
        raise InputError(f"{name}: stays in floating point, which has no integer form")


def _codes(name: str, tensor: QuantizedTensor, zero_point: Codes) -> Accumulator:
    """Describe the codes of `tensor`, under this name and with these zero points (C,)."""
    scale = Fraction(tensor.scale)
    bias = tuple(-scale * z for z in zero_point.tolist())
    size = np.maximum(zero_point - tensor.qmin, tensor.qmax - zero_point).astype(np.float64)
    return Accumulator((scale,) * len(bias), bias, name, size, 1)


def _least(n: int, d: int) -> int:
    """Round n/d up to an integer, no farther from 0 than THRESHOLD_UNREACHED."""
    return max(-THRESHOLD_UNREACHED, min(-(-n // d), THRESHOLD_UNREACHED))


def _thresholds(
    crossings: list[float], scale: Fraction, node: Node, unit: Fraction, bias: Fraction
) -> tuple[Ratio, ...]:
    """Find where unit*acc + bias, after the activation `node`, reaches crossing*scale: at the
    accumulators (crossing*scale - bias) / unit.

    Spec: AQ-LOWER-1, AQ-LOWER-6, AQ-LOWER-13.
    """
    slope = slope_below_zero(node)
    leaks = 0 < slope < 1
    factor, offset = scale / unit, bias / unit
    times = factor.numerator * offset.denominator
    less = offset.numerator * factor.denominator
    denominator = factor.denominator * offset.denominator
    ceiling = CEILINGS.get(node.op)
    found = []
    for crossing in crossings:
        if crossing <= 0 and not slope:
            found.append((-THRESHOLD_UNREACHED, 1))
        elif ceiling is not None and Fraction(crossing) * scale > ceiling:
            found.append((THRESHOLD_UNREACHED, 1))
        else:
            n, d = crossing.as_integer_ratio()
            if n < 0:
                n, d = n * slope.denominator, d * slope.numerator
            n, d = n * times - d * less, d * denominator
            beyond = leaks and n < -THRESHOLD_UNREACHED * d  # so far that no float64 may hold it
            found.append((-THRESHOLD_UNREACHED, 1) if beyond else (n, d))
    return tuple(found)


def common_unit(a: Fraction, b: Fraction) -> Fraction:
    """Return the largest unit of which both are integer multiples."""
    denominator = a.denominator * b.denominator
    return Fraction(gcd(a.numerator * b.denominator, b.numerator * a.denominator), denominator)
