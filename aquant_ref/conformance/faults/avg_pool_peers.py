"""Wrong ways to average codes as other engines do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from aquant_ref.conformance.faults.arithmetic import F, clip, packed
from aquant_ref.conformance.faults.fault import of_alternatives


def pooled(code: Callable[..., int], ends: Callable[..., int] = clip) -> Callable[..., int]:
    def function(
        total: int, n: int, x: float, xz: int, s: float, z: int, low: int, high: int
    ) -> int:
        return ends(code(total, n, F(packed(x)), xz, F(packed(s)), z), low, high)

    return function


def as_c_divides(total: int, n: int, *_: Any) -> int:
    """Away from zero: half of n is added on the side of the sum, and the rest cut off."""
    return (total + n // 2) // n if total > 0 else -((-total + n // 2) // n)


def to_even(total: int, n: int, *_: Any) -> int:
    whole, rest = divmod(total, n)
    return whole + (2 * rest > n or (2 * rest == n and whole % 2 == 1))


def zero_point_last(total: int, n: int, x: F, xz: int, s: F, z: int) -> int:
    return round((total - n * xz) * x / (n * s)) + z


def zero_point_inside(total: int, n: int, x: F, xz: int, s: F, z: int) -> int:
    return round((total - n * xz) * x / (n * s) + z)


def in_single(total: int, n: int, x: F, xz: int, s: F, z: int) -> int:
    """By a ratio of float32 numbers."""
    ratio = packed(float(x) / packed(float(s) * n))
    return round(packed(packed(total - n * xz) * ratio)) + z


POOLED: dict[str, Callable[..., int]] = {
    "tflite": as_c_divides,
    "torch": to_even,
    "onnx": zero_point_last,
    "onnxruntime": zero_point_inside,
    "qnnpack": in_single,
}


def of_pool(code: Callable[..., int]) -> list[tuple[str, Any, str, str]]:
    """What goes wrong around any of them."""
    return [
        (
            "ReLU dropped",
            pooled(code, lambda y, low, high: min(max(y, -(2**15)), high)),
            "clamp.dropped",
            "relu",
        ),
        (
            "a pixel too many",
            pooled(lambda t, n, *rest: code(t, n + 1, *rest)),
            "pool.count",
            "near_tie",
        ),
        (
            "the mean cut off",
            pooled(lambda t, n, x, xz, s, z: math.floor((t - n * xz) * x / (n * s)) + z),
            "pool.floor",
            "tie",
        ),
        (
            "zero point of the input forgotten",
            pooled(lambda t, n, x, xz, *rest: code(t + n * xz, n, x, xz, *rest)),
            "zero_point.missing",
            "random",
        ),
    ]


def by_hundredths(total: int, n: int, *_: Any) -> int:
    """1/n in 8 bits."""
    return math.floor(F(total * round(256 / n), 256) + F(1, 2))


AVG_POOL: list[tuple[str, str, Any, str, str]] = [
    *((p, *row) for p, code in POOLED.items() for row in of_pool(code)),
    *(
        (p, "1/n in 8 bits", pooled(by_hundredths), "pool.reciprocal", "odd_count")
        for p in ("tflite", "torch")
    ),
    *(
        (
            p,
            "from unsigned codes",
            pooled(lambda t, n, *rest, f=POOLED[p]: f(t % (256 * n), n, *rest)),
            "clamp.wrap",
            "range_end",
        )
        for p in ("tflite", "torch")
    ),
    ("tflite", "half to even", pooled(to_even), "round.rule", "tie"),
    ("tflite", "half up", pooled(lambda t, n, *_: (2 * t + n) // (2 * n)), "round.rule", "tie"),
    (
        "tflite",
        "the zero point taken off first",
        pooled(lambda t, n, x, xz, s, z: as_c_divides(t - n * xz, n) + z),
        "pool.centred",
        "tie",
    ),
    ("torch", "half away", pooled(as_c_divides), "round.rule", "tie"),
    ("torch", "the zero point taken off first", pooled(zero_point_last), "pool.centred", "tie"),
    ("qnnpack", "as torch", pooled(to_even), "round.rule", "tie"),
    ("qnnpack", "half away", pooled(as_c_divides), "round.rule", "tie"),
    ("onnx", "zero point first", pooled(zero_point_inside), "zero_point.order", "tie"),
    ("onnxruntime", "zero point last", pooled(zero_point_last), "zero_point.order", "tie"),
    *(
        (p, "stored codes", pooled(to_even), "pool.stored", "random")
        for p in ("onnx", "onnxruntime")
    ),
    *(
        (
            p,
            "one scale",
            pooled(lambda t, n, x, xz, s, z, f=POOLED[p]: f(t, n, s, xz, s, z)),
            "add.one_scale",
            "random",
        )
        for p in ("onnx", "onnxruntime")
    ),
]

WRONG = of_alternatives("avg_pool", AVG_POOL)
