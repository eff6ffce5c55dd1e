"""Make cases of `threshold`: how many of three sorted thresholds an accumulator reaches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Columns, Family
from aquant_ref.engine.instruction import THRESHOLD_UNREACHED
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.typing import Accumulators, Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def _columns(acc: Accumulators, thresholds: Integers) -> Columns:
    t0, t1, t2 = np.sort(thresholds, axis=0)
    return {"acc": np.clip(acc, INT32_MIN, INT32_MAX), "t0": t0, "t1": t1, "t2": t2}


def _sorted(draw: Draw, bits: int = 20) -> Array:
    return np.sort([draw.sized(bits) for _ in range(3)], axis=0)


def _beside(draw: Draw, _selection: Selection, step: int) -> Columns:
    thresholds = _sorted(draw, bits=31)
    chosen = thresholds[draw.integers(0, 2), np.arange(len(draw))]
    return _columns(chosen + step, thresholds)


def _equal(draw: Draw, _selection: Selection) -> Columns:
    a, b = draw.sized(16), draw.sized(16)
    return _columns(a + draw.integers(-1, 1), np.stack([a, a, np.where(draw.integers(0, 1), a, b)]))


def _never(draw: Draw, _selection: Selection) -> Columns:
    t = [
        draw.pick((-THRESHOLD_UNREACHED, THRESHOLD_UNREACHED, 0, 2**31, -(2**31) - 1, 2**32))
        for _ in range(3)
    ]
    return _columns(draw.pick((INT32_MIN, -1, 0, 1, INT32_MAX)), np.stack(t))


def _type_ends(draw: Draw, _selection: Selection) -> Columns:
    pool = (INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX)
    acc, *thresholds = draw.cross(pool, pool, pool, pool)
    return _columns(acc, np.stack(thresholds))


def _random(draw: Draw, _selection: Selection) -> Columns:
    return _columns(draw.sized(20), _sorted(draw))


def _unsorted(draw: Draw, _selection: Selection) -> Columns:
    columns = _columns(
        draw.sized(8), np.stack([draw.integers(k * 10, k * 10 + 9) for k in (0, 1, 2)])
    )
    return {**columns, "t0": columns["t2"], "t2": columns["t0"]}


FAMILIES = (
    Family(
        "at_threshold",
        partial(_beside, step=0),
        "the accumulator is a threshold: it is reached",
        ("border.strict",),
    ),
    Family(
        "below_threshold",
        partial(_beside, step=-1),
        "one below a threshold",
        ("round.float32", "accumulator.narrow"),
    ),
    Family(
        "equal_thresholds",
        _equal,
        "two or three thresholds are one: a code is skipped",
        ("threshold.equal", "border.strict"),
    ),
    Family(
        "never",
        _never,
        "thresholds beyond int32, -2^62 and 2^62 among them",
        ("threshold.never", "accumulator.wrap"),
    ),
    Family(
        "type_end",
        _type_ends,
        "accumulator and thresholds at the ends of int32, crossed",
        ("accumulator.wrap", "accumulator.narrow"),
    ),
    Family(
        "random",
        _random,
        "any accumulator and thresholds",
        ("border.half", "accumulator.narrow", "clamp.levels"),
    ),
    Family(
        "unsorted", _unsorted, "thresholds that are not sorted", ("input.accepted",), rejects=True
    ),
)
