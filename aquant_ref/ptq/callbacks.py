"""What one may see of learning while it goes on: each iteration, as it is made.

Whoever wants to look gives a `Watch` to `ptq.quantize`. Looking changes no bit of what is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Iteration:
    """Iteration `number`, from 0 on, of a pass on a block, before its step is taken.

    `error` is the squared error of the block's output on the images that were drawn
    (`reconstruction.block_error`), `penalty` what is added to it so that soft weights decide.
    """

    stage: str
    block: str
    number: int
    error: float
    penalty: float


Watch = Callable[[Iteration], None]
