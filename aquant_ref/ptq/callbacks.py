"""Observe learning: `ptq.quantize` calls a `Callback` with one `Iteration` per optimizer step.

A callback cannot change what is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Iteration:
    """Describe iteration `number`, counted from 0, of a pass over a block, before its step.

    `error` is the squared error of the block's output on the images of this iteration
    (`reconstruction.block_error`); `penalty` is the regularizer that drives soft weights to codes.
    """

    stage: str
    block: str
    number: int
    error: float
    penalty: float


Callback = Callable[[Iteration], None]
