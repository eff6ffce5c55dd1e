"""Wrong ways to add two tensors as other engines do: those of `add_peers`, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults import add_peers
from aquant_ref.conformance.faults.add_peers import (
    ADDED,
    added,
    as_litert_int8,
    as_litert_uint8,
    of_add,
)
from aquant_ref.conformance.faults.fault import of_tensors
from aquant_ref.typing import Array

Code = Callable[..., int]


def elementwise(function: Code, rest: Code | None = None, run: int = 64) -> Callable[..., Array]:
    """Add element by element; those after the last whole run by `rest`."""

    def add_tensors(*, a: Array, b: Array, **f: Any) -> Array:
        full = a.size // run * run if rest else a.size
        ends = f["scale"], f["zero_point"], f["qmin"], f["qmax"]
        codes = [
            (function if rest is None or k < full else rest)(
                p, f["a_scale"], f["a_zero"], q, f["b_scale"], f["b_zero"], *ends
            )
            for k, (p, q) in enumerate(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
        ]
        return np.array(codes).reshape(a.shape)

    return add_tensors


TORCH, TAIL = added(ADDED["torch"]), added(ADDED["torch_tail"])
ADD = added(ADDED["tflite"])
RUNS: dict[str, tuple[Code, Code, int]] = {
    "torch": (TORCH, TAIL, 64),
    "litert_int8": (added(as_litert_int8), ADD, 16),
    "litert_uint8": (added(as_litert_uint8), ADD, 8),
}


def of_litert(profile: str, steps: Callable[..., int]) -> list[tuple[str, str, Any, str, str]]:
    """Return the faults of a run, and of its length."""
    code, rest, run = RUNS[profile]
    rows = [
        (name, elementwise(wrong, rest, run), defect, flag)
        for name, wrong, defect, flag in of_add(profile, steps)
        if flag not in ("range_end", "beside_tie")
    ]
    rows += [
        ("no rest", elementwise(code), "round.rule", "beside_tie"),
        ("no run", elementwise(rest), "round.rule", "beside_tie"),
        ("runs half as long", elementwise(code, rest, run // 2), "round.rule", "beside_tie"),
        ("runs twice as long", elementwise(code, rest, 2 * run), "round.rule", "beside_tie"),
    ]
    return [(profile, *row) for row in rows]


WRONG = of_tensors(
    "add_tensors",
    [
        *(
            (profile, name, elementwise(code, TAIL if profile == "torch" else None), defect, flag)
            for profile, name, code, defect, flag in add_peers.ADD
            if flag != "range_end" and name not in ("zero point first", "ties up")
        ),
        ("torch", "no rest", elementwise(TORCH), "zero_point.order", "tie"),
        ("torch", "runs of 32", elementwise(TORCH, TAIL, 32), "zero_point.order", "tie"),
        ("torch", "runs of 128", elementwise(TORCH, TAIL, 128), "zero_point.order", "tie"),
        ("torch", "no run", elementwise(TAIL), "zero_point.order", "tie"),
        *of_litert("litert_int8", as_litert_int8),
        *of_litert("litert_uint8", as_litert_uint8),
    ],
)
