"""Accumulators: integer products computed where no overflow can hide, and refused beyond int32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import AccumulatorOverflow
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN, check_integers

Array = NDArray[Any]


def accumulate(weight: Array, codes: Array, bias: Array | None = None, *, layer: str) -> Array:
    """Weight (O, K) @ codes (K, P) + bias (O,), int32.

    Spec: AQ-INT-3. Before anything is multiplied, the sums of |weight| * max|code| + |bias| are
    compared with int64; after, the result with int32. Raises AccumulatorOverflow, which names
    `layer`, where it does not fit; nothing ever wraps.
    """
    w, x = check_integers(layer, weight), check_integers(layer, codes)
    b = np.zeros(len(w), np.int64) if bias is None else check_integers(layer, bias)
    largest = max((abs(int(v)) for v in (x.min(initial=0), x.max(initial=0))), default=0)
    bound = max(
        (
            sum(abs(v) for v in row) * largest + abs(c)
            for row, c in zip(w.tolist(), b.tolist(), strict=True)
        ),
        default=0,
    )
    if bound >= 2**63:
        raise AccumulatorOverflow(f"{layer}: its accumulator can reach {bound}, beyond int64")
    acc = w @ x + b[:, None]
    if acc.size and (acc.min() < INT32_MIN or acc.max() > INT32_MAX):
        worst = max(abs(int(acc.min())), abs(int(acc.max())))
        raise AccumulatorOverflow(f"{layer}: its accumulator reaches {worst}, beyond int32")
    return np.asarray(acc.astype(np.int32))
