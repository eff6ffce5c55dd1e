"""Compute accumulators alone in numpy: codes and weights apart, corrected by their zero points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.typing import Codes, Integers

if TYPE_CHECKING:
    from aquant_ref.engine.windows import Windows


def matmul_integer(a: Codes, a_zero: Integers, b: Codes, b_zero: Integers) -> Integers:
    """Spec: AQ-ACC-2: a product of the codes, less that of the zero points; int32 wraps."""
    if a.shape[1] != len(b):
        raise InputError(f"b: needs {a.shape[1]} rows, got {len(b)}")
    acc = a @ b - np.outer(a_zero, b.sum(axis=0)) - np.outer(a.sum(axis=1), b_zero)
    return (acc + a.shape[1] * np.outer(a_zero, b_zero)).astype(np.int32)


def conv_integer(
    x: Codes, x_zero: int, weight: Codes, weight_zero: Integers, *, groups: int, windows: Windows
) -> Integers:
    """Spec: AQ-ACC-1: a product of matrices for each group; padding has the zero point's code."""
    columns = windows.columns(x[None], fill=x_zero)[0]
    if len(x) != groups * weight.shape[1] or len(weight) % groups or not columns.size:
        raise InputError("conv_integer: the weight or its windows do not fit the image")
    parts = []
    for rows, own, zeros in zip(
        *(np.split(v, groups) for v in (columns, weight, weight_zero)), strict=True
    ):
        matrix = own.reshape(len(own), -1)
        flat = rows.reshape(matrix.shape[1], -1)
        parts.append(matmul_integer(matrix, zeros, flat, np.full(flat.shape[1], x_zero)))
    return np.concatenate(parts).reshape(len(weight), *columns.shape[3:])
