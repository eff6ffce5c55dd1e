"""Compute accumulators alone: convolutions and products of codes in int32, which wraps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected.layers import centred, convolved
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor


def wrapped(value: int) -> int:
    """Return the int32 that is equal modulo 2^32. Spec: AQ-ACC-1."""
    return (value + 2**31) % 2**32 - 2**31


def conv_integer(
    *,
    x: Tensor,
    x_zero: int,
    weight: Tensor,
    weight_zero: Sequence[int],
    groups: int,
    **windows: Any,
) -> tuple[Tensor]:
    """Spec: AQ-ACC-1."""
    steps = [centred(w, zero) for w, zero in zip(weight, weight_zero, strict=True)]
    return (oracle.apply(wrapped, convolved(centred(x, x_zero), steps, groups, **windows)),)


def matmul_integer(
    *, a: Tensor, a_zero: Sequence[int], b: Tensor, b_zero: Sequence[int]
) -> tuple[Tensor]:
    """Spec: AQ-ACC-2."""
    need(len(a[0]) == len(b))
    rows = [centred(row, zero) for row, zero in zip(a, a_zero, strict=True)]
    columns = [centred([*c], zero) for c, zero in zip(zip(*b, strict=True), b_zero, strict=True)]
    return ([[wrapped(v) for v in oracle.linear(row, columns)] for row in rows],)
