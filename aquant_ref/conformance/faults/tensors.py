"""Wrong implementations of the operations on tensors, one for each way real ones have gone wrong.

Each replaces one step of `Layers`, or changes a program before it is run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np

from aquant_ref.conformance import Adapter
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.faults.steps import Array, F, Layers, TensorMutant, up

RIGHT = Layers()


def wrapped(v: Array, bits: int) -> Array:
    """Two's complement of so many bits."""
    return (v + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def rescaled(rounding: Callable[[F], int]) -> Callable[..., Array]:
    def rescale(total: Array, unit: Array, scale: float) -> Array:
        steps = [
            [rounding(F(int(v)) * F(u) / F(scale)) for v in r]
            for r, u in zip(total, unit, strict=True)
        ]
        return np.array(steps, np.int64)

    return rescale


def int16_pairs(weight: Array, columns: Array) -> Array:
    """Two products at a time, saturated, as pmaddubsw has them."""
    odd = weight.shape[1] % 2
    w, x = np.pad(weight, ((0, 0), (0, odd))), np.pad(columns, ((0, odd), (0, 0)))
    pairs = (w[:, :, None] * x[None]).reshape(len(w), -1, 2, x.shape[1]).sum(axis=2)
    return np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1)


def by_last_axis(total: Array, unit: Array, scale: float) -> Array:
    """The scales meet the positions."""
    return RIGHT.rescale(total.T, np.resize(unit, total.shape[1]), scale).T


def as_nhwc(x: Array) -> Array:
    """The same bytes taken for (H, W, C)."""
    channels, height, width = x.shape
    return x.reshape(height, width, channels).transpose(2, 0, 1)


def columns(**other: Callable[[Any], Any]) -> Callable[..., Array]:
    """With another stride or dilation."""

    def step(x: Array, kernel: Any, stride: Any, dilation: Any) -> Array:
        given = {"stride": stride, "dilation": dilation}
        return RIGHT.columns(x, kernel, **{k: other.get(k, tuple)(v) for k, v in given.items()})

    return step


def swapped(two: Any) -> Any:
    return two[1], two[0]


def first_for_both(two: Any) -> Any:
    return two[0], two[0]


def padded(sides: Callable[..., Any]) -> Callable[..., Array]:
    return lambda x, zero, padding: RIGHT.pad(x, zero, sides(*padding))


def interleaved(matrix: Array, groups: int) -> Array:
    """Channel c in group c mod groups."""
    mixed = matrix.reshape(-1, groups, *matrix.shape[1:]).swapaxes(0, 1)
    return RIGHT.assign(mixed.reshape(matrix.shape), groups)


def bias_later(q: Array, bias: Array, scale: float) -> Array:
    return q + np.rint(bias / scale).astype(np.int64)[:, None]


def dropped_bias(bias: Array, x_scale: float, weight_scale: Array) -> Array:
    return np.zeros(len(bias), np.int64)


def bfloat16(values: Array) -> Array:
    """The upper half of float32."""
    return (values.astype(np.float32).view(np.int32) & -(1 << 16)).view(np.float32)


def relu_at_zero(steps: Array, zero_point: int, qmin: int, qmax: int) -> Array:
    return np.clip(steps + zero_point, 0 if qmin == zero_point else qmin, qmax)


LAYERS: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("half_even", "round.rule", "tie", {"rescale": rescaled(round)}),
    ("floor", "round.rule", "tie", {"rescale": rescaled(math.floor)}),
    ("cast without rounding", "round.cast", "near_tie", {"rescale": rescaled(int)}),
    (
        "1/2 added, then truncated",
        "round.truncation",
        "near_tie",
        {"rescale": rescaled(lambda t: int(t + F(1, 2)))},
    ),
    (
        "rounded to halves first",
        "round.twice",
        "near_tie",
        {"rescale": rescaled(lambda t: up(F(up(16 * t), 16)))},
    ),
    ("no zero point of the input", "zero_point.missing", "random", {"centre": lambda q, z: q}),
    (
        "no zero point of the weights",
        "zero_point.cross_terms",
        "weight_zero",
        {"centre_weight": lambda w, z: w},
    ),
    (
        "the first channel's zero point of the weights",
        "axis.scale",
        "weight_zero",
        {"centre_weight": lambda w, z: w - z[0]},
    ),
    (
        "clipped before the zero point",
        "zero_point.clip",
        "saturation",
        {"clip": lambda s, z, low, high: np.clip(s, low, high) + z},
    ),
    (
        "codes read as int8",
        "zero_point.offset",
        "type_end",
        {"centre": lambda q, z: wrapped(q, 8) - z},
    ),
    ("ReLU at code 0", "clamp.relu", "relu", {"clip": relu_at_zero}),
    (
        "ReLU dropped",
        "clamp.dropped",
        "relu",
        {"clip": lambda s, z, low, high: np.minimum(s + z, high)},
    ),
    (
        "ReLU6 dropped",
        "clamp.dropped",
        "relu6",
        {"clip": lambda s, z, low, high: np.maximum(s + z, low)},
    ),
    (
        "wraps",
        "clamp.wrap",
        "saturation",
        {"clip": lambda s, z, low, high: (s + z - low) % (high - low + 1) + low},
    ),
    (
        "2^bits levels",
        "clamp.levels",
        "saturation",
        {"clip": lambda s, z, low, high: np.clip(s + z, low, high + 1)},
    ),
    (
        "doubled in int32",
        "accumulator.wrap",
        "accumulator_end",
        {"total": lambda acc, bias: wrapped(2 * (acc + bias[:, None]), 32) // 2},
    ),
    (
        "accumulator of 16 bits",
        "accumulator.narrow",
        "type_end",
        {"product": lambda w, x: wrapped(w @ x, 16)},
    ),
    ("pairs saturate in int16", "accumulator.pairs", "type_end", {"product": int16_pairs}),
    (
        "accumulator in float32",
        "round.float32",
        "wide_near_tie",
        {"total": lambda acc, bias: np.float32(acc + bias[:, None]).astype(np.int64)},
    ),
    ("no bias", "bias.order", "channel_scales", {"bias": dropped_bias}),
    (
        "bias after requantization",
        "bias.order",
        "tie",
        {"bias": dropped_bias, "after": bias_later},
    ),
    (
        "bias in units of the first channel",
        "bias.scale",
        "channel_scales",
        {"bias": lambda b, x, w: np.rint(b / (x * w[0])).astype(np.int64)},
    ),
    (
        "bias in bfloat16",
        "bias.floor",
        "tie",
        {"bias": lambda b, x, w: RIGHT.bias(bfloat16(b), x, w)},
    ),
    (
        "bias of 16 bits",
        "bias.overflow",
        "accumulator_end",
        {"bias": lambda b, x, w: np.clip(RIGHT.bias(b, x, w), -(2**15), 2**15 - 1)},
    ),
    (
        "one scale for all channels",
        "axis.scale",
        "channel_scales",
        {"unit": lambda x, w: x * np.full(len(w), w[0])},
    ),
    (
        "scales of the neighbouring channel",
        "axis.scale",
        "channel_scales",
        {"unit": lambda x, w: x * np.roll(w, 1)},
    ),
    ("scales on the last axis", "axis.scale", "channel_scales", {"rescale": by_last_axis}),
]
CONVOLUTIONS: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "padded with 0",
        "zero_point.padding",
        "image_edge",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
    (
        "kernel flipped",
        "axis.kernel",
        "random",
        {"kernel": lambda w: w[:, :, ::-1, ::-1]},
    ),
    (
        "strides swapped",
        "axis.stride",
        "strides",
        {"columns": columns(stride=swapped)},
    ),
    (
        "one stride",
        "axis.stride",
        "strides",
        {"columns": columns(stride=first_for_both)},
    ),
    (
        "dilation ignored",
        "axis.dilation",
        "dilations",
        {"columns": columns(dilation=lambda two: (1, 1))},
    ),
    (
        "dilations swapped",
        "axis.dilation",
        "dilations",
        {"columns": columns(dilation=swapped)},
    ),
    (
        "paddings of the axes swapped",
        "axis.padding",
        "four_paddings",
        {"pad": padded(lambda top, bottom, left, right: (left, right, top, bottom))},
    ),
    (
        "paddings of the sides swapped",
        "axis.padding",
        "four_paddings",
        {"pad": padded(lambda top, bottom, left, right: (bottom, top, right, left))},
    ),
]
CONV2D: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "rows in the order kh, kw, channel",
        "axis.columns",
        "random",
        {"kernel": lambda w: w.transpose(0, 2, 3, 1).reshape(w.shape)},
    ),
    (
        "image read as NHWC",
        "axis.layout",
        "random",
        {"pad": lambda x, zero, padding: RIGHT.pad(as_nhwc(x), zero, padding)},
    ),
    ("groups interleaved", "axis.groups", "groups", {"assign": interleaved}),
]
LINEAR: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "weight read as (inputs, outputs)",
        "axis.layout",
        "random",
        {"kernel": lambda w: w.reshape(w.shape[::-1]).T},
    ),
]


def by_branch(change: Callable[[Array, dict[str, Any]], Array]) -> Callable[..., Array]:
    """Each term in steps of the result first."""

    def added(a: Array, b: Array, f: dict[str, Any]) -> Array:
        return (change(a / f["scale"], f) + change(b / f["scale"], f)) * f["scale"]

    return added


ADD: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "each branch rounded",
        "add.branch_rounded",
        "halves",
        {"sum": by_branch(lambda t, f: np.floor(t + 0.5))},
    ),
    (
        "each branch clipped",
        "add.branch_clipped",
        "opposite",
        {
            "sum": by_branch(
                lambda t, f: np.clip(t, f["qmin"] - f["zero_point"], f["qmax"] - f["zero_point"])
            )
        },
    ),
    (
        "one scale",
        "add.one_scale",
        "random",
        {"sum": lambda a, b, f: a + (f["b"] - f["b_zero"]) * f["a_scale"]},
    ),
    (
        "ReLU before the add",
        "add.relu",
        "relu",
        {"sum": lambda a, b, f: np.maximum(a, 0) + np.maximum(b, 0)},
    ),
    (
        "ties down",
        "round.rule",
        "tie",
        {"sum": lambda a, b, f: a + b - f["scale"] * 1e-9},
    ),
    (
        "no zero points",
        "zero_point.missing",
        "random",
        {"term": lambda q, scale, zero: q * scale},
    ),
]


def mean_of(rounding: Callable[[F, F], int]) -> Callable[..., Array]:
    def mean(total: Array, count: Array, f: dict[str, Any]) -> Array:
        ratio = F(f["x_scale"]) / F(f["scale"])
        pairs = zip(total.flat, np.broadcast_to(count, total.shape).flat, strict=True)
        return np.array([rounding(F(int(t), int(n)), ratio) for t, n in pairs]).reshape(total.shape)

    return mean


def by_reciprocal(total: Array, count: Array, f: dict[str, Any]) -> Array:
    """1/count in 12 bits."""
    approximate = mean_of(lambda t, ratio: up(t * ratio))
    reciprocal = 4096 // np.broadcast_to(count, total.shape)
    return approximate(total * reciprocal, np.array(4096), f)


AVG_POOL: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("floored", "pool.floor", "tie", {"mean": mean_of(lambda t, r: math.floor(t * r))}),
    ("ties to even", "round.rule", "tie", {"mean": mean_of(lambda t, r: round(t * r))}),
    ("rounded twice", "pool.stored", "near_tie", {"mean": mean_of(lambda t, r: up(up(t) * r))}),
    ("1/count in 12 bits", "pool.reciprocal", "odd_count", {"mean": by_reciprocal}),
    (
        "padding counted",
        "pool.count",
        "padding_does_not_count",
        {"counts": lambda x, f: np.array(math.prod(f["kernel"]))},
    ),
    (
        "padding not counted",
        "pool.count",
        "padding_counts",
        {"counts": lambda x, f: RIGHT.counts(x, {**f, "count_padding": 0})},
    ),
    (
        "padded with code 0",
        "zero_point.padding",
        "padding_counts",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
    (
        "the stride is the kernel",
        "axis.stride",
        "windows_apart",
        {"columns": lambda x, k, s, d: RIGHT.columns(x, k, k, d)},
    ),
]
MAX_POOL: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("padded with 0", "pool.padding", "low_codes", {"least": lambda x: 0}),
    ("padded with the largest code", "pool.padding", "padding", {"least": lambda x: x.max()}),
    (
        "strides swapped",
        "axis.stride",
        "windows_apart",
        {"columns": columns(stride=swapped)},
    ),
    (
        "dilation ignored",
        "axis.dilation",
        "windows_apart",
        {"columns": columns(dilation=lambda two: (1, 1))},
    ),
    (
        "paddings of the sides swapped",
        "axis.padding",
        "padding",
        {"pad": padded(lambda top, bottom, left, right: (bottom, top, right, left))},
    ),
]


def counted(prepare: Callable[[Array], Array]) -> Callable[..., Array]:
    """With other thresholds."""
    return lambda values, rows: RIGHT.reached(values, prepare(rows))


def once(values: Array, rows: Array) -> Array:
    """A set of thresholds for each channel."""
    return np.stack(
        [RIGHT.reached(v, np.unique(r)[None]) for v, r in zip(values, rows, strict=True)]
    )


def on_last_axis(values: Array, rows: Array) -> Array:
    """The thresholds of channel c meet column c."""
    turned = np.resize(rows, (values.shape[2], rows.shape[1]))
    return RIGHT.reached(values.transpose(2, 0, 1), turned).transpose(1, 2, 0)


THRESHOLDS: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("> for >=", "border.strict", "at_threshold", {"reached": counted(lambda r: r + 1)}),
    (
        "the first channel's thresholds",
        "border.channel",
        "random",
        {"reached": counted(lambda r: np.repeat(r[:1], len(r), axis=0))},
    ),
    ("thresholds on the last axis", "border.channel", "random", {"reached": on_last_axis}),
    (
        "thresholds of 32 bits",
        "threshold.never",
        "never",
        {"reached": counted(lambda r: wrapped(r, 32))},
    ),
    ("equal thresholds once", "threshold.equal", "equal_thresholds", {"reached": once}),
    (
        "compared in float32",
        "round.float32",
        "below_threshold",
        {"reached": lambda v, r: RIGHT.reached(np.float32(v), np.float32(r))},
    ),
    (
        "codes from 0 on",
        "zero_point.offset",
        "random",
        {"thresholds": lambda *, acc, thresholds, least: RIGHT.reached(acc, thresholds)},
    ),
]
BORDERED: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "> for >=",
        "border.strict",
        "at_crossing",
        {"reached": lambda v, r: RIGHT.reached(v, np.nextafter(r, np.inf))},
    ),
    (
        "no border: nearest",
        "border.half",
        "random",
        {"reached": counted(lambda r: np.ceil(r) - 0.5)},
    ),
    (
        "nearest with half_even",
        "round.rule",
        "nearest",
        {"steps": lambda real, f: RIGHT.steps(real, f) - 1e-9},
    ),
    (
        "borders of the first channel",
        "border.channel",
        "channels",
        {"reached": counted(lambda r: np.repeat(r[:1], len(r), axis=0))},
    ),
    (
        "borders in 1/8",
        "border.coefficients",
        "at_crossing",
        {"reached": counted(lambda r: np.ceil(r * 8) / 8)},
    ),
    (
        "evaluated on x, not on x/s",
        "border.argument",
        "channels",
        {"steps": lambda real, f: real},
    ),
    (
        "1 - border",
        "border.half",
        "channels",
        {"reached": counted(lambda r: 2 * np.ceil(r) - 1 - r)},
    ),
    ("ReLU dropped", "clamp.relu", "relu", {"relu": lambda real, f: real}),
    (
        "padded with 0",
        "zero_point.padding",
        "image_edge",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
]
FUSED: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("> for >=", "border.strict", "at_lift", {"up": lambda lift, total: lift > total}),
    (
        "fused over the channels",
        "border.fusion",
        "below_lift",
        {"fused": lambda shares: shares.sum(axis=0, keepdims=True)},
    ),
    (
        "fused over the whole matrix",
        "border.fusion",
        "at_lift",
        {"fused": lambda shares: shares.sum(axis=(0, 1, 2), keepdims=True)},
    ),
    (
        "not fused",
        "border.fusion",
        "one_row",
        {"fused": lambda shares: shares * 0},
    ),
    (
        "rows in the order kh, kw, channel",
        "border.row",
        "rows",
        {"rows": lambda c: RIGHT.rows(c).reshape(*c.shape[1:3], len(c)).transpose(2, 0, 1)},
    ),
    (
        "padded with wide code 0",
        "border.padding",
        "image_edge",
        {"wide_zero": lambda f: 0},
    ),
    (
        "padded with the narrow code of zero",
        "border.padding",
        "image_edge",
        {"wide_zero": lambda f: f["zero"]},
    ),
    (
        "lift of 8 bits",
        "border.coefficients",
        "below_lift",
        {"up": lambda lift, total: (lift >> 8) >= (total >> 8)},
    ),
    ("never up", "border.half", "random", {"up": lambda lift, total: lift > 2**30}),
    (
        "narrow zero point forgotten",
        "zero_point.missing",
        "random",
        {"centre": lambda q, z: q},
    ),
    ("groups interleaved", "axis.groups", "groups", {"assign": interleaved}),
]

OF_OPERATION = {
    "conv2d": [*LAYERS, *CONVOLUTIONS, *CONV2D],
    "depthwise": CONVOLUTIONS,
    "linear": [*LAYERS, *LINEAR],
    "add_tensors": ADD,
    "avg_pool2d": AVG_POOL,
    "max_pool2d": MAX_POOL,
    "thresholds": THRESHOLDS,
    "bordered_conv2d": BORDERED,
    "fused_conv2d": FUSED,
}


# Programs: the engine runs another program than it was given


class Programs(Adapter):
    """Runs what `change` has made of the instructions."""

    def __init__(self, name: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
        self.name, self._change = name, change

    def program(self, *, image: Array, program: list[dict[str, Any]]) -> Array:
        changed = deepcopy(program)
        self._change(changed)
        return EngineAdapter().program(image=image, program=changed)


def every(op: str, key: str, change: Callable[[Any], Any], of: str = "arrays") -> Any:
    """Change one array, or attribute, of every instruction of a kind."""

    def apply(steps: list[dict[str, Any]]) -> None:
        for each in steps:
            if each["op"] == op and key in each[of]:
                each[of][key] = change(each[of][key])

    return apply


def thresholds_of_the_next(steps: list[dict[str, Any]]) -> None:
    found = [each["arrays"] for each in steps if each["op"] == "threshold"]
    for own, other in pairwise(found):
        rows = np.resize(other["thresholds"], np.shape(own["thresholds"]))
        own["thresholds"] = np.sort(rows, axis=1).tolist()


def multipliers_swapped(steps: list[dict[str, Any]]) -> None:
    for arrays in (each["arrays"] for each in steps if each["op"] == "add"):
        first, second = arrays["multiplier_a"], arrays["multiplier_b"]
        arrays |= {"multiplier_a": second, "multiplier_b": first}


def concat_swapped(steps: list[dict[str, Any]]) -> None:
    for each in steps:
        if each["op"] == "concat":
            each["inputs"] = each["inputs"][::-1]


def flattened_as_hwc(steps: list[dict[str, Any]]) -> None:
    """The columns of the last weight in the order that such a flatten would need."""
    positions = next(e["attributes"]["positions"] for e in steps if e["op"] == "flatten")
    arrays = steps[-1]["arrays"]
    order = np.arange(len(arrays["zero_point"])).reshape(-1, positions).T.ravel()
    arrays["weight"] = np.array(arrays["weight"])[:, order].tolist()


def groups_swapped(steps: list[dict[str, Any]]) -> None:
    for each in steps:
        groups = each["attributes"].get("groups", 1)
        if groups > 1:
            weight = np.array(each["arrays"]["weight"])
            each["arrays"]["weight"] = np.roll(weight, len(weight) // groups, axis=0).tolist()


def ones(values: Any) -> Any:
    return np.ones_like(values).tolist()


def first_of_all(values: Any) -> Any:
    return [values[0]] * len(values)


PROGRAMS: list[tuple[str, str, str, Callable[[list[dict[str, Any]]], None]]] = [
    ("the next layer's thresholds", "pipeline.parameters", "chain", thresholds_of_the_next),
    (
        "codes from 0 on",
        "zero_point.offset",
        "pools",
        every("threshold", "least", lambda least: 0, "attributes"),
    ),
    (
        "one zero point",
        "zero_point.missing",
        "chain",
        every("linear", "zero_point", lambda z: [0] * len(z)),
    ),
    ("multipliers swapped", "add.one_scale", "residual", multipliers_swapped),
    (
        "one multiplier",
        "pipeline.parameters",
        "residual",
        every("add", "multiplier_a", first_of_all),
    ),
    ("concat in the other order", "axis.concat", "concat", concat_swapped),
    ("flatten as HWC", "axis.layout", "chain", flattened_as_hwc),
    ("counts ignored", "pool.count", "pools", every("sum", "factor", ones)),
    ("groups swapped", "axis.groups", "groups", groups_swapped),
    (
        "never up",
        "border.fusion",
        "tables",
        every("fused_conv2d", "lift", lambda lift: [[-(2**30)] * len(row) for row in lift]),
    ),
    (
        "rounded twice",
        "round.twice",
        "fixed_point",
        every("rescale", "bias", lambda bias: [b + 1 for b in bias]),
    ),
    (
        "no polynomial",
        "border.coefficients",
        "fixed_point",
        every("border", "coefficients", lambda c: [[0, 0, 0]] * len(c)),
    ),
]


class ProgramMutant(TensorMutant):
    """A program changed before it is run."""

    def adapter(self) -> Adapter:
        return Programs(str(self), self.steps["change"])


TENSOR_MUTANTS: list[TensorMutant] = [
    TensorMutant(operation, name, defect, flag, steps)
    for operation, rows in OF_OPERATION.items()
    for name, defect, flag, steps in rows
] + [
    ProgramMutant("program", name, defect, flag, {"change": change})
    for name, defect, flag, change in PROGRAMS
]
