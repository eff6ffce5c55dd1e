"""Put this package's own layers, tables and programs under test."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from aquant_ref import integer, quant
from aquant_ref.conformance.adapters import engine_accumulators as accumulators
from aquant_ref.conformance.adapters import engine_batches as batches
from aquant_ref.conformance.adapters import engine_codes as codes
from aquant_ref.conformance.adapters import engine_functions as functions
from aquant_ref.conformance.adapters import engine_layer_peers as layer_peers
from aquant_ref.conformance.adapters import engine_peers as peers
from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.fast.step import Step
from aquant_ref.engine.instruction import THRESHOLD_UNREACHED, Instruction
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.engine.program import Program
from aquant_ref.engine.validate import check, shape_of
from aquant_ref.engine.windows import Windows
from aquant_ref.errors import InputError
from aquant_ref.lowering.thresholds import common_unit
from aquant_ref.typing import Accumulators, Array, Codes, Integers, Reals

Sides = tuple[int, int, int, int]
Pair = tuple[int, int]


class EngineLayers(Adapter):
    """Compute integer accumulators, then codes by thresholds or a multiplier; run programs."""

    def conv2d(self, *, x: Codes, padding: Sides, groups: int, **fields: Any) -> Array:
        """Spec: AQ-INT-4, then AQ-LOWER-1 or AQ-FIXED-1 and a profile."""
        windows = {key: fields.pop(key) for key in ("stride", "dilation")}
        layer_peers.check_zeros(fields["profile"], fields["x_zero"], fields["weight_zero"])
        acc = integer.accumulate_conv2d(
            x[None],
            _steps(fields.pop("weight"), fields.pop("weight_zero")),
            padding=(padding[:2], padding[2:]),
            groups=groups,
            zero_point=fields.pop("x_zero"),
            layer="conv2d",
            **windows,
        )
        return requantized(acc[0], **fields)

    def depthwise(self, *, x: Codes, **fields: Any) -> Array:
        """Spec: AQ-INT-4."""
        return self.conv2d(x=x, groups=len(x), **fields)

    def linear(
        self, *, x: Codes, x_zero: int, weight: Codes, weight_zero: Integers, **fields: Any
    ) -> Array:
        """Spec: AQ-INT-3, then AQ-LOWER-1 or AQ-FIXED-1 and a profile."""
        layer_peers.check_zeros(fields["profile"], x_zero, weight_zero)
        steps = _steps(weight, weight_zero)
        acc = integer.accumulate(steps, (x - x_zero)[:, None], layer="linear")
        return requantized(acc, **fields)[:, 0]

    def matmul(
        self,
        *,
        a: Codes,
        a_scale: float,
        a_zero: int,
        b: Codes,
        b_scale: float,
        b_zero: int,
        **end: Any,
    ) -> Array:
        """Spec: AQ-CODES-12: as a layer whose channels are the batch, without a bias."""
        acc = integer.accumulate(a - a_zero, b - b_zero, layer="matmul")
        scales, nothing = np.full(len(acc), b_scale), np.zeros(len(acc))
        return requantized(acc, x_scale=a_scale, weight_scale=scales, bias=nothing, **end)

    def conv2d_batch(self, **fields: Any) -> Array:
        """Spec: AQ-BATCH-1."""
        return batches.conv2d(requantized, **fields)

    def depthwise_batch(self, *, x: Codes, **fields: Any) -> Array:
        """Spec: AQ-BATCH-1."""
        return batches.conv2d(requantized, x=x, groups=x.shape[1], **fields)

    def linear_batch(self, **fields: Any) -> Array:
        """Spec: AQ-BATCH-1."""
        return batches.linear(requantized, **fields)

    def add_tensors_batch(self, *, a: Codes, b: Codes, **fields: Any) -> Array:
        """Spec: AQ-BATCH-1."""
        return batches.of_channels(self.add_tensors, {"a": a, "b": b}, **fields)

    def avg_pool2d_batch(self, *, x: Codes, **fields: Any) -> Array:
        """Spec: AQ-BATCH-1."""
        return batches.of_channels(self.avg_pool2d, {"x": x}, **fields)

    def conv_integer(
        self,
        *,
        x: Codes,
        x_zero: int,
        weight: Codes,
        weight_zero: Integers,
        padding: Sides,
        groups: int,
        **fields: Any,
    ) -> Array:
        """Spec: AQ-ACC-1."""
        windows = Windows(weight.shape[2:], padding=(padding[:2], padding[2:]), **fields)
        return accumulators.conv_integer(
            x, x_zero, weight, weight_zero, groups=groups, windows=windows
        )

    def matmul_integer(self, *, a: Codes, a_zero: Integers, b: Codes, b_zero: Integers) -> Array:
        """Spec: AQ-ACC-2."""
        return accumulators.matmul_integer(a, a_zero, b, b_zero)

    def lookup(self, *, x: Codes, table: Integers, least: int) -> Array:
        """Spec: AQ-CODES-13: the instruction, which has tables of unsigned codes."""
        index, lowest = x - least, int(table.min())
        if index.min() < 0 or index.max() >= len(table):
            raise InputError("lookup: the table has no entry for a code")
        each = Instruction("codes", "lookup", ("x",), {}, {"table": table - lowest})
        return _run(each, index).astype(np.int64) + lowest

    def concat(
        self,
        *,
        x: Codes,
        channels: Integers,
        x_scale: Reals,
        x_zero: Integers,
        profile: str = "",
        **end: Any,
    ) -> Array:
        """Spec: AQ-CODES-16, by thresholds for the codes of each tensor (AQ-LOWER-1)."""
        if channels.min() < 1 or channels.sum() != len(x):
            raise InputError("channels: needs at least one for each tensor, and all of x")
        codes.positive(x_scale, np.array(end["scale"]))
        if profile:
            given: dict[str, Any] = {"channels": channels, "x_scale": x_scale, "x_zero": x_zero}
            return codes.concat(profile, x=x, **given, **end)
        parts = np.split(x, np.cumsum(channels)[:-1])
        units = [Fraction(s) for s in x_scale.tolist()]
        rows = zip(parts, units, x_zero.tolist(), strict=True)
        made = [
            _codes(part.astype(np.int64), unit, -unit * zero, **end) for part, unit, zero in rows
        ]
        each = Instruction("joined", "concat", tuple(map(str, range(len(made)))))
        return _run(each, *made)

    def activation(self, *, function: str, x: Codes, **fields: Any) -> Array:
        """Spec: AQ-CODES-14, AQ-CODES-15: a table of all codes, then its entries."""
        fields.pop("profile", None)  # what is right is right in float32, too
        least, largest = int(x.min()), int(x.max())
        entries = functions.table(function, np.arange(least, largest + 1), **fields)
        return self.lookup(x=x[:, None, None], table=entries, least=least)[:, 0, 0]

    def add_tensors(
        self,
        *,
        a: Codes,
        a_scale: float,
        a_zero: int,
        b: Codes,
        b_scale: float,
        b_zero: int,
        profile: str = "",
        **end: Any,
    ) -> Array:
        """Spec: AQ-LOWER-2: the terms in their largest common unit, in int64, then thresholds."""
        if profile:
            terms = {"a_scale": a_scale, "a_zero": a_zero, "b_scale": b_scale, "b_zero": b_zero}
            return peers.add_tensors(profile, a=a, b=b, **terms, **end)
        first, second = Fraction(a_scale), Fraction(b_scale)
        unit = common_unit(first, second)
        factors = {"multiplier_a": int(first / unit), "multiplier_b": int(second / unit)}
        arrays = {key: np.full(len(a), factor) for key, factor in factors.items()}
        each = Instruction("add", "add", ("a", "b"), {}, arrays)
        acc = _run(each, a, b)
        return _codes(acc, unit, -(first * a_zero + second * b_zero), **end)

    def avg_pool2d(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        count_padding: int,
        scale: float,
        profile: str = "",
        **fields: Any,
    ) -> Array:
        """Spec: AQ-LOWER-8: every window counted in one unit, then thresholds."""
        end = {key: fields.pop(key) for key in ("zero_point", "qmin", "qmax")}
        attributes = _windows(**fields)
        arrays = {"zero_point": np.full(len(x), x_zero, np.int32)}
        pixels = Windows.of(Instruction("sum", "sum", ("x",), attributes)).counts(x.shape[1:])
        if not pixels.all():
            raise InputError("avg_pool2d: a window covers nothing but padding")
        if profile:
            ones = Instruction("sum", "sum", ("x",), attributes, {**arrays, "factor": pixels**0})
            size = fields["kernel"][0] * fields["kernel"][1]
            count = np.broadcast_to(size if count_padding else pixels, (len(x), *pixels.shape))
            numbers = {"x_scale": x_scale, "x_zero": x_zero, "scale": scale, **end}
            total = _run(ones, x) + count * x_zero
            only = pixels.size == 1 and pixels.item() == x[0].size == size
            return peers.avg_pool2d(profile, total=total, count=count, whole=only, **numbers)
        whole = int(np.lcm.reduce(pixels.ravel()))
        divisor = fields["kernel"][0] * fields["kernel"][1] if count_padding else whole
        factor = np.ones_like(pixels) if count_padding else whole // pixels
        each = Instruction("sum", "sum", ("x",), attributes, {**arrays, "factor": factor})
        acc = _run(each, x)
        return _codes(acc, Fraction(x_scale) / divisor, Fraction(0), scale=scale, **end)

    def max_pool2d(self, *, x: Codes, **windows: Any) -> Array:
        """Spec: AQ-IDEAL-4."""
        each = Instruction("max", "max_pool", ("x",), _windows(**windows))
        shape_of(each, x.shape)
        return _run(each, x)

    def thresholds(self, *, acc: Accumulators, thresholds: Integers, least: int) -> Array:
        """Spec: AQ-LOWER-1."""
        each = Instruction(
            "codes", "threshold", ("acc",), {"least": least}, {"thresholds": thresholds}
        )
        shape_of(each, acc.shape)
        return _run(each, acc)

    def bordered_conv2d(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        weight: Codes,
        weight_scale: Reals,
        bias: Reals,
        relu: int,
        scale: float,
        crossings: Reals,
        least: int,
        **fields: Any,
    ) -> Array:
        """Spec: AQ-LOWER-1, AQ-LOWER-6."""
        arrays = {"weight": weight, "zero_point": np.full(len(x), x_zero, np.int32)}
        each = Instruction("conv", "conv2d", ("x",), _windows(**fields), arrays)
        rows = []
        for s, b, row in zip(weight_scale.tolist(), bias.tolist(), crossings.tolist(), strict=True):
            unit = Fraction(x_scale) * Fraction(s)
            ends = [Fraction(c) * Fraction(scale) for c in row]
            reached = [ceil((end - Fraction(b)) / unit) for end in ends]
            rows.append(
                [
                    -THRESHOLD_UNREACHED if relu and c <= 0 else t
                    for c, t in zip(row, reached, strict=True)
                ]
            )
        return self.thresholds(acc=_run(each, x), thresholds=np.array(rows, np.int64), least=least)

    def fused_conv2d(
        self, *, u: Codes, pad_code: int, zero: int, weight: Codes, **fields: Any
    ) -> Array:
        """Spec: AQ-LOWER-7."""
        tables = {key: fields.pop(key) for key in ("codes", "lift", "fusion")}
        arrays = {"weight": weight, "zero_point": np.full(len(u), zero, np.int32), **tables}
        attributes = {**_windows(**fields), "zero_code": pad_code}
        each = Instruction(
            "conv", "fused_conv2d", ("u",), attributes, _typed("fused_conv2d", arrays)
        )
        return _run(each, u)

    def program(self, *, image: Codes, program: Sequence[Mapping[str, Any]]) -> Array:
        """Check the program as a program file is checked, then run it."""
        steps = tuple(
            Instruction(
                each["name"],
                each["op"],
                tuple(each["inputs"]),
                each["attributes"],
                _typed(each["op"], each["arrays"]),
            )
            for each in program
        )
        channels, height, width = image.shape
        shape = channels, height, width
        check(shape, steps)
        made = Engine(Program(shape, steps)).run(image[None].astype(np.uint8))
        return made[steps[-1].name][0]


def _run(each: Instruction, *inputs: Array) -> Array:
    """Run an instruction on one image."""
    return apply(Step(each), [x[None] for x in inputs])[0]


def _typed(op: str, arrays: Mapping[str, Any]) -> dict[str, Array]:
    """Convert each array to the first type that its instruction allows."""
    return {key: np.asarray(array, OPERATIONS[op].arrays[key][0]) for key, array in arrays.items()}


def _windows(*, padding: Sides, **fields: Any) -> dict[str, Any]:
    return {**fields, "padding": (padding[:2], padding[2:])}


def _steps(weight: Codes, weight_zero: Integers) -> Array:
    return weight - weight_zero.reshape(-1, *(1,) * (weight.ndim - 1))


def requantized(
    acc: Integers, *, x_scale: float, weight_scale: Reals, bias: Reals, profile: str, **end: Any
) -> Array:
    """Requantize the accumulators (O, ...), channel by channel."""
    if profile in layer_peers.STEPS:
        scales: dict[str, Any] = {"x_scale": x_scale, "weight_scale": weight_scale}
        return layer_peers.requantized(acc, bias=bias, profile=profile, **scales, **end)
    scale, rows = end.pop("scale"), []
    for row, s, b in zip(acc, weight_scale.tolist(), bias.tolist(), strict=True):
        unit = Fraction(x_scale) * Fraction(s)
        units = Fraction(b) / unit
        if units.denominator != 1:
            raise InputError(f"bias: {b} is not a whole number of units")
        total = row.astype(np.int64) + int(units)
        if total.min() < -(2**31) or total.max() >= 2**31:
            raise InputError("accumulator: overflows int32")
        m = unit / Fraction(scale)
        if profile == "ideal":
            codes = _codes(total, unit, Fraction(0), scale=scale, **end)
        elif profile in integer.PROFILES:
            multiplier, shift = quant.multiplier(m)
            codes = integer.requantize(total, multiplier, shift, profile=profile, **end)
        else:
            codes = quant.requantize_real(total, float(m), profile=profile, **end)
        rows.append(codes)
    return np.stack(rows)


def _codes(acc: Accumulators, unit: Fraction, bias: Fraction, **end: Any) -> Array:
    codes = [code(value, unit, bias, **end) for value in acc.ravel().tolist()]
    return np.array(codes, np.int64).reshape(acc.shape)


def code(
    acc: int, unit: Fraction, bias: Fraction, *, scale: float, zero_point: int, qmin: int, qmax: int
) -> int:
    """Count the thresholds T_k that the accumulator reaches, by bisection. Spec: AQ-LOWER-1."""

    def threshold(k: int) -> int:
        crossing = qmin + k - zero_point + Fraction(1, 2)
        return ceil((crossing * Fraction(scale) - bias) / unit)

    return qmin + bisect_right(range(qmax - qmin), acc, key=threshold)
