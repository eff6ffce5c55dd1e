"""Operations between codes in numpy: what is refused. Answers: see `expected.test_codes`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import engine_codes
from aquant_ref.errors import InputError

END = {"scale": 1.0, "zero_point": 0, "qmin": -128, "qmax": 127}


def columns(**fields: Any) -> dict[str, Any]:
    return {name: np.array([value]) for name, value in (END | fields).items()}


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_scales_are_above_0(scale: float) -> None:
    with pytest.raises(InputError, match="scale: needs to be above 0"):
        engine_codes.positive(np.array([1.0]), np.array([scale]))


@pytest.mark.parametrize("ratio", [2.0**-9, 2.0**8])
def test_xnnpack_converts_codes_of_similar_scales(ratio: float) -> None:
    fields = columns(x=1, x_scale=ratio, x_zero=0)
    with pytest.raises(InputError, match=r"scale: needs a ratio from 2\^-8 to 2\^7"):
        engine_codes.rescale_codes("xnnpack", **fields)


@pytest.mark.parametrize("step", [2.0**-17, 2.0**8])
def test_xnnpack_multiplies_by_a_bounded_number(step: float) -> None:
    fields = columns(a=1, a_scale=step, a_zero=0, b=1, b_scale=1.0, b_zero=0)
    with pytest.raises(InputError, match=r"scale: needs a multiplier from 2\^-16"):
        engine_codes.mul("xnnpack", **fields)
