"""Wrong ranges of a fused activation."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, away, clip, even, up
from aquant_ref.conformance.faults.arithmetic import packed as f32
from aquant_ref.conformance.faults.fault import of_alternatives, scalar

Six = Callable[[float, int], int]
Ends = tuple[int, int]
Function = Callable[[str, float, int, int, int], Ends]


def exact(s: float, z: int) -> int:
    return up(6 / F(s)) + z


def tflite(s: float, z: int) -> int:
    return away(f32(6 / s)) + z


def xnnpack(s: float, z: int) -> int:
    return even(f32(f32(6 / s) + z))


def torch(s: float, z: int) -> int:
    return even(f32(f32(6 * f32(1 / s)) + z))


SIXES: dict[str, Six] = {"": exact, "tflite": tflite, "xnnpack": xnnpack, "torch": torch}


def ranged(six: Six) -> Function:
    """The range by this code of 6."""

    def function(activation: str, s: float, z: int, low: int, high: int) -> Ends:
        top = clip(six(s, z), low, high) if activation == "relu6" else high
        return low if activation == "none" else clip(z, low, high), top

    return function


def relu_at_zero(activation: str, s: float, z: int, low: int, high: int) -> Ends:
    ends = ranged(exact)(activation, s, z, low, high)
    return ends if activation == "none" else (min(max(low, 0), high), ends[1])


def relu6_ignored(activation: str, s: float, z: int, low: int, high: int) -> Ends:
    return ranged(exact)("relu" if activation == "relu6" else activation, s, z, low, high)


def relu_ignored(activation: str, s: float, z: int, low: int, high: int) -> Ends:
    return ranged(exact)("none" if activation == "relu" else activation, s, z, low, high)


def always_relu(activation: str, s: float, z: int, low: int, high: int) -> Ends:
    return ranged(exact)("relu" if activation == "none" else activation, s, z, low, high)


def beyond(activation: str, s: float, z: int, low: int, high: int) -> Ends:
    ends = ranged(exact)(activation, s, z, low, high)
    return (ends[0], exact(s, z)) if activation == "relu6" else ends


OWN: list[tuple[str, Function, str, str]] = [
    ("ReLU at code 0", relu_at_zero, "clamp.relu", "relu"),
    ("ReLU6 ignored", relu6_ignored, "clamp.dropped", "relu6"),
    ("ReLU ignored", relu_ignored, "clamp.dropped", "relu"),
    ("no activation taken for a ReLU", always_relu, "clamp.relu", "none"),
    ("six codes", ranged(lambda s, z: z + 6), "clamp.levels", "relu6"),
    ("no zero point in it", ranged(lambda s, z: up(6 / F(s))), "zero_point.missing", "relu6"),
    ("floored", ranged(lambda s, z: math.floor(6 / F(s)) + z), "round.truncation", "relu6"),
    ("ties to even", ranged(lambda s, z: even(6 / F(s)) + z), "round.rule", "tie"),
    ("not clipped to the type", beyond, "clamp.wrap", "range_end"),
    ("in float32", ranged(tflite), "round.float32", "apart_from_tflite"),
    ("zero point first", ranged(xnnpack), "zero_point.order", "apart_from_xnnpack"),
    ("by the reciprocal", ranged(torch), "round.reciprocal", "apart_from_torch"),
]
TIES: tuple[tuple[str, Six], ...] = (
    ("tflite", lambda s, z: even(f32(6 / s)) + z),
    ("xnnpack", lambda s, z: up(f32(6 / s)) + z),
    ("torch", lambda s, z: up(f32(6 * f32(1 / s))) + z),
)
APART = {
    "exact": ("in exact numbers", "round.float64", exact),
    "tflite": ("zero point after rounding", "zero_point.order", tflite),
    "xnnpack": ("6 divided, the zero point first", "zero_point.order", xnnpack),
    "torch": ("by the reciprocal", "round.reciprocal", torch),
}
EVERYWHERE: tuple[tuple[str, Function, str, str], ...] = (
    ("ReLU at code 0", relu_at_zero, "clamp.relu", "relu"),
    ("ReLU6 ignored", relu6_ignored, "clamp.dropped", "relu6"),
    ("no activation taken for a ReLU", always_relu, "clamp.relu", "none"),
    ("not clipped to the type", beyond, "clamp.wrap", "range_end"),
)
PEERS = [
    *((name, "other ties", ranged(six), "round.rule", "tie") for name, six in TIES),
    *(
        (name, what, ranged(six), defect, f"apart_from_{other}")
        for name in SIXES
        for other, (what, defect, six) in APART.items()
        if name not in ("", other)
    ),
    *((name, *row) for name in SIXES if name for row in EVERYWHERE),
]
WRONG = scalar("activation_range", OWN) + of_alternatives("activation_range", PEERS)
