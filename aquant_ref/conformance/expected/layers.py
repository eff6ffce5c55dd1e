"""Compute convolutions and linear layers from codes to codes, and the sum of two tensors.

A tensor is a nested list, one image, [C][H][W]; a linear layer's is [I].
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected import layer_peers, peers, scalar, sums
from aquant_ref.conformance.expected.refusal import INT32_MAX, INT32_MIN, need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor


def geometry(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Any
) -> dict[str, Any]:
    """Return the windows in the oracle's form; at least one must fit. Spec: AQ-IDEAL-4."""
    top, bottom, left, right = padding
    sides = (top, bottom), (left, right)
    need(min(*kernel, *stride, *dilation) >= 1 and min(padding) >= 0)
    for size, k, d, side in zip((len(x[0]), len(x[0][0])), kernel, dilation, sides, strict=True):
        need(size + sum(side) >= (k - 1) * d + 1)
    return {"stride": tuple(stride), "padding": sides, "dilation": tuple(dilation)}


def convolved(
    x: Tensor,
    weight: Tensor,
    groups: int,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Return the accumulators of centred codes and weights. Spec: AQ-INT-4."""
    need(groups >= 1 and len(weight) % groups == 0 and len(weight[0]) * groups == len(x))
    kernel = len(weight[0][0]), len(weight[0][0][0])
    return sums.conv2d(x, weight, groups=groups, **geometry(x, kernel, stride, padding, dilation))


def centred(x: Any, zero: int) -> Any:
    """Subtract the zero point."""
    return oracle.apply(lambda q: q - zero, x)


def int32(values: Tensor) -> Tensor:
    """Require that the accumulators fit int32. Spec: AQ-INT-3."""
    flat = oracle.flatten(values)
    need(min(flat) >= INT32_MIN and max(flat) <= INT32_MAX)
    return values


def biased(acc: Tensor, bias: Sequence[float], unit: Sequence[Fraction]) -> Tensor:
    """Add the bias, which must be a whole number of units in each channel. Spec: AQ-INT-3."""
    steps = [Fraction(b) / u for b, u in zip(bias, unit, strict=True)]
    need(all(b.denominator == 1 for b in steps))
    total = [
        oracle.apply(lambda v, b=b: v + int(b), row) for row, b in zip(acc, steps, strict=True)
    ]
    int32(acc)
    return int32(total)


def coded(
    acc: Tensor,
    *,
    x_scale: float,
    weight_scale: Sequence[float],
    bias: Sequence[float],
    scale: float,
    profile: str,
    **ends: int,
) -> Tensor:
    """Return the codes of accumulators without their bias, in a variation or an alternative."""
    if profile in layer_peers.CHANNELS:
        given: dict[str, Any] = {"x_scale": x_scale, "weight_scale": weight_scale, **ends}
        return layer_peers.requantized(acc, bias=bias, scale=scale, profile=profile, **given)
    unit = units(x_scale, weight_scale)
    return _requantized(biased(acc, bias, unit), unit, scale, profile, **ends)


def units(x_scale: float, weight_scale: Sequence[float]) -> list[Fraction]:
    """Return the real value of one accumulator step in each channel. Spec: AQ-IDEAL-1."""
    need(min(x_scale, *weight_scale) > 0)
    return [Fraction(x_scale) * Fraction(s) for s in weight_scale]


def _requantized(
    acc: Tensor, unit: Sequence[Fraction], scale: float, profile: str, **ends: int
) -> Tensor:
    need(scale > 0)

    def of_channel(row: Any, m: Fraction) -> Any:
        if profile == "ideal":
            return oracle.apply(lambda v: scalar.nearest(v * m, **ends), row)
        if profile.startswith("float"):
            return oracle.apply(lambda v: oracle.requantize_real(v, m, profile, **ends), row)
        mantissa, shift = oracle.multiplier(m)

        def code(v: int) -> int:
            (q,) = scalar.requantize(
                acc=v, multiplier=mantissa, shift=shift, profile=profile, **ends
            )
            return q

        return oracle.apply(code, row)

    return [of_channel(row, u / Fraction(scale)) for row, u in zip(acc, unit, strict=True)]


def conv2d(
    *,
    x: Tensor,
    x_zero: int,
    weight: Tensor,
    weight_zero: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    **end: Any,
) -> tuple[Tensor]:
    """Spec: AQ-INT-4, then AQ-IDEAL-1, AQ-FIXED-2 to AQ-FIXED-7 or an alternative."""
    layer_peers.zeros(end["profile"], x_zero, weight_zero)
    steps = [centred(w, zero) for w, zero in zip(weight, weight_zero, strict=True)]
    acc = convolved(
        centred(x, x_zero), steps, groups, stride=stride, padding=padding, dilation=dilation
    )
    return (coded(acc, **end),)


def depthwise(*, x: Tensor, **fields: Any) -> tuple[Tensor]:
    """Spec: AQ-INT-4: as many groups as channels."""
    return conv2d(x=x, groups=len(x), **fields)


def linear(
    *,
    x: Sequence[int],
    x_zero: int,
    weight: Tensor,
    weight_zero: Sequence[int],
    **end: Any,
) -> tuple[Tensor]:
    """Spec: AQ-INT-3, then AQ-IDEAL-1, AQ-FIXED-2 to AQ-FIXED-7 or an alternative."""
    layer_peers.zeros(end["profile"], x_zero, weight_zero)
    steps = [centred(row, zero) for row, zero in zip(weight, weight_zero, strict=True)]
    acc = sums.linear(centred(x, x_zero), steps)
    return (coded(acc, **end),)


def add_tensors(*, a: Tensor, b: Tensor, profile: str = "", **fields: Any) -> tuple[Tensor]:
    """Spec: AQ-IDEAL-1, AQ-PEER-16: the scalar `add` of every element."""
    profiles = peers.of_elements(profile, len(oracle.flatten(a)))

    def code(p: int, q: int) -> int:
        return scalar.add(a=p, b=q, profile=next(profiles), **fields)[0]

    return (oracle.apply(code, a, b),)


def matmul(
    *,
    a: Tensor,
    a_scale: float,
    a_zero: int,
    b: Tensor,
    b_scale: float,
    b_zero: int,
    **end: Any,
) -> tuple[Tensor]:
    """Spec: AQ-CODES-12: the products of matrices, batch by batch."""
    need(len(a) == len(b) and len(a[0][0]) == len(b[0]))
    pairs = zip(centred(a, a_zero), centred(b, b_zero), strict=True)
    acc = [_product(rows, matrix) for rows, matrix in pairs]
    of_batch: dict[str, Any] = {"weight_scale": [b_scale] * len(acc), "bias": [0.0] * len(acc)}
    return (coded(acc, x_scale=a_scale, **of_batch, **end),)


def _product(rows: Tensor, matrix: Tensor) -> Tensor:
    columns = [*zip(*matrix, strict=True)]
    return [oracle.linear(row, columns) for row in rows]
