"""Layers written as a row of steps, each of which a fault or a variant can replace.

As it stands it is right, in each variation of requantization. Written apart from the package: numpy
and its float64 alone, int64 where integers are meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.faults.arithmetic import F, up
from aquant_ref.conformance.faults.layer_engines import ENGINES, by_engine
from aquant_ref.conformance.faults.rescaling import RESCALED
from aquant_ref.typing import Array


@lru_cache(4096)  # each candidate of a diagnosis asks for those of the same channels
def rescaling(profile: str, unit: float, scale: float, zero: int) -> Callable[[int], int]:
    """Return the function from an accumulator to steps of the result, in a variation."""
    return RESCALED[profile](F(unit) / F(scale), zero)


class Layers(Adapter):
    """An adapter with the operations on tensors, but for programs; `steps` replace its own."""

    def __init__(self, name: str = "", profile: str = "ideal", **steps: Callable[..., Any]) -> None:
        self.name, self._profile = name, profile
        assert all(hasattr(self, step) for step in steps), steps
        vars(self).update(steps)

    def capabilities(self) -> Capabilities:
        named = f":{self._profile}"
        alternatives = tuple(each for each in contract.EVERY_CHOICE if each.endswith(named))
        if self._profile in contract.LAYER_VARIATIONS:
            return Capabilities(requantization=(self._profile,), variations=alternatives)
        return Capabilities(requantization=("ideal",), variations=alternatives)

    # Steps of a layer

    def pad(self, x: Array, zero: int, padding: Any) -> Array:
        """What is padded is the code of real zero."""
        top, bottom, left, right = padding
        return np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=zero)

    def columns(self, x: Array, kernel: Any, stride: Any, dilation: Any) -> Array:
        """(C, kh, kw, OH, OW) of a padded image."""
        (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
        height = (x.shape[1] - (kh - 1) * dh - 1) // sh + 1
        width = (x.shape[2] - (kw - 1) * dw - 1) // sw + 1
        out = np.empty((len(x), kh, kw, height, width), x.dtype)
        for i in range(kh):
            for j in range(kw):
                out[:, i, j] = x[:, i * dh :: sh, j * dw :: sw][:, :height, :width]
        return out

    def centre(self, codes: Array, zero: Any) -> Array:
        return codes - zero

    def centre_weight(self, weight: Array, zero: Array) -> Array:
        return weight - np.reshape(zero, (-1, *(1,) * (weight.ndim - 1)))

    def kernel(self, weight: Array) -> Array:
        return weight

    def product(self, weight: Array, columns: Array) -> Array:
        """(O, K) @ (K, P)."""
        return weight @ columns

    def assign(self, columns: Array, groups: int) -> Array:
        """(groups, K, P) of (C, kh, kw, OH, OW)."""
        return columns.reshape(groups, -1, columns.shape[3] * columns.shape[4])

    def unit(self, x_scale: float, weight_scale: Array) -> Array:
        return x_scale * weight_scale

    def bias(self, bias: Array, x_scale: float, weight_scale: Array) -> Array:
        """In units."""
        return np.rint(bias / (x_scale * weight_scale)).astype(np.int64)

    def total(self, acc: Array, bias: Array) -> Array:
        """(O, P) and (O,)."""
        return acc + bias[:, None]

    def rescale(self, total: Array, unit: Array, f: dict[str, Any]) -> Array:
        """In steps of the result, rounded, in the variation of the layer."""
        profile, zero = f.get("profile", "ideal"), f["zero_point"]
        rows = zip(total.tolist(), unit.tolist(), strict=True)
        steps = [list(map(rescaling(profile, u, f["scale"], zero), row)) for row, u in rows]
        return np.array(steps, np.int64).reshape(total.shape)

    def engine(self, acc: Array, f: dict[str, Any]) -> Array:
        """In steps of the result, rounded, of accumulators (O, P) without the bias."""
        return by_engine(ENGINES[f["profile"]], acc, f)

    def clip(self, steps: Array, zero_point: int, qmin: int, qmax: int) -> Array:
        return np.clip(steps + zero_point, qmin, qmax)

    def after(self, q: Array, bias: Array, scale: float) -> Array:
        return q

    # Operations

    def convolution(self, x: Array, zero: int, weight: Array, groups: int, **windows: Any) -> Array:
        """Accumulators (O, OH, OW) of codes and weights."""
        padded = self.pad(x, zero, windows["padding"])
        kernel = weight.shape[2:]
        columns = self.columns(
            self.centre(padded, zero), kernel, windows["stride"], windows["dilation"]
        )
        rows = self.kernel(weight).reshape(groups, len(weight) // groups, -1)
        parts = zip(rows, self.assign(columns, groups), strict=True)
        acc = np.stack([self.product(w, c) for w, c in parts])
        return acc.reshape(len(weight), *columns.shape[3:])

    def finished(self, acc: Array, layer: dict[str, Any]) -> Array:
        if layer.get("profile") in ENGINES:
            steps = self.engine(acc.reshape(len(acc), -1), layer)
            ends = (layer[name] for name in ("zero_point", "qmin", "qmax"))
            return self.clip(steps, *ends).reshape(acc.shape)
        scales = layer["x_scale"], layer["weight_scale"]
        total = self.total(acc.reshape(len(acc), -1), self.bias(layer["bias"], *scales))
        steps = self.rescale(total, self.unit(*scales), layer)
        q = self.clip(steps, layer["zero_point"], layer["qmin"], layer["qmax"])
        return self.after(q, layer["bias"], layer["scale"]).reshape(acc.shape)

    def conv2d(self, **layer: Any) -> Array:
        steps = self.centre_weight(layer["weight"], layer["weight_zero"])
        keys = ("groups", "stride", "padding", "dilation")
        acc = self.convolution(layer["x"], layer["x_zero"], steps, **{k: layer[k] for k in keys})
        return self.finished(acc, layer)

    def depthwise(self, **layer: Any) -> Array:
        return self.conv2d(groups=len(layer["x"]), **layer)

    def linear(self, **layer: Any) -> Array:
        steps = self.centre_weight(layer["weight"], layer["weight_zero"])
        x = self.centre(layer["x"], layer["x_zero"])
        return self.finished(self.product(self.kernel(steps), x[:, None])[:, 0], layer)

    def matmul(self, **f: Any) -> Array:
        pairs = zip(self.centre(f["a"], f["a_zero"]), self.centre(f["b"], f["b_zero"]), strict=True)
        acc = np.stack([self.product(self.kernel(a), b) for a, b in pairs])
        rows = self.total(acc.reshape(len(acc), -1), np.zeros(len(acc), np.int64))
        steps = self.rescale(rows, self.unit(f["a_scale"], np.full(len(acc), f["b_scale"])), f)
        return self.clip(steps, f["zero_point"], f["qmin"], f["qmax"]).reshape(acc.shape)

    def narrowed(self, acc: Array) -> Array:
        """To int32, which wraps."""
        return acc.astype(np.int32)

    def conv_integer(self, *, weight: Array, weight_zero: Array, **f: Any) -> Array:
        steps = self.centre_weight(weight, weight_zero)
        acc = self.convolution(f.pop("x"), f.pop("x_zero"), steps, **f)
        return self.narrowed(acc)

    def zeros_of_rows(self, a_zero: Array, b_zero: Array) -> Array:
        return a_zero

    def matmul_integer(self, *, a: Array, a_zero: Array, b: Array, b_zero: Array) -> Array:
        rows = self.centre(a, self.zeros_of_rows(a_zero, b_zero)[:, None])
        columns = self.centre_weight(self.kernel(b).T, b_zero).T
        return self.narrowed(self.product(rows, columns))

    def term(self, codes: Array, scale: float, zero: int) -> Array:
        return (codes - zero) * scale

    def sum(self, a: Array, b: Array, f: dict[str, Any]) -> Array:
        return a + b

    def add_tensors(self, **f: Any) -> Array:
        a, b = (self.term(f[k], f[f"{k}_scale"], f[f"{k}_zero"]) for k in ("a", "b"))
        steps = np.floor(self.sum(a, b, f) / f["scale"] + 0.5).astype(np.int64)
        return self.clip(steps, f["zero_point"], f["qmin"], f["qmax"])

    def mean(self, total: Array, count: Array, f: dict[str, Any]) -> Array:
        """In steps of the result, rounded, of sums of centred codes."""
        ratio = F(f["x_scale"]) / F(f["scale"])
        both = zip(total.flat, np.broadcast_to(count, total.shape).flat, strict=True)
        return np.array([up(F(int(t), int(n)) * ratio) for t, n in both]).reshape(total.shape)

    def counts(self, x: Array, f: dict[str, Any]) -> Array:
        if f["count_padding"]:
            return np.array(math.prod(f["kernel"]))
        ones = self.pad(np.ones_like(x), 0, f["padding"])
        return self.columns(ones, f["kernel"], f["stride"], f["dilation"]).sum(axis=(1, 2))

    def avg_pool2d(self, **f: Any) -> Array:
        centred = self.centre(self.pad(f["x"], f["x_zero"], f["padding"]), f["x_zero"])
        columns = self.columns(centred, f["kernel"], f["stride"], f["dilation"])
        steps = self.mean(columns.sum(axis=(1, 2)), self.counts(f["x"], f), f)
        return self.clip(steps, f["zero_point"], f["qmin"], f["qmax"])

    def least(self, x: Array) -> int:
        """What is padded before a maximum."""
        return -(2**31)

    def max_pool2d(self, *, x: Array, kernel: Any, padding: Any, **windows: Any) -> Array:
        padded = self.pad(x, self.least(x), padding)
        return self.columns(padded, kernel, **windows).max(axis=(1, 2))

    # Borders

    def reached(self, values: Array, rows: Array) -> Array:
        """(O, ...) against (O, K)."""
        shape = (len(rows), *(1,) * (values.ndim - 1))
        return sum((values >= row.reshape(shape)).astype(np.int64) for row in rows.T)

    def thresholds(self, *, acc: Array, thresholds: Array, least: int) -> Array:
        return self.reached(acc, thresholds) + least

    def steps(self, real: Array, f: dict[str, Any]) -> Array:
        """What is compared with crossings."""
        return real / f["scale"]

    def relu(self, real: Array, f: dict[str, Any]) -> Array:
        return np.maximum(real, 0)

    def bordered_conv2d(self, **f: Any) -> Array:
        keys = ("groups", "stride", "padding", "dilation")
        acc = self.convolution(f["x"], f["x_zero"], f["weight"], **{k: f[k] for k in keys})
        unit = self.unit(f["x_scale"], f["weight_scale"]).reshape(-1, 1, 1)
        real = acc * unit + f["bias"].reshape(-1, 1, 1)
        real = self.relu(real, f) if f["relu"] else real
        return self.reached(self.steps(real, f), f["crossings"]) + f["least"]

    def rows(self, columns: Array) -> Array:
        """The row of the tables for each element of the windows, (C, kh, kw)."""
        return np.arange(math.prod(columns.shape[:3])).reshape(columns.shape[:3])

    def looked_up(self, table: Array, rows: Array, wide: Array) -> Array:
        rows = rows if len(table) > 1 else np.zeros_like(rows)
        return table[rows[..., None, None], wide]

    def fused(self, shares: Array) -> Array:
        """(C, kh, kw, OH, OW) summed over what is fused."""
        return shares.sum(axis=(1, 2), keepdims=True)

    def up(self, lift: Array, total: Array) -> Array:
        return lift >= total

    def wide_zero(self, f: dict[str, Any]) -> int:
        return int(f["pad_code"])

    def fused_conv2d(self, **f: Any) -> Array:
        wide = self.columns(
            self.pad(f["u"], self.wide_zero(f), f["padding"]),
            f["weight"].shape[2:],
            f["stride"],
            f["dilation"],
        )
        rows = self.rows(wide)
        tables = {k: self.looked_up(f[k], rows, wide) for k in ("codes", "lift", "fusion")}
        narrow = tables["codes"] + self.up(tables["lift"], self.fused(tables["fusion"]))
        columns = self.assign(self.centre(narrow, f["zero"]), f["groups"])
        weight = self.kernel(f["weight"]).reshape(f["groups"], -1, columns.shape[1])
        acc = np.stack([self.product(w, c) for w, c in zip(weight, columns, strict=True)])
        return acc.reshape(len(f["weight"]), *wide.shape[3:])


RIGHT = Layers()
