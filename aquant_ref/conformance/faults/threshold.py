"""Wrong ways to clip a number and to count thresholds."""

from __future__ import annotations

from aquant_ref.conformance.faults.arithmetic import clip, single, wrap
from aquant_ref.conformance.faults.fault import scalar


def cut(t: int) -> int:
    return clip(t, -(2**31), 2**31 - 1)


THRESHOLD = [
    ("> for >=", lambda a, *t: sum(a > v for v in t), "border.strict", "at_threshold"),
    (
        "thresholds cut to int32",
        lambda a, *t: sum(a >= cut(v) for v in t),
        "threshold.never",
        "never",
    ),
    (
        "thresholds wrap in int32",
        lambda a, *t: sum(a >= wrap(v, 32) for v in t),
        "threshold.never",
        "never",
    ),
    (
        "compared in float32",
        lambda a, *t: sum(single(a) >= single(v) for v in t),
        "round.float32",
        "below_threshold",
    ),
    (
        "compared by a difference in int32",
        lambda a, *t: sum(wrap(a - v, 32) >= 0 for v in t),
        "accumulator.wrap",
        "type_end",
    ),
    (
        "equal thresholds counted once",
        lambda a, *t: sum(a >= v for v in set(t)),
        "threshold.equal",
        "equal_thresholds",
    ),
    ("one level too many", lambda a, *t: 1 + sum(a >= v for v in t), "clamp.levels", "random"),
]


CLIP = [
    (
        "cut to int32 first",
        lambda v, low, high: clip(wrap(v, 32), low, high),
        "accumulator.wrap",
        "beyond_int32",
    ),
    (
        "wrapped",
        lambda v, low, high: low + (v - low) % (high - low + 1),
        "clamp.wrap",
        "range_end",
    ),
    ("no lower end", lambda v, low, high: max(min(v, high), -(2**31)), "clamp.dropped", "random"),
    ("no upper end", lambda v, low, high: min(max(v, low), 2**31 - 1), "clamp.dropped", "random"),
    ("one too many", lambda v, low, high: clip(v, low, high + 1), "clamp.levels", "range_end"),
    ("from 0", lambda v, low, high: clip(max(v, 0), low, high), "clamp.relu", "inside"),
    (
        "in float32",
        lambda v, low, high: int(clip(single(v), single(low), single(high))),
        "round.float32",
        "inside",
    ),
]

WRONG = [*scalar("clip", CLIP), *scalar("threshold", THRESHOLD)]
