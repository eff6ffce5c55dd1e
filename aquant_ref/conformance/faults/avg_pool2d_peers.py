"""Wrong ways to average windows as other engines do: those of `avg_pool_peers`, and of windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.avg_pool_peers import AVG_POOL, POOLED, pooled
from aquant_ref.conformance.faults.fault import of_tensors
from aquant_ref.conformance.faults.steps import RIGHT, Layers
from aquant_ref.typing import Array

Code = Callable[..., int]
ONNX = pooled(POOLED["onnx"])


def windows(code: Code, whole: Code | None = None, **steps: Callable[..., Any]) -> Any:
    """Average each window by `code`, and one that is the image by `whole`."""

    def mean(total: Array, count: Array, f: dict[str, Any]) -> Array:
        of_image = [*f["kernel"]] == [*f["x"].shape[1:]] and not any(f["padding"])
        chosen = whole if whole and of_image else code
        numbers = f["x_scale"], f["x_zero"], f["scale"], f["zero_point"], f["qmin"], f["qmax"]
        counts = np.broadcast_to(count, total.shape)
        pairs = zip(total.ravel().tolist(), counts.ravel().tolist(), strict=True)
        codes = [chosen(t + n * f["x_zero"], n, *numbers) for t, n in pairs]
        return np.array(codes).reshape(total.shape)

    changed: dict[str, Any] = {"mean": mean, "clip": lambda codes, *_: codes, **steps}
    return Layers("", **changed).avg_pool2d


def padding_counted(x: Array, f: dict[str, Any]) -> Array:
    return np.array(math.prod(f["kernel"]))


def padding_not_counted(x: Array, f: dict[str, Any]) -> Array:
    return RIGHT.counts(x, {**f, "count_padding": 0})


def padded_with_0(x: Array, zero: int, padding: Any) -> Array:
    return RIGHT.pad(x, 0, padding)


def of_padding(profile: str) -> list[tuple[str, str, Any, str, str]]:
    code = pooled(POOLED[profile])
    counted = windows(code, counts=padding_counted)
    not_counted = windows(code, counts=padding_not_counted)
    of_code_0 = windows(code, pad=padded_with_0)
    rows = [
        ("padding counted", counted, "pool.count", "padding_does_not_count"),
        ("padding not counted", not_counted, "pool.count", "padding_counts"),
        ("padded with code 0", of_code_0, "zero_point.padding", "padding_counts"),
    ]
    return [(profile, *row) for row in (rows[:1] if profile == "tflite" else rows)]


WRONG = of_tensors(
    "avg_pool2d",
    [
        *(
            (profile, name, windows(code, ONNX if profile == "onnxruntime" else None), defect, flag)
            for profile, name, code, defect, flag in AVG_POOL
        ),
        *(row for profile in POOLED for row in of_padding(profile)),
        (
            "onnxruntime",
            "the whole image as any window",
            windows(pooled(POOLED["onnxruntime"])),
            "zero_point.order",
            "whole_image",
        ),
        (
            "onnx",
            "the whole image with its zero point first",
            windows(ONNX, pooled(POOLED["onnxruntime"])),
            "zero_point.order",
            "whole_image",
        ),
    ],
)
