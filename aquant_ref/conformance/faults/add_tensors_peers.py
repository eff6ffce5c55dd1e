"""Wrong ways to add two tensors as other engines do: those of `add_peers`, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults import add_peers
from aquant_ref.conformance.faults.add_peers import ADDED, added
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

WRONG = of_tensors(
    "add_tensors",
    [
        *(
            (profile, name, elementwise(code, TAIL if profile == "torch" else None), defect, flag)
            for profile, name, code, defect, flag in add_peers.ADD
            if flag != "range_end" and name != "zero point first"
        ),
        ("torch", "no rest", elementwise(TORCH), "zero_point.order", "tie"),
        ("torch", "runs of 32", elementwise(TORCH, TAIL, 32), "zero_point.order", "tie"),
        ("torch", "runs of 128", elementwise(TORCH, TAIL, 128), "zero_point.order", "tie"),
        ("torch", "no run", elementwise(TAIL), "zero_point.order", "tie"),
    ],
)
