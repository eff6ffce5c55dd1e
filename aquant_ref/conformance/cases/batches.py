"""Make cases of layers for a batch of images, with an activation by name.

Requantization is no question here: all scales are powers of two and nothing is near a tie, so every
variation of a layer, a sum or a mean has these answers (`answers`; tests assert it by the oracle).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.family import Family, plain
from aquant_ref.conformance.cases.layer_large import accumulators
from aquant_ref.conformance.cases.layer_parts import weights
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd
from aquant_ref.conformance.expected.activations import activation_range
from aquant_ref.conformance.expected.refusal import Refused

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

Ends = tuple[int, int]
Make = Callable[["CaseRandom", Ends, int], Row]  # a case of so many images
SIZES = (2, 4, 5, 8, 9)  # of batches
MOST_DRAWS = 400
FEW = 16  # steps of a range: there every accumulator is a whole step, or too many would be ties
OUTPUTS, INPUTS, FEATURES = 3, 2, 7
TENSORS = ("x", "a", "b")  # those that have an image each
ACTIVATIONS = ("none", "relu", "relu6")


def _scale(ends: Ends) -> float:
    """Return a scale with which 6 is three eighths of the range of codes."""
    return 16.0 / (ends[1] - ends[0] + 1)


def _layer(draw: CaseRandom, ends: Ends, images: int, shape: tuple[int, ...], row: Row) -> Row:
    """Draw images of this shape, and powers of two with which elements fill the range and more."""
    row = {**row, "x": image(draw, *ends, images, *shape), "x_zero": odd(draw, *ends)}
    sums = np.stack([accumulators({**row, "x": x}) for x in row["x"]])
    spread, scale = max(1, int(abs(sums).max())), _scale(ends)
    outputs = len(row["weight"])
    steps = ends[1] - ends[0]
    shifts = max(1, (spread // steps).bit_length()) + draw.integers(0, 1, (outputs,))
    if steps < FEW:
        shifts[:] = 0
    x_scale = 2.0 ** -draw.integer(5, 8)
    weight_scale = np.ldexp(scale / x_scale, -shifts)
    bias = draw.integers(-spread // 4, spread // 4, (outputs,)) * (x_scale * weight_scale)
    scales = {"x_scale": x_scale, "weight_scale": weight_scale, "scale": scale}
    return {**row, **scales, "weight_zero": np.zeros(outputs, np.int64), "bias": bias}


def _conv(draw: CaseRandom, ends: Ends, images: int, *, depthwise: bool = False) -> Row:
    outputs, inputs = (OUTPUTS, 1) if depthwise else (OUTPUTS, INPUTS)
    row: Row = {
        "weight": weights(draw, *ends, outputs, inputs, 2, 2),
        "stride": np.array((1, 1)),
        "padding": np.array(draw.pick(((0, 0, 0, 0), (1, 0, 0, 1)))),
        "dilation": np.array((1, 1)),
    }
    if not depthwise:
        row["groups"] = 1
    return _layer(draw, ends, images, (OUTPUTS if depthwise else INPUTS, 2, 3), row)


def _linear(draw: CaseRandom, ends: Ends, images: int) -> Row:
    row = {"weight": weights(draw, *ends, OUTPUTS, FEATURES)}
    return _layer(draw, ends, images, (FEATURES,), row)


def _sum(draw: CaseRandom, ends: Ends, images: int) -> Row:
    """Draw terms of whole steps."""
    scale, shape = _scale(ends), (images, 2, 1, 3)
    row: Row = {"a_scale": scale, "b_scale": scale * draw.pick((1, 2)), "scale": scale}
    for name in ("a", "b"):
        row |= {name: image(draw, *ends, *shape), f"{name}_zero": odd(draw, *ends)}
    return row


def _mean(draw: CaseRandom, ends: Ends, images: int) -> Row:
    """Draw windows of four codes whose sum is a multiple of four, in one scale and zero point."""
    zero = odd(draw, *ends)
    codes = zero + 4 * ((image(draw, *ends, images, 2, 3, 3) - zero) // 4)
    return {
        "x": np.where(codes < ends[0], codes + 4, codes),
        "x_scale": _scale(ends),
        "x_zero": zero,
        "kernel": np.array((2, 2)),
        "stride": np.array((1, 1)),
        "padding": np.array((0, 0, 0, 0)),
        "dilation": np.array((1, 1)),
        "count_padding": 0,
        "scale": _scale(ends),
        "zero_point": zero,
    }


def answers(operation: str, row: Row) -> list[Any]:
    """Return the different results that the variations of the operation have for one image."""
    base = contract.get(operation.removesuffix("_batch"))
    fields = {f.name: plain(row[f.name]) for f in base.fields}
    found: list[Any] = []
    for profile in base.choices:
        try:
            result = base.expected(**fields, **base.settings(profile))
        except Refused:
            continue
        found += [result] * (result not in found)
    return found


def _row(
    draw: CaseRandom,
    selection: Selection,
    *,
    make: Make,
    activations: tuple[str, ...],
    sizes: tuple[int, ...],
) -> Row:
    """Draw until all variations agree about every image."""
    ends, images, activation = (
        code_range(draw, selection),
        draw.turn(sizes),
        draw.turn(activations),
    )
    for _ in range(MOST_DRAWS):
        row = make(draw, ends, images)
        quarter = (ends[1] - ends[0]) // 4
        row = {"zero_point": odd(draw, ends[0] + quarter, ends[0] + 2 * quarter), **row}
        row |= {"qmin": ends[0], "qmax": ends[1], "activation": activation}
        if "weight" not in row or not beside_ties(row):
            return row
    raise AssertionError(f"{selection.operation}: draws nothing but ties")


def beside_ties(row: Row) -> bool:
    """Tell whether an element inside the range is a tie, or one unit below one.

    The multiplier of each channel is 2^-n. What is rounded to halves first is a tie one unit below.
    """
    names = ("activation", "scale", "zero_point", "qmin", "qmax")
    low, high = activation_range(**{name: row[name] for name in names})
    units = row["x_scale"] * row["weight_scale"]
    n = np.rint(np.log2(row["scale"] / units)).astype(np.int64)[:, None]
    bias = np.rint(row["bias"] / units).astype(np.int64)[:, None]
    for x in row["x"]:
        acc = accumulators({**row, "x": x}) + bias
        code, rest, half = (acc >> n) + row["zero_point"], acc % (1 << n), 1 << np.maximum(n - 1, 0)
        tied = (n > 0) & ((rest == half) | (rest == half - 1))
        if (tied & (code >= low) & (code < high)).any():
            return True
    return False


def _families(make: Make) -> tuple[Family, ...]:
    def family(
        flag: str, text: str, catches: tuple[str, ...], activations: Any, sizes: Any
    ) -> Family:
        how = partial(_row, make=make, activations=activations, sizes=sizes)
        return Family(flag, by_case(how), text, catches, stored=len(sizes))

    return (
        family("batch_of_3", "three images that differ", ("axis.batch",), ("none",), (3,)),
        family(
            "batches", "2 to 9 images that differ", ("axis.batch", "tail.batch"), ACTIVATIONS, SIZES
        ),
        family(
            "relu", "a ReLU by name, two images", ("clamp.relu", "clamp.dropped"), ("relu",), (2,)
        ),
        family(
            "relu6",
            "a ReLU6 by name, with the code of 6 inside the range",
            ("clamp.dropped", "clamp.relu"),
            ("relu6",),
            (2,),
        ),
    )


FAMILIES = {
    "conv2d_batch": _families(_conv),
    "depthwise_batch": _families(partial(_conv, depthwise=True)),
    "linear_batch": _families(_linear),
    "add_tensors_batch": _families(_sum),
    "avg_pool2d_batch": _families(_mean),
}
