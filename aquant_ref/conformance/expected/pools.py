"""Compute pools over windows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected import peers, scalar
from aquant_ref.conformance.expected.layers import centred, geometry
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor


def _windows(x: Tensor, kernel: Sequence[int], **given: Sequence[int]) -> dict[str, Any]:
    """Require that every window covers a pixel of the image. Spec: AQ-IDEAL-4."""
    windows = geometry(x, kernel, **given)
    ones = oracle.apply(lambda _: 1, x[:1])
    pixels = oracle.flatten(oracle.avg_pool(ones, (kernel[0], kernel[1]), **windows))
    need(all(pixels))
    return windows


def avg_pool2d(
    *,
    x: Tensor,
    x_scale: float,
    x_zero: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    count_padding: int,
    scale: float,
    profile: str = "",
    **ends: int,
) -> tuple[Tensor]:
    """Spec: AQ-IDEAL-1, AQ-IDEAL-4: the exact mean, rounded once; padding is the real zero.

    Or AQ-PEER-19.
    """
    need(min(x_scale, scale) > 0)
    windows = _windows(x, kernel, stride=stride, padding=padding, dilation=dilation)
    size, counts = (kernel[0], kernel[1]), bool(count_padding)
    means = oracle.avg_pool(centred(x, x_zero), size, **windows, count_padding=counts)
    if profile:
        whole = [*kernel] == [len(x[0]), len(x[0][0])] and not any(padding)
        way = "onnx" if profile == "onnxruntime" and whole else profile

        def code(mean: Fraction, share: Fraction) -> int:
            count = size[0] * size[1] if counts else int(share * size[0] * size[1])
            numbers = {"x_zero": x_zero, "total": int((mean + x_zero) * count), "count": count}
            return peers.avg_pool(profile=way, x_scale=x_scale, scale=scale, **numbers, **ends)[0]

        shares = oracle.avg_pool(oracle.apply(lambda _: 1, x), size, **windows)
        return (oracle.apply(code, means, shares),)
    step = Fraction(x_scale) / Fraction(scale)
    return (oracle.apply(lambda mean: scalar.nearest(mean * step, **ends), means),)


def max_pool2d(*, x: Tensor, kernel: Sequence[int], **given: Sequence[int]) -> tuple[Tensor]:
    """Spec: AQ-IDEAL-4: padding never wins."""
    return (oracle.max_pool(x, (kernel[0], kernel[1]), **_windows(x, kernel, **given)),)
