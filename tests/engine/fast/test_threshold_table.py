from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref.engine import Engine
from aquant_ref.engine.fast.kernels import threshold_codes
from aquant_ref.engine.fast.threshold_table import MOST_BUCKETS, ThresholdTable
from aquant_ref.lowering import lower
from tests.engine import networks

INT32_MAX = 2**31 - 1


@st.composite
def staircases(draw: st.DrawFn) -> tuple[list[list[int]], int, list[int], list[int]]:
    """Sorted thresholds of some channels, `least`, and the ends of their accumulators."""
    count = draw(st.integers(1, 20))
    rows, lows, highs = [], [], []
    for _ in range(draw(st.integers(1, 3))):
        gap = draw(st.sampled_from([1, 2, 3, 7, 1000, 2**20]))
        start = draw(st.integers(-(2**20), 2**20))
        steps = draw(st.lists(st.integers(0, gap), min_size=count, max_size=count))
        rows.append([start + int(total) for total in np.cumsum(steps)])
        ends = sorted(draw(st.integers(rows[-1][0] - gap, rows[-1][-1] + gap)) for _ in range(2))
        lows.append(ends[0])
        highs.append(ends[1])
    return rows, draw(st.sampled_from([0, -8, -100, 300])), lows, highs


@example(([[5, 5, 9]], 0, [0], [20]))  # two thresholds in one place are no staircase
@example(([[1, 2, 3]], 0, [7], [9]))  # all are always reached
@example(([[1, 2, 3]], 0, [-9], [0]))  # none ever is
@example(([[0, 4, 8, 8]], 0, [-5], [7]))  # those never reached may be equal
@given(staircases())
def test_a_staircase_gives_the_codes_of_the_comparisons(
    given_: tuple[list[list[int]], int, list[int], list[int]],
) -> None:
    rows, least, lows, highs = given_
    thresholds, bound = np.array(rows), (np.array(lows), np.array(highs))
    stairs = ThresholdTable.of(thresholds.astype(np.int32), least, bound)
    if stairs is None:
        return
    near = [[t + d for t in row for d in (-1, 0, 1)] for row in rows]
    acc = np.array([[*n, lo, hi] for n, lo, hi in zip(near, lows, highs, strict=True)])
    acc = np.clip(acc, bound[0][:, None], bound[1][:, None]).astype(np.int32)[None]
    wanted = [
        [least + sum(a >= t for t in row) for a in own]
        for row, own in zip(rows, acc[0], strict=True)
    ]
    assert stairs.codes(acc)[0].tolist() == wanted
    assert threshold_codes(acc, thresholds, least)[0].tolist() == wanted


def test_what_has_no_staircase_is_known() -> None:
    bound = (np.array([0]), np.array([10**6]))

    def has(*row: int) -> bool:
        return ThresholdTable.of(np.array([row], np.int32), 0, bound) is not None

    assert has(1, 2, MOST_BUCKETS)
    assert not has(1, 2, 3, 2 * MOST_BUCKETS)
    assert has(5, 5)
    assert not has(5, 5, 2 * MOST_BUCKETS)
    assert has(100, 300_000, 600_000)
    ends = (np.array([-(2**31)]), np.array([INT32_MAX]))
    assert ThresholdTable.of(np.array([[-(2**31) + 1, INT32_MAX]], np.int32), 0, ends) is None
    assert ThresholdTable.of(np.array([[-(2**31) + 1, INT32_MAX]]), 0, ends) is not None


def test_a_network_of_8_bits_runs_on_staircases() -> None:
    """So that the path above is not one that nobody takes."""
    engine = Engine(lower(networks.residual_network(6, act_bits=8)))
    assert any(step.table is not None for step in engine._steps.values())
