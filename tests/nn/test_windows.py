"""Sliding windows: how many real pixels each meets, counted one by one."""

from __future__ import annotations

from itertools import product

from aquant_ref.engine.windows import Windows as EngineWindows
from aquant_ref.nn.windows import Windows


def test_each_window_meets_the_pixels_that_are_there() -> None:
    for size, kernel, stride, before, dilation in product(
        (1, 2, 5), (1, 2, 4), (1, 3), (0, 1, 4), (1, 2, 3)
    ):
        starts = range(-before, size + before - (kernel - 1) * dilation, stride)
        if not starts:
            continue
        wanted = [
            [sum(0 <= start + tap * dilation < size for tap in range(kernel))] for start in starts
        ]
        shape, sides = (1, 1, size, 1), ((before, before), (0, 0))
        ours = Windows(shape, (kernel, 1), (stride, 1), sides, (dilation, 1))
        engine = EngineWindows((kernel, 1), (stride, 1), sides, (dilation, 1))
        assert ours.counts().tolist() == engine.counts((size, 1)).tolist() == wanted
