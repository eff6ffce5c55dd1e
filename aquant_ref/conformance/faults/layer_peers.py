"""Wrong layers in the alternatives, which differ from a right one beside ties or in their bias."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from aquant_ref.conformance.faults.arithmetic import F, away, once, up, wrap
from aquant_ref.conformance.faults.arithmetic import packed as f32
from aquant_ref.conformance.faults.fault import Fault, StepFault
from aquant_ref.conformance.faults.layer_engines import ENGINES, Engine, by_engine, even, whole
from aquant_ref.typing import Array


def instead(engine: Engine) -> Callable[..., Array]:
    """The step of `Layers` that uses this engine."""
    return lambda acc, f: by_engine(engine, acc, f)


def neighbour(name: str) -> Callable[..., Array]:
    return instead(ENGINES[name])


def exact_multiplier(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
    m, b = once(F(x) * F(w) / F(y)), whole(bias, x, w)
    return lambda acc: even(f32(f32(acc + b) * m))


def in_float64(rule: Callable[[Any], int], first: bool) -> Engine:
    def engine(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
        before = zero if first else 0
        return lambda acc: rule((acc * x * w + bias) / y + before) - before

    return engine


def whole_bias(name: str, rule: Callable[[Any], int]) -> Callable[..., Array]:
    """The bias is rounded to units first."""

    def engine(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
        return ENGINES[name](x, w, y, rule(bias / (x * w)) * (x * w), zero)

    return instead(engine)


def added_later(name: str) -> Callable[..., Array]:
    """The bias is added in steps of the result."""

    def engine(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
        without, b = ENGINES[name](x, w, y, 0.0, zero), even(bias / y)
        return lambda acc: without(acc) + b

    return instead(engine)


def saturating(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
    unit = f32(x * w)
    m, b = f32(unit * f32(1 / y)), even(f32(f32(bias) * f32(1 / unit)))
    return lambda acc: even(f32(f32(min(max(acc + b, -(2**31)), 2**31 - 1)) * m))


def wrapped_bias(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
    """The bias itself wraps where it is converted."""
    unit = f32(x * w)
    m, b = f32(unit * f32(1 / y)), even(f32(f32(bias) * f32(1 / unit)))
    return lambda acc: even(f32(f32(wrap(acc + wrap(b, 32), 32)) * m))


def even_of(t: F) -> int:
    return round(t)


def in_fixed_point(rule: Callable[[Any], int]) -> Engine:
    """The exact multiplier."""

    def engine(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
        m, b = F(x) * F(w) / F(y), whole(bias, x, w)
        return lambda acc: rule((acc + b) * m)

    return engine


def narrow(bits: int) -> Callable[..., Array]:
    """The accumulator of 16x8 wraps."""

    def engine(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
        total, b = ENGINES["tflite_16x8"](x, w, y, 0.0, zero), whole(bias, x, w)
        return lambda acc: total(wrap(acc + b, bits))

    return instead(engine)


ZERO_FIRST = ("float32_zero_first", "onednn", "float64_product")
ROUNDED = (  # in each alternative
    ("ties up, in float64", "round.rule", "tie", up),
    ("ties away from zero, in float64", "round.rule", "tie", away),
)
# (alternative, name, defect, flag, the step)
ROWS: list[tuple[str, str, str, str, Callable[..., Array]]] = [
    *(
        (
            alternative,
            name,
            defect,
            flag,
            instead(in_float64(rule, alternative in ZERO_FIRST)),
        )
        for alternative in ENGINES
        if alternative not in ("tflite_16x8", "power_of_two")
        for name, defect, flag, rule in ROUNDED
    ),
    (
        "float32_product",
        "multiplier rounded once",
        "round.float64",
        "beside_tie",
        instead(exact_multiplier),
    ),
    (
        "float32_product",
        "zero point first",
        "zero_point.order",
        "tie",
        neighbour("float32_zero_first"),
    ),
    (
        "float32_zero_first",
        "zero point after rounding",
        "zero_point.order",
        "tie",
        neighbour("float32_product"),
    ),
    (
        "float32_zero_first",
        "in float64",
        "round.float64",
        "beside_tie",
        instead(in_float64(even, True)),
    ),
    (
        "float64_product",
        "zero point after rounding",
        "zero_point.order",
        "tie",
        neighbour("float32_product"),
    ),
    (
        "float64_product",
        "product in float32",
        "round.float32",
        "beside_tie",
        neighbour("float32_zero_first"),
    ),
    (
        "float64_product",
        "multiplier in float64",
        "round.float64",
        "beside_tie",
        instead(in_float64(even, True)),
    ),
    ("onednn", "bias in whole units", "bias.floor", "fraction_bias", whole_bias("onednn", even)),
    ("onednn", "zero point after rounding", "zero_point.order", "tie", neighbour("fbgemm")),
    ("onednn", "bias after rescaling", "bias.order", "tie", added_later("onednn")),
    ("fbgemm", "bias in whole units", "bias.floor", "fraction_bias", whole_bias("fbgemm", even)),
    ("fbgemm", "bias floored", "bias.floor", "fraction_bias", whole_bias("fbgemm", math.floor)),
    ("fbgemm", "bias after rescaling", "bias.order", "tie", added_later("fbgemm")),
    ("fbgemm", "bias fused", "round.twice", "beside_tie", neighbour("fbgemm_tensor")),
    (
        "fbgemm_tensor",
        "bias not fused",
        "round.twice",
        "beside_tie",
        neighbour("fbgemm"),
    ),
    (
        "fbgemm_tensor",
        "bias in whole units",
        "bias.floor",
        "fraction_bias",
        whole_bias("fbgemm_tensor", even),
    ),
    (
        "tflite_16x8",
        "the whole multiplier",
        "multiplier.reduced",
        "beside_tie",
        instead(in_fixed_point(up)),
    ),
    ("tflite_16x8", "ties away from zero", "round.rule", "tie", instead(in_fixed_point(away))),
    ("tflite_16x8", "accumulator of 32 bits", "accumulator.wrap", "wide_tie", narrow(32)),
    ("tflite_16x8", "accumulator of 34 bits", "accumulator.narrow", "wide_tie", narrow(34)),
    ("power_of_two", "floored", "round.truncation", "tie", instead(in_fixed_point(math.floor))),
    ("power_of_two", "ties to even", "round.rule", "tie", instead(in_fixed_point(even_of))),
    ("power_of_two", "ties away from zero", "round.rule", "tie", instead(in_fixed_point(away))),
    (
        "power_of_two",
        "cast without rounding",
        "round.cast",
        "near_tie",
        instead(in_fixed_point(int)),
    ),
    ("power_of_two", "bias after rescaling", "bias.order", "tie", added_later("power_of_two")),
    ("qnnpack", "the sum saturates", "bias.overflow", "wrapping", instead(saturating)),
    ("qnnpack", "the bias wraps itself", "bias.overflow", "wrapping", instead(wrapped_bias)),
    ("qnnpack", "bias not rounded", "bias.floor", "fraction_bias", neighbour("fbgemm")),
    ("qnnpack", "bias floored", "bias.floor", "fraction_bias", whole_bias("qnnpack", math.floor)),
    ("qnnpack", "ties of the bias up", "round.rule", "fraction_bias", whole_bias("qnnpack", up)),
]


def wrong(operation: str) -> list[Fault]:
    """Return the faults of `conv2d`, `depthwise` or `linear`."""
    return [
        StepFault(operation, name, defect, flag, alternative, steps={"engine": step})
        for alternative, name, defect, flag, step in ROWS
    ]


WRONG = [*wrong("conv2d"), *wrong("linear")]
