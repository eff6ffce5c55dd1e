"""Claim 2: sample learned borders, their distance from nearest, and whether t - B(t) is monotone.

The paper claims that the border is a simple function of the activation. A tensor with its own
border has one function B(t), or one for each channel; a convolution that rounds in windows has one
function, or one for each channel or each row of its im2col matrix (SPEC.md, AQ-BORDER, AQ-WINDOW).
t = x/s counts steps of the scale; it is rounded up where frac(t) >= B(t).

A *fused* border also depends on the other positions of its window. Its curve is B of a window that
holds t everywhere. For monotonicity only t varies: the share of the other positions in F is then a
constant, and the test is repeated for `HELD` values of it, evenly from the least to the largest.
With *feedback*, the curve is B0, before the error is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.nn.windows import pair
from aquant_ref.ptq.network import LearnedNetwork, every_row
from aquant_ref.quant.border import BORDER_MIN, border, crossings, relative
from aquant_ref.typing import Array, Reals

PER_CELL = 16  # values of t in each unit cell, including its lower end
CELLS = 256  # with more cells, the values of t are spread evenly over all of them
HELD = 9  # values of the share of the other positions, for a fused border
QUANTILES = (5, 25, 50, 75, 95)  # in %


@dataclass(frozen=True)
class BorderShape:
    """The borders of tensor or convolution `name` over the codes `low`..`high`, in steps.

    `curves` (functions, T) are B at the T values `t`. `not_monotone` counts the functions with
    dB/dt > 1 at one of these t, where t - B(t) falls; `not_single` counts those of them that have a
    cell with more than one crossing, where the code goes up, down and up again. `held` is the range
    of the share that the other positions of a window can have in the F of a fused border.
    """

    name: str
    kind: str
    low: int
    high: int
    t: Reals
    curves: Reals
    not_monotone: int
    not_single: int
    held: tuple[float, float] | None = None

    @property
    def functions(self) -> int:
        """The number of functions."""
        return len(self.curves)

    @property
    def count(self) -> str:
        """The number of functions and their kind: "16 channels"."""
        what, comma, rest = self.kind.partition(",")
        return f"{self.functions} {what}{'s' if self.functions != 1 else ''}{comma}{rest}"

    @property
    def mean(self) -> Reals:
        """The mean of B over the functions, (T,)."""
        return np.asarray(self.curves.mean(axis=0))

    @property
    def quantiles(self) -> Reals:
        """The QUANTILES of B over the functions, (5, T), interpolated between two functions."""
        return np.asarray(np.percentile(self.curves, QUANTILES, axis=0))

    @property
    def distance(self) -> tuple[float, float]:
        """The mean and the largest |B - 1/2| over functions and t."""
        distance = abs(self.curves - 0.5)
        return float(distance.mean()), float(distance.max())

    def result(self) -> dict[str, Any]:
        """Return everything but the single curves, as plain JSON values."""
        mean, largest = self.distance
        return {
            "name": self.name,
            "kind": self.kind,
            "functions": self.functions,
            "range": [self.low, self.high],
            "t": self.t.tolist(),
            "mean": self.mean.tolist(),
            "quantiles": dict(zip(map(str, QUANTILES), self.quantiles.tolist(), strict=True)),
            "mean_distance_from_half": mean,
            "largest_distance_from_half": largest,
            "not_monotone": self.not_monotone,
            "not_single_crossing": self.not_single,
            "held": self.held,
        }


def shapes(network: LearnedNetwork) -> list[BorderShape]:
    """Sample every border of `network`, in the order of its nodes.

    Raises InputError if the network has no border.
    """
    borders = [shape for node in network.graph.nodes for shape in _shapes(network, node.name)]
    if not borders:
        raise InputError(
            "claim 2: no border was learned: the method has no border, or too few iterations to "
            "learn it (a second pass gets 2/5 of them)"
        )
    return borders


def _shapes(network: LearnedNetwork, name: str) -> Iterator[BorderShape]:
    tensor = network.tensors.get(name)
    if tensor is not None and tensor.coefficients is not None:
        axis = _Axis(tensor.bits, tensor.zero_point, tensor.squash)
        kind = "channel" if len(tensor.coefficients) > 1 else "tensor"
        yield _shape(name, kind, axis, tensor.coefficients.astype(np.float64), None, 1)
    window = network.windows.get(name)
    if window is not None:
        node = network.graph.node(name)
        source = network.source(node.inputs[0])
        assert source is not None
        tensor = network.tensors[source]
        axis = _Axis(tensor.bits, tensor.zero_point, window.squash)
        kernel = int(np.prod(pair(node["kernel"])))
        channels = network.graph.shapes[node.inputs[0]][0]
        count = len(window.coefficients)
        kind = {1: "tensor", channels: "channel"}.get(count, "row")
        coefficients = window.coefficients.astype(np.float64)
        fusion = None
        if window.fusion is not None:
            coefficients = every_row(coefficients, channels * kernel)
            fusion = every_row(window.fusion.astype(np.float64), channels * kernel)
            kind += ", fused"
        if window.feedback:
            kind += ", feedback"
        yield _shape(name, kind, axis, coefficients, fusion, kernel)


class _Axis:
    """The values of t at which the borders of one quantizer are sampled."""

    def __init__(self, bits: int, zero_point: int, squash: str) -> None:
        self.bits, self.zero_point, self.squash = bits, zero_point, squash
        self.qmax = 2**bits - 1
        self.low, self.high = -zero_point, self.qmax - zero_point
        points = min(self.qmax, CELLS) * PER_CELL + 1
        self.t: Array = np.linspace(self.low, self.high, points)

    def border(self, coefficients: Reals) -> Reals:
        """Return B (functions, T)."""
        t = np.broadcast_to(self.t[:, None], (len(self.t), len(coefficients)))
        options: dict[str, Any] = {"zero_point": self.zero_point, "squash": self.squash}
        return border(t, coefficients, self.qmax, **options).T

    def slope(self, coefficients: Reals) -> Reals:
        """Return dB/dt (functions, T) in 1/step; 0 where B is clipped to its range."""
        b = self.border(coefficients)
        tau = relative(self.t, self.qmax, self.zero_point)
        linear, quadratic = np.pad(coefficients, ((0, 0), (0, 3 - coefficients.shape[1]))).T[1:]
        dp = (linear[:, None] + 2 * quadratic[:, None] * tau) / max(-self.low, self.high)
        factor = 4 * b * (1 - b) if self.squash == "sigmoid" else 1.0
        return np.asarray(np.where((b > BORDER_MIN) & (b < 1), factor * dp, 0.0))

    def single(self, coefficients: Reals) -> bool:
        """Return whether one function, (1, n), has a single crossing in each cell."""
        try:
            crossings(coefficients, self.bits, zero_point=self.zero_point, squash=self.squash)
        except InputError:
            return False
        return True


def _shape(
    name: str, kind: str, axis: _Axis, coefficients: Reals, fusion: Reals | None, kernel: int
) -> BorderShape:
    curve = position = np.pad(coefficients, ((0, 0), (0, 3 - coefficients.shape[1])))
    least: Reals = np.zeros(len(coefficients))
    most = least
    if fusion is not None:
        by_channel = fusion.reshape(-1, kernel, 3) / kernel
        curve = position + np.repeat(by_channel.sum(axis=1), kernel, axis=0)
        position = position + fusion / kernel
        least, most = _range_of_others(by_channel, axis)
    not_monotone = np.zeros(len(coefficients), bool)
    not_single = np.zeros(len(coefficients), bool)
    for fraction in np.linspace(0, 1, HELD if fusion is not None else 1):
        held = position.copy()
        held[:, 0] += least + fraction * (most - least)
        steep = (axis.slope(held) > 1).any(axis=1)
        not_monotone |= steep
        for row in np.flatnonzero(steep & ~not_single):
            not_single[row] = not axis.single(held[row : row + 1])
    return BorderShape(
        name,
        kind,
        axis.low,
        axis.high,
        axis.t,
        axis.border(curve),
        int(not_monotone.sum()),
        int(not_single.sum()),
        None if fusion is None else (float(least.min()), float(most.max())),
    )


def _range_of_others(by_channel: Reals, axis: _Axis) -> tuple[Reals, Reals]:
    """Bound the sum of g0 + g1*tau + g2*tau^2 over the other positions: least and most, (R,) each.

    `by_channel` is (C, kh*kw, 3); each position has its own tau, anywhere in its range.
    """
    ends = relative(np.array([axis.low, axis.high], np.float64), axis.qmax, axis.zero_point)
    g0, g1, g2 = np.moveaxis(by_channel, 2, 0)
    vertex = np.clip(-g1 / np.where(g2 == 0, 1, 2 * g2), *ends)
    values = np.stack([g0 + tau * (g1 + tau * g2) for tau in (ends[0], ends[1], vertex)])
    least, most = values.min(axis=0), values.max(axis=0)
    return tuple((each.sum(axis=1, keepdims=True) - each).ravel() for each in (least, most))
