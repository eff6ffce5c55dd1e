"""Make cases of `avg_pool2d`: means over windows, by either rule of counting, rounded once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd, scale, sizes

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection


def pool_parts(
    draw: CaseRandom,
    ends: tuple[int, int],
    *,
    size: tuple[int, int] | None = None,
    kernel: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Row:
    """Draw codes, and windows that lie next to each other unless `stride` says otherwise."""
    height, width = size or sizes(draw)
    kernel = kernel or draw.pick(((2, 2), (2, 1), (1, 2), (3, 2)))
    kernel = min(kernel[0], height), min(kernel[1], width)
    return {
        "x": image(draw, *ends, draw.pick((1, 2, 3)), height, width),
        "kernel": np.array(kernel),
        "stride": np.array(stride or kernel),
        "padding": np.array(padding),
        "dilation": np.array(dilation),
    }


def row_of(
    draw: CaseRandom, ends: tuple[int, int], x_scale: float, out: float, **windows: Any
) -> Row:
    """Draw codes and zero points anywhere in one range, and windows as `pool_parts`."""
    count_padding = windows.pop("count_padding", None)
    return {
        **pool_parts(draw, ends, **windows),
        "x_scale": x_scale,
        "x_zero": odd(draw, *ends),
        "count_padding": draw.integer(0, 1) if count_padding is None else count_padding,
        "scale": out,
        "zero_point": odd(draw, *ends),
        "qmin": ends[0],
        "qmax": ends[1],
    }


def ties(draw: CaseRandom, selection: Selection, *, beside: int = 0, whole: bool = False) -> Row:
    """Set the first pixel of each window so that its sum is `count` * (2k + 1) half steps.

    With `whole`, the one window is the image.
    """
    unit = scale(draw)
    ends = code_range(draw, selection)
    size = draw.pick(((2, 3), (3, 2), (1, 4))) if whole else None
    row = row_of(draw, ends, unit, 2 * unit, size=size, kernel=size)
    (kh, kw), x = row["kernel"].tolist(), row["x"]
    for top in range(0, x.shape[1] - kh + 1, kh):
        for left in range(0, x.shape[2] - kw + 1, kw):
            window = x[:, top : top + kh, left : left + kw]
            rest = window.sum(axis=(1, 2)) - window[:, 0, 0] - kh * kw * row["x_zero"]
            near = (rest + window[:, 0, 0]) // (2 * kh * kw)
            away = beside * draw.pick((-1, 1))
            x[:, top, left] = np.clip(kh * kw * (2 * near + 1) - rest + away, *ends)
    return row


def odd_count(draw: CaseRandom, selection: Selection) -> Row:
    """Draw sums on both sides of count * (k + 1/2); with an odd count no mean is a tie."""
    unit = scale(draw)
    ends = code_range(draw, selection)
    row = row_of(draw, ends, unit, unit, size=(5, 7), kernel=draw.pick(((5, 5), (3, 7), (5, 7))))
    x = row["x"]
    (kh, kw), low = row["kernel"].tolist(), draw.integer(ends[0], ends[1] - 1)
    place = draw.integers(0, kh * kw - 1, (len(x), kh * kw)).argsort(axis=1, kind="stable")
    upper = place < kh * kw // 2 + draw.integers(0, 1, (len(x), 1))
    x[:, :kh, :kw] = low + upper.reshape(len(x), kh, kw)
    return row


def _padded(draw: CaseRandom, selection: Selection, *, count_padding: int) -> Row:
    unit = scale(draw)
    padding = draw.pick(((1, 1, 1, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 1)))
    return row_of(
        draw,
        code_range(draw, selection),
        unit,
        unit,
        size=draw.pick(((2, 3), (3, 2))),
        kernel=(2, 3) if padding[2] + padding[3] else (2, 2),
        stride=(1, 2),
        padding=padding,
        count_padding=count_padding,
    )


def _apart(draw: CaseRandom, selection: Selection) -> Row:
    """Draw windows that overlap, leave pixels out, or have gaps inside."""
    stride, dilation = draw.pick((((1, 2), (1, 1)), ((2, 1), (1, 2)), ((1, 3), (2, 1))))
    return row_of(
        draw,
        code_range(draw, selection),
        *(scale(draw, -6, -6), scale(draw, -7, -6)),
        size=(4, 5),
        kernel=(2, 2),
        stride=stride,
        dilation=dilation,
    )


def _random(draw: CaseRandom, selection: Selection, *, relu: bool = False) -> Row:
    scales = scale(draw, -8, -6), scale(draw, -8, -6)
    row = row_of(draw, code_range(draw, selection), *scales)
    return {**row, "qmin": row["zero_point"]} if relu else row


def range_end(draw: CaseRandom, selection: Selection) -> Row:
    """Draw an image of one code at an end of its range."""
    unit = scale(draw)
    row = row_of(draw, code_range(draw, selection), unit, unit)
    row["x"][:] = row["qmin"] if draw.integer(0, 1) else row["qmax"]
    return row


def empty_window(draw: CaseRandom, selection: Selection) -> Row:
    """Draw a window that covers nothing but padding."""
    ends = code_range(draw, selection)
    return row_of(
        draw, ends, *(scale(draw), scale(draw)), size=(2, 3), kernel=(1, 2), padding=(1, 0, 0, 0)
    )


FAMILIES = (
    Family(
        "tie",
        by_case(ties),
        "means are k + 1/2 steps exactly",
        ("round.rule", "pool.floor", "zero_point.order"),
    ),
    Family(
        "near_tie",
        by_case(partial(ties, beside=1)),
        "sums beside such ties",
        ("pool.reciprocal", "pool.floor", "round.twice", "pool.stored"),
    ),
    Family(
        "odd_count",
        by_case(odd_count),
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
        by_case(range_end),
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
