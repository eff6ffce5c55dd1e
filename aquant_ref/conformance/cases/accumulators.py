"""Make cases of `conv_integer` and `matmul_integer`: codes and zero points, and their sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_parts import conv_parts, weights
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Ends = tuple[int, int]
Make = Callable[..., Row]


def _zeros(draw: CaseRandom, selection: Selection, ends: Ends, count: int) -> Array:
    """Draw odd zero points, one for all or one for each."""
    zeros = np.array([odd(draw, *ends) for _ in range(count)])
    return np.repeat(zeros[:1], count) if draw.pick(selection.granularity) == "tensor" else zeros


def _unsigned(draw: CaseRandom, ends: Ends, *shape: int) -> Array:
    return image(draw, 0, (1 << min((ends[1] - ends[0]).bit_length(), 8)) - 1, *shape)


def _at_ends(draw: CaseRandom, values: Array, low: int, high: int) -> Array:
    """Put values at an end of their range, neighbours mostly at the same one."""
    runs = draw.integers(0, 1, (-(-values.size // 4),)).repeat(4)[: values.size]
    return np.where(runs.reshape(values.shape) == 1, high, low)


def _convolution(draw: CaseRandom, selection: Selection, **geometry: Any) -> Row:
    row = conv_parts(draw, code_range(draw, selection), **geometry)
    return {**row, "weight_zero": np.zeros(len(row["weight"]), np.int64)}


def _edge(draw: CaseRandom, selection: Selection) -> Row:
    padding = draw.pick(((1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1)))
    size = draw.pick(((1, 1), (1, 2), (2, 1)))
    return _convolution(draw, selection, size=size, kernel=(3, 3), padding=padding)


def _windows(draw: CaseRandom, selection: Selection) -> Row:
    return _convolution(
        draw,
        selection,
        size=draw.pick(((5, 4), (4, 5))),
        kernel=(2, 2),
        stride=draw.pick(((1, 2), (2, 1))),
        dilation=draw.pick(((1, 2), (2, 1))),
        padding=draw.pick(((0, 1, 2, 0), (2, 0, 0, 1), (1, 0, 2, 1), (0, 2, 1, 0))),
    )


def _groups(draw: CaseRandom, selection: Selection) -> Row:
    return _convolution(draw, selection, size=(2, 3), groups=draw.pick((2, 3)))


def _conv_unsigned(draw: CaseRandom, selection: Selection) -> Row:
    ends = code_range(draw, selection)
    row = conv_parts(draw, ends)
    weight = _unsigned(draw, ends, *row["weight"].shape)
    zeros = _zeros(draw, selection, (0, int(weight.max())), len(weight))
    return {**row, "weight": weight, "weight_zero": zeros}


def _conv_ends(draw: CaseRandom, selection: Selection, *, wide: bool) -> Row:
    """Put codes and weights at ends; wide weights have as many bits as the codes."""
    ends = code_range(draw, selection)
    row = conv_parts(draw, ends, size=(3, 4), kernel=(2, 3))
    half = (ends[1] - ends[0] + 1) // 2 if wide else int(-row["weight"].min())
    row["x"] = _at_ends(draw, row["x"], *ends)
    row["weight"] = _at_ends(draw, row["weight"], -half, half - 1)
    row["x_zero"] = ends[0] + (ends[1] - ends[0]) // 8
    return {**row, "weight_zero": np.zeros(len(row["weight"]), np.int64)}


def _product(draw: CaseRandom, selection: Selection, *, unsigned: bool = False) -> Row:
    """Draw matrices of unlike sizes; zero points of rows, and of columns if b is unsigned."""
    ends = code_range(draw, selection)
    m, k, n = draw.pick(((2, 5, 3), (3, 4, 2), (4, 3, 5), (1, 7, 2), (2, 1, 4)))
    b = _unsigned(draw, ends, k, n) if unsigned else weights(draw, *ends, k, n)
    zeros = _zeros(draw, selection, (0, int(b.max())), n) if unsigned else np.zeros(n, np.int64)
    a_zero = _zeros(draw, selection, ends, m)
    return {"a": image(draw, *ends, m, k), "a_zero": a_zero, "b": b, "b_zero": zeros}


def _row_zeros(draw: CaseRandom, selection: Selection) -> Row:
    """Draw as many rows as columns."""
    ends = code_range(draw, selection)
    row = _product(draw, selection, unsigned=True)
    a, b = image(draw, *ends, 3, 4), _unsigned(draw, ends, 4, 3)
    zeros = _zeros(draw, selection, (0, int(b.max())), 3)
    return {**row, "a": a, "b": b, "a_zero": _zeros(draw, selection, ends, 3), "b_zero": zeros}


def _product_ends(draw: CaseRandom, selection: Selection, *, wide: bool) -> Row:
    ends = code_range(draw, selection)
    m, k, n = draw.pick(((2, 9, 3), (3, 8, 2)))
    half = (ends[1] - ends[0] + 1) // 2
    half = half if wide else min(half, 128)
    return {
        "a": _at_ends(draw, np.zeros((m, k)), *ends),
        "a_zero": np.full(m, ends[0] + (ends[1] - ends[0]) // 8),
        "b": _at_ends(draw, np.zeros((k, n)), -half, half - 1),
        "b_zero": np.zeros(n, np.int64),
    }


def _families(kinds: list[tuple[str, Make, str, tuple[str, ...]]]) -> tuple[Family, ...]:
    return tuple(Family(flag, by_case(make), text, catches) for flag, make, text, catches in kinds)


ENDS = ("codes and weights at ends of their types", ("accumulator.pairs", "accumulator.narrow"))
WRAP = (
    "sums of the largest products, which leave int32 where codes have 16 bits",
    ("accumulator.saturated", "round.float32", "accumulator.narrow"),
)
ZEROS = ("zero_point.cross_terms", "zero_point.missing", "axis.scale")

CONV_INTEGER = _families(
    [
        (
            "random",
            _convolution,
            "any codes, an odd zero point, sizes unlike one another",
            ("zero_point.missing", "axis.kernel", "axis.columns", "axis.layout"),
        ),
        (
            "unsigned_weights",
            _conv_unsigned,
            "weights with zero points, one or one for each channel",
            ZEROS,
        ),
        (
            "image_edge",
            _edge,
            "an image smaller than its kernel, and an odd zero point",
            ("zero_point.padding", "zero_point.cross_terms", "axis.padding"),
        ),
        (
            "windows",
            _windows,
            "another stride, dilation and padding on each axis and side",
            ("axis.stride", "axis.dilation", "axis.padding"),
        ),
        ("groups", _groups, "several groups of unlike sizes", ("axis.groups",)),
        ("type_end", partial(_conv_ends, wide=False), *ENDS),
        ("wrap", partial(_conv_ends, wide=True), *WRAP),
    ]
)
MATMUL_INTEGER = _families(
    [
        (
            "random",
            _product,
            "any codes, odd zero points of the rows, sizes unlike one another",
            ("zero_point.missing", "axis.layout"),
        ),
        (
            "unsigned_b",
            partial(_product, unsigned=True),
            "zero points of the columns as well",
            ZEROS,
        ),
        (
            "square",
            _row_zeros,
            "as many rows as columns, with zero points of both",
            ("axis.scale", "axis.layout", "zero_point.cross_terms"),
        ),
        ("type_end", partial(_product_ends, wide=False), *ENDS),
        ("wrap", partial(_product_ends, wide=True), *WRAP),
    ]
)
