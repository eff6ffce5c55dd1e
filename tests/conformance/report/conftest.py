from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.report.report import Report


class HalfEven(Adapter):
    """Requantizes with ties to even, and clips as it should; <b> is in its name."""

    name = "half <b> & even"

    def requantize(self, *, acc: Any, multiplier: Any, shift: Any, **rest: Any) -> Any:
        y = np.rint(np.ldexp((acc * multiplier).astype(np.longdouble), -shift)).astype(np.int64)
        return np.clip(y + rest["zero_point"], rest["qmin"], rest["qmax"])

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        return np.clip(v, low, high)


@pytest.fixture(scope="module")
def report() -> Report:
    command = "aquant-ref verify --adapter mine:HalfEven"
    return verify(HalfEven(), operations=["requantize", "clip"], generated=300, command=command)
