"""Cases of `avg_pool2d`: means over windows, by either rule of counting, rounded once."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd, scale, sizes


def pool_parts(
    one: CaseRandom,
    ends: tuple[int, int],
    *,
    size: tuple[int, int] | None = None,
    kernel: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Row:
    """Codes, and windows that are next to each other unless told otherwise."""
    height, width = size or sizes(one)
    kernel = kernel or one.pick(((2, 2), (2, 1), (1, 2), (3, 2)))
    kernel = min(kernel[0], height), min(kernel[1], width)
    return {
        "x": image(one, *ends, one.pick((1, 2, 3)), height, width),
        "kernel": np.array(kernel),
        "stride": np.array(stride or kernel),
        "padding": np.array(padding),
        "dilation": np.array(dilation),
    }


def _row(one: CaseRandom, ends: tuple[int, int], x_scale: float, out: float, **given: Any) -> Row:
    count_padding = given.pop("count_padding", None)
    return {
        **pool_parts(one, ends, **given),
        "x_scale": x_scale,
        "x_zero": odd(one, *ends),
        "count_padding": one.integer(0, 1) if count_padding is None else count_padding,
        "scale": out,
        "zero_point": odd(one, *ends),
        "qmin": ends[0],
        "qmax": ends[1],
    }


def _ties(one: CaseRandom, selection: Selection, *, beside: int = 0) -> Row:
    """The first pixel of each window makes its sum `count` * (2k + 1), in steps of half a code."""
    unit = scale(one)
    ends = code_range(one, selection)
    row = _row(one, ends, unit, 2 * unit)
    (kh, kw), x = row["kernel"].tolist(), row["x"]
    for top in range(0, x.shape[1] - kh + 1, kh):
        for left in range(0, x.shape[2] - kw + 1, kw):
            window = x[:, top : top + kh, left : left + kw]
            rest = window.sum(axis=(1, 2)) - window[:, 0, 0] - kh * kw * row["x_zero"]
            near = (rest + window[:, 0, 0]) // (2 * kh * kw)
            away = beside * one.pick((-1, 1))
            x[:, top, left] = np.clip(kh * kw * (2 * near + 1) - rest + away, *ends)
    return row


def _odd_count(one: CaseRandom, selection: Selection) -> Row:
    """Sums on both sides of count * (k + 1/2): with an odd count no mean is a tie."""
    unit = scale(one)
    ends = code_range(one, selection)
    row = _row(one, ends, unit, unit, size=(5, 7), kernel=one.pick(((5, 5), (3, 7), (5, 7))))
    x = row["x"]
    (kh, kw), low = row["kernel"].tolist(), one.integer(ends[0], ends[1] - 1)
    place = one.integers(0, kh * kw - 1, (len(x), kh * kw)).argsort(axis=1, kind="stable")
    upper = place < kh * kw // 2 + one.integers(0, 1, (len(x), 1))
    x[:, :kh, :kw] = low + upper.reshape(len(x), kh, kw)
    return row


def _padded(one: CaseRandom, selection: Selection, *, count_padding: int) -> Row:
    unit = scale(one)
    padding = one.pick(((1, 1, 1, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 1)))
    return _row(
        one,
        code_range(one, selection),
        unit,
        unit,
        size=one.pick(((2, 3), (3, 2))),
        kernel=(2, 3) if padding[2] + padding[3] else (2, 2),
        stride=(1, 2),
        padding=padding,
        count_padding=count_padding,
    )


def _apart(one: CaseRandom, selection: Selection) -> Row:
    """Windows that overlap, leave pixels out, or have gaps inside."""
    stride, dilation = one.pick((((1, 2), (1, 1)), ((2, 1), (1, 2)), ((1, 3), (2, 1))))
    return _row(
        one,
        code_range(one, selection),
        *(scale(one, -6, -6), scale(one, -7, -6)),
        size=(4, 5),
        kernel=(2, 2),
        stride=stride,
        dilation=dilation,
    )


def _random(one: CaseRandom, selection: Selection, *, relu: bool = False) -> Row:
    scales = scale(one, -8, -6), scale(one, -8, -6)
    row = _row(one, code_range(one, selection), *scales)
    return {**row, "qmin": row["zero_point"]} if relu else row


def _ends(one: CaseRandom, selection: Selection) -> Row:
    unit = scale(one)
    row = _row(one, code_range(one, selection), unit, unit)
    row["x"][:] = row["qmin"] if one.integer(0, 1) else row["qmax"]
    return row


def empty_window(one: CaseRandom, selection: Selection) -> Row:
    """A window that meets padding alone."""
    ends = code_range(one, selection)
    return _row(
        one, ends, *(scale(one), scale(one)), size=(2, 3), kernel=(1, 2), padding=(1, 0, 0, 0)
    )


FAMILIES = (
    Family(
        "tie",
        by_case(_ties),
        "means are k + 1/2 steps exactly",
        ("round.rule", "pool.floor", "zero_point.order"),
    ),
    Family(
        "near_tie",
        by_case(partial(_ties, beside=1)),
        "sums beside such ties",
        ("pool.reciprocal", "pool.floor", "round.twice", "pool.stored"),
    ),
    Family(
        "odd_count",
        by_case(_odd_count),
        "windows of 21, 25 and 35 pixels, sums on both sides of half a step",
        ("pool.reciprocal", "pool.floor", "round.twice"),
    ),
    Family(
        "padding_counts",
        by_case(partial(_padded, count_padding=1)),
        "padding is counted, and is the zero point",
        ("pool.count", "zero_point.padding", "axis.padding"),
    ),
    Family(
        "padding_does_not_count",
        by_case(partial(_padded, count_padding=0)),
        "windows at the edges have fewer pixels",
        ("pool.count", "zero_point.padding", "axis.padding"),
    ),
    Family(
        "windows_apart",
        by_case(_apart),
        "strides and dilations that differ by axis",
        ("axis.stride", "axis.dilation", "axis.kernel"),
    ),
    Family(
        "range_end",
        by_case(_ends),
        "all codes at an end of their range",
        ("clamp.wrap", "accumulator.narrow", "clamp.levels"),
    ),
    Family(
        "relu",
        by_case(partial(_random, relu=True)),
        "qmin is the zero point",
        ("clamp.relu", "clamp.dropped"),
    ),
    Family(
        "random",
        by_case(_random),
        "any codes, unequal scales, odd zero points",
        ("zero_point.missing", "add.one_scale", "axis.layout", "pool.stored"),
    ),
    Family(
        "empty_window",
        by_case(empty_window),
        "a window of nothing but padding",
        ("input.accepted",),
        rejects=True,
    ),
)
