"""Make cases of `avg_pool2d` as other engines compute it.

As with `avg_pool`, some take the mean of stored codes, and others add float32 numbers, so that what
is asked of these is exact in float32, or no mean is beside a tie. Windows have no gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases import avg_pool2d, avg_pool_peers
from aquant_ref.conformance.cases.avg_pool2d import row_of
from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, scale
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

MARGIN = 1 / 64  # of a step; the float32 sum of a small window errs by less
SIDES = ((1, 1, 1, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 1))
APART = (((2, 2), (1, 2)), ((2, 2), (2, 1)), ((1, 2), (2, 1)), ((3, 1), (1, 2)))  # kernel, stride

# Means of stored codes: one scale and zero point


def _alike(row: Row) -> Row:
    return {**row, "scale": row["x_scale"], "zero_point": row["x_zero"]}


def _halves(draw: CaseRandom, selection: Selection, *, beside: int = 0) -> Row:
    """Draw windows with half of their pixels one above the others, then move two pixels apart."""
    ends, unit = code_range(draw, selection), scale(draw)
    kernel = draw.pick(((2, 2), (1, 2), (2, 1), (2, 3)))
    row = row_of(draw, ends, unit, unit, size=(4, 6), kernel=kernel)
    (kh, kw), x = kernel, row["x"]
    for top, left in np.ndindex(4 // kh, 6 // kw):
        low = draw.integers(ends[0], ends[1] - 1, (len(x), 1))
        upper = draw.integers(0, 2**30, (len(x), kh * kw)).argsort(axis=1, kind="stable") % 2
        window = low + upper
        room = np.minimum(ends[1] - window[:, 0], window[:, -1] - ends[0])
        apart = draw.integers(0, 2**30, (len(x),)) % (room + 1)
        window[:, 0] += apart
        window[:, -1] -= apart
        away = beside * draw.pick((-1, 1))
        fits = (ends[0] <= window[:, 0] + away) & (window[:, 0] + away <= ends[1])
        window[:, 0] += np.where(fits, away, -away)
        x[:, top * kh : top * kh + kh, left * kw : left * kw + kw] = window.reshape(-1, kh, kw)
    return _alike(row)


def _without_ties(draw: CaseRandom, selection: Selection, *, padded: bool, counts: int = 0) -> Row:
    """Draw codes that differ from the zero point by multiples of 4.

    So no mean of 2, 3, 4, 6 or 9 is a tie. Codes of 2 bits differ by 2, and windows have 3 pixels.
    """
    ends, unit = code_range(draw, selection), scale(draw)
    wide = ends[1] - ends[0] > 8
    kernel = draw.pick(((2, 3), (3, 2), (3, 3)) if wide else ((1, 3), (3, 1)))
    row = row_of(
        draw,
        ends,
        unit,
        unit,
        size=draw.pick(((3, 4), (4, 3))),
        kernel=kernel,
        stride=draw.pick(((1, 2), (2, 1))),
        padding=_padding_of(draw, kernel) if padded else (0, 0, 0, 0),
        count_padding=counts,
    )
    zero, step = row["x_zero"], 4 if wide else 2
    row["x"] = zero + (row["x"] - zero) // step * step
    row["x"] += step * (row["x"] < ends[0])
    return _alike(row)


def _padding_of(draw: CaseRandom, kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    """Draw sides narrower than the kernel."""
    top, bottom, left, right = draw.pick(SIDES)
    high, wide = kernel[0] > 1, kernel[1] > 1
    return top * high, bottom * high, left * wide, right * wide


def _stored_relu(draw: CaseRandom, selection: Selection) -> Row:
    row = _without_ties(draw, selection, padded=False)
    return {**row, "qmin": row["zero_point"]}


def _odd_count(draw: CaseRandom, selection: Selection) -> Row:
    return _alike(avg_pool2d.odd_count(draw, selection))


def _stored_end(draw: CaseRandom, selection: Selection) -> Row:
    return _alike({**avg_pool2d.range_end(draw, selection), "count_padding": 0})


def _unlike(draw: CaseRandom, selection: Selection) -> Row:
    row = _without_ties(draw, selection, padded=False)
    return {**row, "scale": row["x_scale"] * draw.pick((0.5, 2.0, 1 + 2.0**-23))}


def _no_scale(draw: CaseRandom, selection: Selection) -> Row:
    bad = draw.pick((1e-46, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0))
    row = _without_ties(draw, selection, padded=False)
    return {**row, "x_scale": bad, "scale": bad}


# Means of real numbers


def _exact(draw: CaseRandom, selection: Selection, *, beside: int = 0, whole: bool = False) -> Row:
    """Draw ties in steps of the result; the input's step is a power of two."""
    row = avg_pool2d.ties(draw, selection, beside=beside, whole=whole)
    unit = float(np.ldexp(1.0, int(np.frexp(row["x_scale"])[1])))
    return {**row, "x_scale": unit, "scale": 2 * unit, "count_padding": 0}


def _clear(
    draw: CaseRandom,
    selection: Selection,
    *,
    padded: bool = False,
    counts: int = 0,
    relu: bool = False,
) -> Row:
    """Draw any codes, and a scale of the result by which no mean is beside a tie."""
    ends, (kernel, stride) = code_range(draw, selection), draw.pick(APART)
    row = row_of(
        draw,
        ends,
        scale(draw, -8, -7),
        0.0,
        size=draw.pick(((3, 4), (4, 3))),
        kernel=kernel,
        stride=stride,
        padding=_padding_of(draw, kernel) if padded else (0, 0, 0, 0),
        count_padding=counts,
    )
    row["qmin"] = row["zero_point"] if relu else row["qmin"]
    means = _means(row)
    while True:
        row["scale"] = scale(draw, -8, -7)
        real = means * row["x_scale"] / row["scale"]
        if (abs(real - np.floor(real) - 0.5) > MARGIN).all():
            return row


def _means(row: Row) -> Array:
    """Return the means of centred codes, in float64."""
    top, bottom, left, right = row["padding"].tolist()
    sides = ((0, 0), (top, bottom), (left, right))
    (kh, kw), (sh, sw) = row["kernel"].tolist(), row["stride"].tolist()

    def sums(x: Array) -> Array:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, sides), (kh, kw), axis=(1, 2))
        return windows[:, ::sh, ::sw].sum(axis=(3, 4))

    pixels = kh * kw if row["count_padding"] else sums(np.ones_like(row["x"]))
    return np.asarray(sums(row["x"] - row["x_zero"]) / pixels)


OWN = {f.flag: f for f in avg_pool2d.FAMILIES}
OF_STORED, OF_REAL = (
    {f.flag: f for f in kinds} for kinds in (avg_pool_peers.STORED, avg_pool_peers.REAL)
)


def _family(of: dict[str, Family], flag: str, make: Callable[..., Row]) -> Family:
    return replace(of[flag], make=by_case(make))


REFUSED = (_family(OF_STORED, "no_scale", _no_scale), OWN["empty_window"])
STORED = (
    _family(OF_STORED, "tie", _halves),
    _family(OF_STORED, "near_tie", partial(_halves, beside=1)),
    _family(OWN, "odd_count", _odd_count),
    _family(OWN, "padding_does_not_count", partial(_without_ties, padded=True)),
    _family(OWN, "range_end", _stored_end),
    _family(OWN, "relu", _stored_relu),
    _family(OF_STORED, "random", partial(_without_ties, padded=False)),
    _family(OF_STORED, "unlike", _unlike),
    *REFUSED,
)
COUNTED = _family(OWN, "padding_counts", partial(_without_ties, padded=True, counts=1))
REAL = (
    _family(OF_REAL, "tie", _exact),
    _family(OF_REAL, "near_tie", partial(_exact, beside=1)),
    Family(
        "whole_image",
        by_case(partial(_exact, whole=True)),
        "the window is the image, and its mean a tie",
        ("round.rule", "zero_point.order", "pool.floor"),
    ),
    _family(OWN, "padding_does_not_count", partial(_clear, padded=True)),
    _family(OWN, "padding_counts", partial(_clear, padded=True, counts=1)),
    _family(OWN, "relu", partial(_clear, relu=True)),
    _family(OF_REAL, "random", _clear),
    *REFUSED,
)
FAMILIES: dict[str, tuple[Family, ...]] = {
    "tflite": STORED,
    **dict.fromkeys(("torch", "qnnpack"), (*STORED, COUNTED)),
    **dict.fromkeys(("onnx", "onnxruntime"), REAL),
}
