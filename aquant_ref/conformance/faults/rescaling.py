"""Scale an accumulator by a real ratio and round it, in each variation of requantization.

Written apart from the oracle, in Python's integers and numpy's float32. Spec: AQ-FIXED-2 to
AQ-FIXED-7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from aquant_ref.conformance.faults.arithmetic import F, away, even, once, rounded

Rescaling = Callable[[int], int]


@lru_cache(4096)  # each candidate of a diagnosis asks for those of the same channels
