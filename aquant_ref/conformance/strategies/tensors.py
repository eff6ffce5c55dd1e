"""Provide Hypothesis strategies for the fields of operations on tensors. Needs Hypothesis.

An input may be outside the contract, for example if no window fits; `expected` then refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

Fields = dict[str, Any]
Drawing = Callable[[st.SearchStrategy[Any]], Any]

STORED_MEANS = ("tflite", "torch")  # of stored codes: for one scale and one zero point alone
SCALES = st.builds(  # 12 bits, so that the product of two has 24
    lambda m, e: float(np.ldexp(m, e)), st.integers(1, 2**12 - 1), st.integers(-20, -14)
)
SMALL = st.integers(1, 3)
STRIDES = st.tuples(SMALL, SMALL)
DILATIONS = st.tuples(st.integers(1, 2), st.integers(1, 2))
PADDINGS = st.tuples(*[st.integers(0, 2)] * 4)


def tensors(
    shape: Sequence[int], elements: st.SearchStrategy[Any], dtype: Any = np.int64
) -> st.SearchStrategy[Array]:
    """Return arrays of this shape."""
    count = prod(shape)
    flat = st.lists(elements, min_size=count, max_size=count)
    return flat.map(lambda values: np.array(values, dtype).reshape(shape))


def _range(draw: Drawing, selection: Selection) -> tuple[int, int]:
    low, high = draw(st.sampled_from(selection.ranges))
    return low, high


def _end(draw: Drawing, ends: tuple[int, int]) -> Fields:
    zero = draw(st.integers(*ends))
    return {"scale": draw(SCALES), "zero_point": zero, "qmin": ends[0], "qmax": ends[1]}


def _image(draw: Drawing, ends: tuple[int, int], channels: int) -> Array:
    size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    return np.asarray(draw(tensors((channels, *size), st.integers(*ends))))


def _windows(draw: Drawing) -> Fields:
    return {
        "stride": draw(STRIDES),
        "padding": draw(PADDINGS),
        "dilation": draw(DILATIONS),
    }


def _layer(draw: Drawing, selection: Selection, ends: tuple[int, int], weight: Array) -> Fields:
    """Draw all of a layer but input and windows; the bias is a whole number of units."""
    outputs = len(weight)
    alike = draw(st.sampled_from(selection.granularity)) == "tensor"
    scales = [draw(SCALES)] * outputs if alike else draw(tensors((outputs,), SCALES, np.float64))
    x_scale = draw(SCALES)
    bias = draw(tensors((outputs,), st.integers(-1000, 1000)))
    return {
        "x_scale": x_scale,
        "x_zero": draw(st.integers(*ends)),
        "weight": weight,
        "weight_scale": np.asarray(scales),
        "weight_zero": np.zeros(outputs, np.int64),
        "bias": bias * (x_scale * np.asarray(scales)),
        **_end(draw, ends),
    }


WEIGHTS = st.integers(-128, 127)


def conv2d(draw: Drawing, selection: Selection) -> Fields:
    """Draw up to 3 groups of up to 2 channels."""
    ends, groups = _range(draw, selection), draw(SMALL)
    members, each, kernel = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(STRIDES)
    weight = draw(tensors((each * groups, members, *kernel), WEIGHTS))
    return {
        "x": _image(draw, ends, members * groups),
        **_layer(draw, selection, ends, weight),
        **_windows(draw),
        "groups": groups,
    }


def depthwise(draw: Drawing, selection: Selection) -> Fields:
    """Draw up to 3 channels with one or two outputs each."""
    ends, channels, each = _range(draw, selection), draw(SMALL), draw(st.integers(1, 2))
    weight = draw(tensors((channels * each, 1, *draw(STRIDES)), WEIGHTS))
    layer = _layer(draw, selection, ends, weight)
    return {"x": _image(draw, ends, channels), **layer, **_windows(draw)}


def linear(draw: Drawing, selection: Selection) -> Fields:
    """Draw up to 6 inputs and 3 outputs."""
    ends, inputs = _range(draw, selection), draw(st.integers(1, 6))
    weight = draw(tensors((draw(SMALL), inputs), WEIGHTS))
    x = draw(tensors((inputs,), st.integers(*ends)))
    return {"x": x, **_layer(draw, selection, ends, weight)}


def conv_integer(draw: Drawing, selection: Selection) -> Fields:
    """Draw codes and weights of a convolution with zero points of the channels."""
    row = conv2d(draw, selection)
    zeros = draw(tensors((len(row["weight"]),), st.integers(-128, 127)))
    names = ("x", "x_zero", "weight", "stride", "padding", "dilation", "groups")
    return {**{name: row[name] for name in names}, "weight_zero": zeros}


def matmul_integer(draw: Drawing, selection: Selection) -> Fields:
    """Draw matrices of up to 3 x 6 and 6 x 3 codes."""
    ends, (m, n), k = _range(draw, selection), draw(STRIDES), draw(st.integers(1, 6))
    codes = st.integers(*ends)
    shapes = {"a": (m, k), "a_zero": (m,), "b": (k, n), "b_zero": (n,)}
    return {name: draw(tensors(shape, codes)) for name, shape in shapes.items()}


def add_tensors(draw: Drawing, selection: Selection) -> Fields:
    """Draw two tensors of one shape."""
    ends = _range(draw, selection)
    a = _image(draw, ends, draw(SMALL))
    terms = {"a": a, "b": draw(tensors(a.shape, st.integers(*ends)))}
    scales = {f"{name}_scale": draw(SCALES) for name in terms}
    zeros = {f"{name}_zero": draw(st.integers(*ends)) for name in terms}
    return {**terms, **scales, **zeros, **_end(draw, ends)}


def avg_pool2d(draw: Drawing, selection: Selection) -> Fields:
    """Draw any windows."""
    ends = _range(draw, selection)
    fields = {
        "x": _image(draw, ends, draw(SMALL)),
        "x_scale": draw(SCALES),
        "x_zero": draw(st.integers(*ends)),
        "kernel": draw(STRIDES),
        **_windows(draw),
        "count_padding": draw(st.integers(0, 1)),
        **_end(draw, ends),
    }
    if selection.profile in STORED_MEANS:
        fields |= {"scale": fields["x_scale"], "zero_point": fields["x_zero"]}
    return fields


def max_pool2d(draw: Drawing, selection: Selection) -> Fields:
    """Draw any windows."""
    x = _image(draw, _range(draw, selection), draw(SMALL))
    return {"x": x, "kernel": draw(STRIDES), **_windows(draw)}


def thresholds(draw: Drawing, _selection: Selection) -> Fields:
    """Draw small accumulators, so that some equal their thresholds."""
    channels, count = draw(SMALL), draw(st.sampled_from((3, 15)))
    acc = _image(draw, (-50, 50), channels)
    rows = draw(tensors((channels, count), st.integers(-60, 60)))
    return {
        "acc": acc,
        "thresholds": np.sort(rows, axis=1),
        "least": draw(st.sampled_from((0, -2, -8))),
    }


DRAWN: dict[str, Callable[[Drawing, Selection], Fields]] = {
    each.__name__: each
    for each in (
        conv2d,
        depthwise,
        linear,
        conv_integer,
        matmul_integer,
        add_tensors,
        avg_pool2d,
        max_pool2d,
        thresholds,
    )
}


def fields(selection: Selection) -> st.SearchStrategy[Fields] | None:
    """Return all fields of a case; None if only constructed cases make sense."""
    make = DRAWN.get(selection.operation)
    if make is None:
        return None
    return st.composite(lambda draw: make(draw, selection))()
