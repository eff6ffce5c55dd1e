"""Compute codes by thresholds, by crossings, and by the tables of a fused border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected.layers import centred, convolved, geometry, int32, units
from aquant_ref.conformance.expected.refusal import need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor

NEVER_LIFT = -(2**30)  # a lift that no sum of fusion reaches


def _counted(x: Tensor, rows: Sequence[Sequence[Any]], least: int) -> Tensor:
    need(len(rows) == len(x) and all(list(row) == sorted(row) for row in rows))
    return [
        oracle.apply(lambda v, row=row: oracle.code(v, row, least), values)
        for values, row in zip(x, rows, strict=True)
    ]


def thresholds(*, acc: Tensor, thresholds: Tensor, least: int) -> tuple[Tensor]:
    """Spec: AQ-LOWER-1: how many of its channel's sorted thresholds an accumulator reaches."""
    return (_counted(acc, thresholds, least),)


def bordered_conv2d(
    *,
    x: Tensor,
    x_scale: float,
    x_zero: int,
    weight: Tensor,
    weight_scale: Sequence[float],
    bias: Sequence[float],
    groups: int,
    relu: int,
    scale: float,
    crossings: Tensor,
    least: int,
    **windows: Sequence[int],
) -> tuple[Tensor]:
    """Spec: AQ-IDEAL-1, AQ-BORDER-2: t is compared with the crossings of its channel, exactly."""
    need(scale > 0)
    unit = units(x_scale, weight_scale)
    acc = int32(convolved(centred(x, x_zero), weight, groups, **windows))

    def steps(values: Any, u: Fraction, b: float) -> Any:
        real = oracle.apply(lambda v: v * u + Fraction(b), values)
        return oracle.apply(lambda r: (max(r, 0) if relu else r) / Fraction(scale), real)

    t = [steps(values, u, b) for values, u, b in zip(acc, unit, bias, strict=True)]
    return (_counted(t, oracle.apply(Fraction, crossings), least),)


def fused_conv2d(
    *,
    u: Tensor,
    pad_code: int,
    codes: Tensor,
    lift: Tensor,
    fusion: Tensor,
    zero: int,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> tuple[Tensor]:
    """Spec: AQ-LOWER-7: each window's codes by the tables, then AQ-INT-4."""
    kernel = len(weight[0][0]), len(weight[0][0][0])
    windows = geometry(u, kernel, stride, padding, dilation)
    rows = len(u) * kernel[0] * kernel[1]
    by_row = {
        key: list(table) * (rows if len(table) == 1 else 1)
        for key, table in (("codes", codes), ("lift", lift), ("fusion", fusion))
    }
    need(all(len(table) == rows for table in by_row.values()))
    largest = max(pad_code, *oracle.flatten(u))
    need(min(pad_code, *oracle.flatten(u)) >= 0 and largest < min(map(len, (codes[0], lift[0]))))
    reach = max(map(abs, oracle.flatten(fusion))) * kernel[0] * kernel[1]
    need(reach < -NEVER_LIFT)
    return (_of_windows(u, pad_code, by_row, zero, weight, groups, kernel, windows),)


def _of_windows(
    u: Tensor,
    pad_code: int,
    tables: Mapping[str, Any],
    zero: int,
    weight: Tensor,
    groups: int,
    kernel: tuple[int, int],
    windows: Mapping[str, Any],
) -> Tensor:
    """Convolve each window as an image of the kernel's size, whose codes are known."""
    (sh, sw), (dh, dw) = windows["stride"], windows["dilation"]
    (top, bottom), (left, right) = windows["padding"]
    height, width = len(u[0]), len(u[0][0])
    last = (kernel[0] - 1) * dh, (kernel[1] - 1) * dw
    places = list(product(range(kernel[0]), range(kernel[1])))

    def window(channel: int, first: int, start: int) -> list[list[int]]:
        wide = []
        for i, j in places:
            row, column = first + i * dh, start + j * dw
            inside = 0 <= row < height and 0 <= column < width
            wide.append(u[channel][row][column] if inside else pad_code)
        narrow = oracle.window_codes(wide, channel * len(places), tables)
        steps = centred(narrow, zero)
        return [steps[i * kernel[1] : (i + 1) * kernel[1]] for i in range(kernel[0])]

    out: Tensor = [[] for _ in weight]
    for first in range(-top, height + bottom - last[0], sh):
        rows: Tensor = [[] for _ in weight]
        for start in range(-left, width + right - last[1], sw):
            image = [window(c, first, start) for c in range(len(u))]
            alone = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
            for row, ((value,),) in zip(
                rows, convolved(image, weight, groups, **alone), strict=True
            ):
                row.append(value)
        for channel, row in zip(out, rows, strict=True):
            channel.append(row)
    return int32(out)
