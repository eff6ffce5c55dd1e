"""The steps of a rule that never falls: where its result changes, found by asking the rule alone.

A step at k is certain once the rule gives one result for k - 1 and another for k; between two steps
everything has the result of both ends. So a few questions a step decide about every input.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aquant_ref.conformance.expected import Refused
from aquant_ref.typing import Integers

Rule = Callable[[int], int]  # from a key to the expected result


def steps(rule: Rule, low: int, high: int) -> tuple[list[int], list[int]]:
    """Return where each run of equal results from `low` to `high` starts, and its result.

    >>> steps(lambda k: max(k // 10, 0), -5, 25)
    ([-5, 10, 20], [0, 1, 2])
    """
    starts, results, last, width = [low], [rule(low)], rule(high), 1
    while results[-1] != last:
        step = _next(rule, starts[-1], high, results[-1], width)
        width = step - starts[-1]
        starts.append(step)
        results.append(rule(step))
    return starts, results


def _next(rule: Rule, below: int, above: int, result: int, width: int) -> int:
    """Return the first key whose result is not `result`, which `below` has and `above` has not.

    The search begins at the width of the step before.
    """
    probe, stride = below + width, 1
    while below < probe < above:
        if rule(probe) == result:
            below, probe = probe, probe + stride
        else:
            above, probe = probe, probe - stride
        stride *= 2
    while above - below > 1:
        middle = (below + above) // 2
        if rule(middle) == result:
            below = middle
        else:
            above = middle
    return above


def admitted(rule: Rule, low: int, high: int) -> tuple[int, int] | None:
    """Return the part of low..high that the contract does not refuse; None where there is none.

    What is refused lies at the ends.
    """

    def refused(key: int) -> bool:
        try:
            rule(key)
        except Refused:
            return True
        return False

    middle = min(max(0, low), high)
    if refused(middle):
        return None
    ends = []
    for end in (low, high):
        inside, outside = middle, end
        if not refused(end):
            inside = outside = end
        while abs(outside - inside) > 1:
            between = (inside + outside) // 2
            if refused(between):
                outside = between
            else:
                inside = between
        ends.append(inside)
    return ends[0], ends[1]


def beside(starts: list[int], width: int, low: int, high: int) -> list[tuple[int, int]]:
    """Return the ranges of `width` keys on both sides of each step and at both ends, joined.

    >>> beside([0, 10, 14], 3, 0, 40)
    [(0, 2), (7, 16), (38, 40)]
    """
    places = [low, *starts[1:], high + 1]
    ranges: list[tuple[int, int]] = []
    for place in places:
        first, last = max(low, place - width), min(high, place + width - 1)
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], last
        else:
            ranges.append((first, last))
    return ranges


def expanded(starts: Integers, results: Integers, low: int, count: int) -> Integers:
    """Return the results of the keys from `low` on, (count,), of runs that cover them."""
    first = int(np.searchsorted(starts, low, "right")) - 1
    last = int(np.searchsorted(starts, low + count, "left"))
    edges = np.append(np.maximum(starts[first:last], low), low + count)
    return np.repeat(results[first:last], np.diff(edges))
