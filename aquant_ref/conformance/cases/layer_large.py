"""Draw layers of any size, whose tensors are recipes, and scales that keep their sums in sight.

The bias of a channel is small: it brings one element to the accumulator that is next to a tie. So
the sums come from products, and one unit more or less changes a code.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.recipe import Recipe, array_of
from aquant_ref.conformance.cases.tensors import Row, snapped
from aquant_ref.conformance.expected import sums
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Ends = tuple[int, int]
Parts = Callable[..., Row]
MOST_BIASES = 24  # of more channels, only so many have a bias
MANTISSA = 2048  # of scales, the smallest: 12 bits
FILLED = Fraction(4, 5)  # of the range of codes, by the elements


def seeded(draw: CaseRandom, shape: tuple[int, ...], low: int, high: int, **more: Any) -> Recipe:
    """Return a recipe with a seed of its own."""
    return Recipe(shape, low, high, draw.integer(0, 2**32 - 1), **more)


def weight_ends(ends: Ends) -> Ends:
    """Return the range of signed weights of at most 8 bits."""
    end = 1 << min((ends[1] - ends[0]).bit_length(), 8) - 1
    return -end, end - 1


def inner(draw: CaseRandom, low: int, high: int) -> int:
    """Draw an odd code of the middle half of a range, as far as there is one."""
    quarter = (high - low) // 4
    return min(max(draw.integer(low + quarter, high - quarter) | 1, low), high)


def conv(
    draw: CaseRandom,
    ends: Ends,
    *,
    products: int = 6,
    outputs: int = 3,
    rows: int = 1,
    columns: int = 3,
    kernel: tuple[int, int] | None = None,
) -> Row:
    """Draw a convolution that has so many products to a sum, output channels, rows and columns."""
    if kernel is None:
        fitting = [k for k in ((1, 1), (2, 2), (3, 3), (1, 3)) if products % prod(k) == 0]
        kernel = draw.pick(fitting)
    kh, kw = kernel
    inputs = products // (kh * kw)
    return {
        "x": seeded(draw, (inputs, rows + kh - 1, columns + kw - 1), *ends),
        "x_zero": inner(draw, *ends),
        "weight": seeded(draw, (outputs, inputs, kh, kw), *weight_ends(ends)),
        "stride": np.array((1, 1)),
        "padding": np.array((0, 0, 0, 0)),
        "dilation": np.array((1, 1)),
        "groups": 1,
    }


def depthwise(
    draw: CaseRandom,
    ends: Ends,
    *,
    outputs: int = 3,
    rows: int = 1,
    columns: int = 3,
    kernel: tuple[int, int] | None = None,
) -> Row:
    """Draw a depthwise convolution with one weight for each channel and place of the kernel."""
    kernel = kernel or draw.pick(((2, 2), (3, 3), (1, 3)))
    row = conv(
        draw,
        ends,
        products=prod(kernel),
        outputs=outputs,
        rows=rows,
        columns=columns,
        kernel=kernel,
    )
    shape = outputs, *row["x"].shape[1:]
    del row["groups"]
    return {**row, "x": seeded(draw, shape, *ends)}


def linear(draw: CaseRandom, ends: Ends, *, products: int = 6, outputs: int = 3) -> Row:
    """Draw a linear layer with so many inputs and outputs."""
    return {
        "x": seeded(draw, (products,), *ends),
        "x_zero": inner(draw, *ends),
        "weight": seeded(draw, (outputs, products), *weight_ends(ends)),
    }


def accumulators(row: Row) -> Array:
    """Compute the sums of products (O, positions) in int64."""
    x, weight = array_of(row["x"]) - row["x_zero"], array_of(row["weight"])
    if "weight_zero" in row:
        weight = weight - row["weight_zero"].reshape(-1, *(1,) * (weight.ndim - 1))
    if x.ndim == 1:
        return np.asarray((weight @ x)[:, None])
    top, bottom, left, right = row["padding"].tolist()
    acc = sums.convolved(
        x,
        weight,
        stride=tuple(row["stride"].tolist()),
        padding=((top, bottom), (left, right)),
        dilation=tuple(row["dilation"].tolist()),
        groups=row.get("groups", len(x)),
    )
    return acc.reshape(len(acc), -1)


def fitted(
    row: Row,
    draw: CaseRandom,
    selection: Selection,
    ends: Ends,
    *,
    apart: int = 2,
    bias: bool = True,
    zero_point: int | None = None,
) -> Row:
    """Choose scales, up to `apart` times apart, so that the elements fill most of the range."""
    acc = accumulators(row)
    outputs, positions = acc.shape
    alike = draw.pick(selection.granularity) == "tensor"
    power = draw.integer(-28, -24), draw.integer(-24, -20)
    x_mantissa = draw.integer(MANTISSA, 2 * MANTISSA - 1)
    least = 2 * MANTISSA // apart
    if alike:
        least = draw.integer(least, 2 * MANTISSA - 1)
    mantissas = seeded(draw, (outputs,), least, least if alike else 2 * MANTISSA - 1)
    units = x_mantissa * mantissas.array()  # times 2^(sum of power)
    low, high = _extent(acc * units[:, None])
    steps = ends[1] - ends[0]
    size = max(high - low, high, -low, 1)
    out = snapped(float(size / (FILLED * steps)))
    zero = _centre(draw, ends, low / out, high / out) if zero_point is None else zero_point
    biases = np.zeros(outputs, np.int64)
    chosen = range(outputs) if outputs <= MOST_BIASES else _places(outputs)
    for channel in chosen if bias else ():
        place = draw.integer(0, positions - 1)
        biases[channel] = beside(
            draw, int(acc[channel, place]), Fraction(int(units[channel])) / Fraction(out)
        )
    times = float(np.ldexp(1.0, sum(power)))
    values = (biases * units).tolist()
    sets = tuple((k, k + 1, 1, v) for k, v in enumerate(values) if v)
    return {
        "weight_zero": _nothing(outputs),
        **row,
        "x_scale": float(np.ldexp(x_mantissa, power[0])),
        "weight_scale": Recipe(
            mantissas.shape,
            mantissas.low,
            mantissas.high,
            mantissas.seed,
            times=float(np.ldexp(1.0, power[1])),
        ),
        "bias": Recipe((outputs,), 0, 0, set=sets, times=times),
        "scale": out * times,
        "zero_point": zero,
        "qmin": ends[0],
        "qmax": ends[1],
    }


def beside(draw: CaseRandom, acc: int, m: Fraction) -> int:
    """Return the bias that makes `acc` the accumulator below or above the next tie, never one."""
    tie = (floor(acc * m) + Fraction(1, 2)) / m
    below = floor(tie)
    if draw.integer(0, 1):
        return below + 1 - acc
    return below - acc if below < tie else below - 1 - acc


def _extent(values: Array) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def _centre(draw: CaseRandom, ends: Ends, low: float, high: float) -> int:
    """Return a zero point, odd if it can be, with which the elements low..high are codes."""
    least, most = ends[0] - low, ends[1] - high
    zero = (
        draw.integer(int(np.ceil(least + (most - least) / 4)), int(most - (most - least) / 4)) | 1
    )
    return min(max(zero, ends[0]), ends[1])


def _places(outputs: int) -> list[int]:
    """Choose channels at and beside powers of two, and the last ones."""
    near = {k + d for k in (0, 8, 16, 32, 64, 128, 256) for d in (-1, 0)}
    return sorted(k for k in near | {outputs - 2, outputs - 1} if 0 <= k < outputs)


def _nothing(outputs: int) -> Any:
    return Recipe((outputs,), 0, 0) if outputs > MOST_BIASES else np.zeros(outputs, np.int64)
