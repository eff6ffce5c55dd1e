"""Wrong ways to join tensors with scales of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, away, clip, even, packed, up
from aquant_ref.conformance.faults.arithmetic import once as single
from aquant_ref.conformance.faults.fault import of_tensors
from aquant_ref.typing import Array

Code = Callable[..., int]  # of q, its scale and zero point, the result's scale and zero point


def once(q: int, s: float, z: int, scale: float, zero: int) -> int:
    return up((q - z) * F(s) / F(scale)) + zero


def in_float32(q: int, s: float, z: int, scale: float, zero: int) -> int:
    return even(packed(packed((q - z) * packed(s)) / packed(scale))) + zero


def of_tflite(q: int, s: float, z: int, scale: float, zero: int) -> int:
    if (packed(s), z) == (packed(scale), zero):
        return q
    ratio = packed(packed(s) * packed(1 / packed(scale)))
    return away(packed(packed(q * ratio) + packed(-z * ratio))) + zero


def of_torch(q: int, s: float, z: int, scale: float, zero: int) -> int:
    """Dequantized, and quantized by a fused multiply-add."""
    real, inverse = packed((q - z) * packed(s)), packed(1 / packed(scale))
    return even(single(F(real) * F(inverse) + zero))


RIGHT: dict[str, Code] = {
    "": once,
    "float32": in_float32,
    "tflite": of_tflite,
    "torch": of_torch,
}


def joined(
    code: Code,
    end: Callable[[int, int, int], int] = clip,
    change: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Callable[..., Array]:
    """Tensor by tensor."""

    def concat(**given: Any) -> Array:
        f = change(given)
        owner = np.repeat(np.arange(len(f["channels"])), f["channels"])
        out = np.empty(f["x"].shape, np.int64)
        for c, i, j in np.ndindex(*out.shape):
            k = owner[c]
            q = int(f["x"][c, i, j])
            y = code(q, float(f["x_scale"][k]), int(f["x_zero"][k]), f["scale"], f["zero_point"])
            out[c, i, j] = end(y, f["qmin"], f["qmax"])
        return out

    return concat


def first_for_all(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda f: {**f, name: np.full_like(f[name], f[name][0])}


def unchanged(q: int, s: float, z: int, scale: float, zero: int) -> int:
    return q


def in_reverse(f: dict[str, Any]) -> dict[str, Any]:
    """The tensors joined from the last to the first."""
    parts = np.split(f["x"], np.cumsum(f["channels"])[:-1])
    names = ("channels", "x_scale", "x_zero")
    return {**f, "x": np.concatenate(parts[::-1]), **{name: f[name][::-1] for name in names}}


def equal_parts(f: dict[str, Any]) -> dict[str, Any]:
    """As many channels of each as of any other."""
    count = len(f["channels"])
    sizes = [len(f["x"]) // count + (k < len(f["x"]) % count) for k in range(count)]
    return {**f, "channels": np.array(sizes)}


def wrapped(y: int, low: int, high: int) -> int:
    return (y - low) % (high - low + 1) + low


def of_every_variation(code: Code) -> list[tuple[str, Callable[..., Array], str, str]]:
    return [
        ("codes as they are", joined(unchanged), "add.one_scale", "random"),
        (
            "the scale of the first for all",
            joined(code, change=first_for_all("x_scale")),
            "pipeline.parameters",
            "random",
        ),
        (
            "the zero point of the first for all",
            joined(code, change=first_for_all("x_zero")),
            "pipeline.parameters",
            "random",
        ),
        ("in reverse", joined(code, change=in_reverse), "axis.concat", "random"),
        ("in equal parts", joined(code, change=equal_parts), "axis.concat", "random"),
        (
            "no zero points",
            joined(code, change=lambda f: {**f, "x_zero": 0 * f["x_zero"]}),
            "zero_point.missing",
            "random",
        ),
        (
            "the ratio upside down",
            joined(lambda q, s, z, scale, zero: code(q, scale, z, s, zero)),
            "scale.swapped",
            "same",
        ),
        ("wraps", joined(code, wrapped), "clamp.wrap", "saturation"),
        (
            "a level too many",
            joined(code, lambda y, low, high: clip(y, low, high + 1)),
            "clamp.levels",
            "saturation",
        ),
        (
            "ReLU dropped",
            joined(code, lambda y, low, high: clip(y, -(2**15), high)),
            "clamp.dropped",
            "relu",
        ),
    ]


OWN: list[tuple[str, str, Callable[..., Array], str, str]] = [
    (
        "",
        "half to even",
        joined(lambda q, s, z, t, zero: even((q - z) * F(s) / F(t)) + zero),
        "round.rule",
        "tie",
    ),
    (
        "",
        "half away",
        joined(lambda q, s, z, t, zero: away((q - z) * F(s) / F(t)) + zero),
        "round.rule",
        "tie",
    ),
    (
        "",
        "cast",
        joined(lambda q, s, z, t, zero: int((q - z) * F(s) / F(t)) + zero),
        "round.cast",
        "random",
    ),
    ("", "in float32", joined(in_float32), "round.float32", "beside_tie"),
    ("float32", "as LiteRT", joined(of_tflite), "round.reciprocal", "beside_tie"),
    ("float32", "exact", joined(once), "round.rule", "tie"),
    ("torch", "as onnxruntime", joined(in_float32), "zero_point.order", "tie"),
    ("tflite", "exact", joined(once), "round.rule", "beside_tie"),
    ("tflite", "as onnxruntime", joined(in_float32), "round.rule", "tie"),
]

WRONG = of_tensors(
    "concat",
    [*((p, *row) for p, code in RIGHT.items() for row in of_every_variation(code)), *OWN],
)
