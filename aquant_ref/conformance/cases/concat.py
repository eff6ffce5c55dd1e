"""Make cases of `concat`: tensors with scales and zero points of their own are joined in one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image, odd

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection


def _scale(draw: CaseRandom) -> float:
    """Draw a scale of 24 bits in [2^-7, 2^-5)."""
    return float(np.ldexp(2**23 + draw.integer(0, 2**23 - 1), draw.integer(-30, -29)))


def _row(draw: CaseRandom, selection: Selection, *, relu: bool = False, reach: int = 1) -> Row:
    """Draw two to four tensors of unlike sizes; the result's scale is `reach` times as fine."""
    low, high = code_range(draw, selection)
    channels = draw.pick(((1, 2), (2, 1, 3), (3, 1), (1, 2, 1, 3), (2, 3, 1)))
    zero = odd(draw, low, high)
    return {
        "x": image(draw, low, high, sum(channels), *draw.pick(((1, 3), (2, 2), (3, 1)))),
        "channels": np.array(channels),
        "x_scale": np.array([_scale(draw) for _ in channels]),
        "x_zero": np.array([odd(draw, low, high) for _ in channels]),
        "scale": _scale(draw) / reach,
        "zero_point": zero,
        "qmin": zero if relu else low,
        "qmax": high,
    }


def _tied(draw: CaseRandom, selection: Selection, *, reach: int | None = None) -> Row:
    """Choose the scale of each tensor so that one step is 1/2 of the result, or float32s beside it.

    With `reach`, a value of each tensor is k + 1/2 steps up to so many last bits of its scale.
    """
    row = _row(draw, selection)
    low, high = row["qmin"], row["qmax"]
    row["zero_point"] = min(max(row["zero_point"], low + 1), high - 1)
    if reach is None:
        row["scale"] = 2.0**-6
    starts = np.cumsum(row["channels"]) - row["channels"]
    for k, start in enumerate(starts.tolist()):
        zero = int(row["x_zero"][k])
        q = int(row["x"][start, 0, 0])
        steps = abs(q - zero) or 1
        row["x"][start, 0, 0] = zero - steps if q < zero or zero == high else zero + steps
        room = min(row["zero_point"] - low, high - row["zero_point"])
        halves = draw.integer(0, room - 1) + 0.5
        step = row["scale"] * halves / steps
        if reach is None:
            row["x"][start, 0, 0] = zero + (-1 if zero == high else draw.pick((-1, 1)))
            row["x_scale"][k] = row["scale"] * halves
        else:
            bits = np.array(step, np.float32).view(np.int32) + draw.integer(-reach, reach)
            row["x_scale"][k] = float(np.int32(bits).view(np.float32))
    return row


def _same(draw: CaseRandom, selection: Selection) -> Row:
    """Give one tensor the scale and the zero point of the result."""
    row = _row(draw, selection)
    k = draw.integer(0, len(row["channels"]) - 1)
    row["x_scale"][k], row["x_zero"][k] = row["scale"], row["zero_point"]
    return row


def _no_scale(draw: CaseRandom, selection: Selection) -> Row:
    row = _row(draw, selection)
    row["x_scale"][draw.integer(0, len(row["channels"]) - 1)] = draw.pick((0.0, -1.0))
    return row


def _wrong_sizes(draw: CaseRandom, selection: Selection) -> Row:
    row = _row(draw, selection)
    row["channels"][0] += 1
    return row


FAMILIES = (
    Family(
        "tie",
        by_case(_tied),
        "a value of each tensor is k + 1/2 steps exactly",
        ("round.rule", "zero_point.order", "round.twice"),
    ),
    Family(
        "beside_tie",
        by_case(partial(_tied, reach=1)),
        "a value of each tensor is within the last bits of a tie",
        ("round.float32", "round.reciprocal", "round.twice", "round.rule"),
    ),
    Family(
        "same",
        by_case(_same),
        "one tensor has the scale and the zero point of the result",
        ("add.one_scale", "axis.concat", "scale.swapped"),
    ),
    Family(
        "saturation",
        by_case(partial(_row, reach=16)),
        "values beyond the range",
        ("clamp.wrap", "clamp.levels", "zero_point.clip"),
    ),
    Family(
        "relu",
        by_case(partial(_row, relu=True)),
        "qmin is the zero point",
        ("clamp.relu", "clamp.dropped"),
    ),
    Family(
        "random",
        by_case(_row),
        "unequal scales, odd zero points, unlike numbers of channels",
        ("add.one_scale", "axis.concat", "zero_point.missing", "pipeline.parameters", "round.cast"),
    ),
    Family(
        "no_scale",
        by_case(_no_scale),
        "a scale that is none",
        ("input.accepted",),
        rejects=True,
    ),
    Family(
        "wrong_sizes",
        by_case(_wrong_sizes),
        "more channels than there are",
        ("input.accepted",),
        rejects=True,
    ),
)
OF_PEERS: dict[str, tuple[Family, ...]] = dict.fromkeys(("float32", "tflite", "torch"), FAMILIES)
