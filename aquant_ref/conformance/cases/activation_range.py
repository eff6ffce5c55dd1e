"""Make cases of `activation_range`: the codes that a ReLU, ReLU6 or no activation leaves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import (
    Columns,
    Family,
    code_ranges,
    constant,
    odd_zero_point,
)
from aquant_ref.conformance.cases.parting import Singles, parted
from aquant_ref.typing import Array, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def _columns(draw: Draw, selection: Selection, activation: str, scale: Reals) -> Columns:
    qmin, qmax = code_ranges(draw, selection)
    zero = odd_zero_point(draw, qmin, qmax)
    ends = {"zero_point": zero, "qmin": qmin, "qmax": qmax}
    return {"activation": constant(draw, activation), "scale": scale, **ends}


def _any(draw: Draw, selection: Selection, *, activation: str) -> Columns:
    return _columns(draw, selection, activation, draw.scales(-6, 0))


def _tie(draw: Draw, selection: Selection) -> Columns:
    """Make 6 one half or one and a half steps; no other scale does so exactly."""
    return _columns(draw, selection, "relu6", draw.pick((12.0, 4.0)))


def _exact(columns: Columns, scale: Singles) -> Array:
    return np.asarray(np.floor(6 / scale.astype(np.float64) + 0.5) + columns["zero_point"])


def _tflite(columns: Columns, scale: Singles) -> Array:
    steps = (np.float32(6) / scale).astype(np.float64)
    return np.asarray(np.floor(steps + 0.5) + columns["zero_point"])


def _xnnpack(columns: Columns, scale: Singles) -> Array:
    return np.asarray(np.rint(np.float32(6) / scale + columns["zero_point"].astype(np.float32)))


def _torch(columns: Columns, scale: Singles) -> Array:
    steps = np.float32(6) * (np.float32(1) / scale)
    return np.asarray(np.rint(steps + columns["zero_point"].astype(np.float32)))


WAYS = {"exact": _exact, "tflite": _tflite, "xnnpack": _xnnpack, "torch": _torch}


def _apart(draw: Draw, selection: Selection, *, one: str, other: str) -> Columns:
    """Choose a scale for which 6 has another code in another way."""
    columns = _columns(draw, selection, "relu6", draw.unit())
    columns["zero_point"] = np.minimum(columns["zero_point"], columns["qmax"] - 1)
    room = np.minimum(columns["qmax"] - columns["zero_point"], 2**12)
    return parted(draw, columns, np.full(len(room), 6.0), room, WAYS[one], WAYS[other])


def _range_end(draw: Draw, selection: Selection) -> Columns:
    """Make 6 a code beyond the range, or the zero point an end of it."""
    columns = _columns(draw, selection, "relu6", draw.scales(-12, -8))
    zero = draw.pick((0, 1)) == 1
    ends = np.where(draw.pick((0, 1)) == 1, columns["qmin"], columns["qmax"])
    return {**columns, "zero_point": np.where(zero, ends, columns["zero_point"])}


def _no_scale(draw: Draw, selection: Selection) -> Columns:
    return _columns(draw, selection, "relu6", draw.pick((0.0, -1.0)))


COMMON = (
    Family(
        "relu6",
        partial(_any, activation="relu6"),
        "a ReLU6 with any scale of 24 bits",
        ("clamp.dropped", "clamp.levels", "zero_point.missing", "round.truncation"),
    ),
    Family("relu", partial(_any, activation="relu"), "a ReLU", ("clamp.relu", "clamp.dropped")),
    Family("none", partial(_any, activation="none"), "no activation", ("clamp.relu",)),
    Family("tie", _tie, "6 is 1/2 or 3/2 steps", ("round.rule", "zero_point.order")),
    Family(
        "range_end",
        _range_end,
        "6 is beyond the range, or zero at its end",
        ("clamp.wrap", "clamp.levels"),
    ),
)
NO_SCALE = Family(
    "no_scale", _no_scale, "a scale that is not above 0", ("input.accepted",), rejects=True
)
CATCHES = {
    "exact": ("round.float64", "round.rule"),
    "tflite": ("round.rule", "round.float32", "zero_point.order"),
    "xnnpack": ("zero_point.order", "round.float32", "round.reciprocal"),
    "torch": ("round.reciprocal", "zero_point.order", "round.float32"),
}


def _families(one: str) -> tuple[Family, ...]:
    apart = [
        Family(
            f"apart_from_{other}",
            partial(_apart, one=one, other=other),
            f"6 is nearly k + 1/2 steps, where `{other}` has another code",
            catches,
        )
        for other, catches in CATCHES.items()
        if other != one
    ]
    return (*COMMON, *apart, NO_SCALE)


FAMILIES = _families("exact")
OF_PEERS = {one: _families(one) for one in WAYS if one != "exact"}
