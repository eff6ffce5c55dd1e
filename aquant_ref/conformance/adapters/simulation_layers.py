"""Put the layers of the float simulation under test."""

from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.nn.conv import conv2d, linear
from aquant_ref.nn.pool import avg_pool, max_pool
from aquant_ref.nn.windows import Windows
from aquant_ref.quant.border import codes
from aquant_ref.quant.rounding import half_up
from aquant_ref.quant.window import WindowBorder
from aquant_ref.typing import Array, Codes, Integers, Reals

MOST_UNIT_BITS = 28


class SimulationLayers(Adapter):
    """Compute real numbers in float64: the variation "ideal"; integer programs are missing.

    With units of 24 bits and accumulators below 2^29, no sum is rounded. A threshold closer to an
    accumulator than the rounding error of the quotient would be *fragile* (AQ-LOWER-5). Layers with
    units of more than 28 bits are left out, for their sums may be fragile.
    """

    def conv2d(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        weight: Codes,
        weight_scale: Reals,
        weight_zero: Integers,
        bias: Reals,
        groups: int,
        profile: str,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        **windows: Any,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        _check_units(profile, x_scale * weight_scale)
        shape = (-1, *(1,) * (weight.ndim - 1))
        steps = (weight - weight_zero.reshape(shape)) * weight_scale.reshape(shape)
        real = (x - x_zero)[None] * x_scale
        y = conv2d(real, steps, groups=groups, **_geometry(windows))[0] + bias[:, None, None]
        return _codes(y, scale, zero_point, qmin, qmax)

    def depthwise(self, *, x: Codes, **fields: Any) -> Array:
        """Spec: AQ-IDEAL-1."""
        return self.conv2d(x=x, groups=len(x), **fields)

    def linear(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        weight: Codes,
        weight_scale: Reals,
        weight_zero: Integers,
        bias: Reals,
        profile: str,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        _check_units(profile, x_scale * weight_scale)
        steps = (weight - weight_zero[:, None]) * weight_scale[:, None]
        y = linear((x - x_zero)[None] * x_scale, steps, bias)[0]
        return _codes(y, scale, zero_point, qmin, qmax)

    def conv_integer(
        self, *, x: Codes, x_zero: int, weight: Codes, weight_zero: Integers, **windows: Any
    ) -> Array:
        """Spec: AQ-ACC-1: exact in float64, then int32, which wraps."""
        steps = (weight - weight_zero.reshape(-1, 1, 1, 1)).astype(np.float64)
        groups = windows.pop("groups")
        acc = conv2d((x - x_zero)[None] * 1.0, steps, groups=groups, **_geometry(windows))
        return acc[0].astype(np.int64).astype(np.int32)

    def matmul_integer(self, *, a: Codes, a_zero: Integers, b: Codes, b_zero: Integers) -> Array:
        """Spec: AQ-ACC-2."""
        acc = ((a - a_zero[:, None]) * 1.0) @ (b - b_zero)
        return acc.astype(np.int64).astype(np.int32)

    def add_tensors(
        self,
        *,
        a: Codes,
        a_scale: float,
        a_zero: int,
        b: Codes,
        b_scale: float,
        b_zero: int,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        y = (a - a_zero) * a_scale + (b - b_zero) * b_scale
        return _codes(y, scale, zero_point, qmin, qmax)

    def avg_pool2d(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        kernel: tuple[int, int],
        count_padding: int,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        **windows: Any,
    ) -> Array:
        """Spec: AQ-IDEAL-1, AQ-IDEAL-4."""
        real = (x - x_zero)[None] * x_scale
        y = avg_pool(real, kernel, count_padding=bool(count_padding), **_geometry(windows))[0]
        return _codes(y, scale, zero_point, qmin, qmax)

    def max_pool2d(self, *, x: Codes, kernel: tuple[int, int], **windows: Any) -> Array:
        """Spec: AQ-IDEAL-4."""
        pooled = max_pool(x[None].astype(np.float64), kernel, **_geometry(windows))
        return pooled[0].astype(np.int64)

    def bordered_conv2d(
        self,
        *,
        x: Codes,
        x_scale: float,
        x_zero: int,
        weight: Codes,
        weight_scale: Reals,
        bias: Reals,
        groups: int,
        relu: int,
        scale: float,
        crossings: Reals,
        least: int,
        **windows: Any,
    ) -> Array:
        """Spec: AQ-IDEAL-1, AQ-BORDER-2."""
        real = (x - x_zero)[None] * x_scale
        steps = weight * weight_scale.reshape(-1, 1, 1, 1)
        y = conv2d(real, steps, groups=groups, **_geometry(windows)) + bias[:, None, None]
        t = (np.maximum(y, 0) if relu else y) / scale
        first = int(np.ceil(crossings[0, 0])) - 1  # the smallest code in steps
        return codes(t, crossings, -first)[0].astype(np.int64) + least

    def fused_conv2d(
        self,
        *,
        u: Codes,
        pad_code: int,
        codes: Codes,
        lift: Integers,
        fusion: Integers,
        zero: int,
        weight: Codes,
        groups: int,
        **windows: Any,
    ) -> Array:
        """Spec: AQ-WINDOW-2, AQ-WINDOW-3."""
        geometry = Windows((1, *u.shape), weight.shape[2:], **_geometry(windows))
        columns = geometry.columns(u[None], pad_code)
        rows = columns.reshape(1, len(u), -1, geometry.positions)
        narrow = WindowBorder(codes.astype(np.uint8), lift, fusion).round(rows).astype(np.float64)
        matrix = weight.reshape(groups, len(weight) // groups, -1).astype(np.float64)
        acc = np.matmul(matrix, (narrow - zero).reshape(groups, -1, geometry.positions))
        return acc.reshape(-1, geometry.out_height, geometry.out_width).astype(np.int64)


def _check_units(profile: str, units: Reals) -> None:
    """Raise NotImplementedError for what float64 does not compute exactly."""
    if profile != "ideal":
        raise NotImplementedError(profile)
    mantissas = np.ldexp(np.frexp(units)[0], MOST_UNIT_BITS)
    if (mantissas % 1 != 0).any():
        raise NotImplementedError(f"units of more than {MOST_UNIT_BITS} bits")


def _codes(real: Reals, scale: float, zero_point: int, qmin: int, qmax: int) -> Array:
    """Quantize by AQ-AFFINE-3 to any range, such as that of a fused ReLU."""
    return np.clip(half_up(real / scale) + zero_point, qmin, qmax).astype(np.int64)


def _geometry(windows: dict[str, Any]) -> dict[str, Any]:
    top, bottom, left, right = windows["padding"]
    return {**windows, "padding": ((top, bottom), (left, right))}
