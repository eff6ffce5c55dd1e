"""Float16 and bfloat16: answers of the engines, recorded with the versions named, or by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter
from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter
from aquant_ref.conformance.adapters.engine_half import narrowed
from aquant_ref.errors import InputError

ADAPTERS = [OracleAdapter, EngineAdapter]
BELOW = 0.5 - 2.0**-12  # the float16 before 1/2
UINT8 = {"qmin": 0, "qmax": 255}


def code(adapter: type[Adapter], profile: str, r: float, scale: float, zero: int = 1) -> int:
    """The code of one number."""
    fields: dict[str, Any] = {"r": r, "scale": scale, "zero_point": zero, **UINT8}
    columns = {name: np.array([value]) for name, value in fields.items()}
    answer = adapter().quantize(rounding="half_even", profile=profile, **columns)
    return int(np.ravel(answer)[0])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_quotient_is_rounded_to_the_type_or_to_float32(adapter: type[Adapter]) -> None:
    """Spec: AQ-PEER-21, AQ-PEER-22: 2047/1365 is 1.4996, in 11 bits 1.5, which goes to 2."""
    assert 1.5 - 2047 / 1365 < 2.0**-11
    assert code(adapter, "float16", 2047.0, 1365.0) == 3
    assert code(adapter, "float16_to_float32", 2047.0, 1365.0) == 2


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    ("profile", "r", "scale", "expected"),
    [
        ("float16", BELOW, 1.0, 1),
        ("float16", 65504.0, 0.25, 255),  # the quotient is infinite
        ("float16", -np.inf, 1.0, 0),
        ("float16", 1e6, 1.0, 255),  # r is infinite in the type
        ("bfloat16", 2.0**127, 0.25, 255),
        ("float16", 0.75 * 2.0**-14, 2.0**-14, 2),  # r is subnormal
        ("bfloat16", 0.75 * 2.0**-126, 2.0**-126, 2),
        ("bfloat16", 1.5, 1.0, 3),
    ],
)
def test_infinite_and_subnormal_numbers_are_numbers(
    adapter: type[Adapter], profile: str, r: float, scale: float, expected: int
) -> None:
    """Spec: AQ-PEER-20, AQ-PEER-21: with the zero point 1."""
    assert code(adapter, profile, r, scale) == expected


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    ("profile", "q", "scale", "real"),
    [
        ("float16", 3, 2049 / 2**11, 3.0),  # the scale is 1 in float16
        ("float16", 3, 1025 / 1024, 3.00390625),  # 3.0029 lies half-way, to even
        ("bfloat16", 3, 1.0078125, 3.03125),  # 3.0234 is 193.5/64
        ("float16", -3, 32.0, -96.0),
        ("float16", 255, 1024.0, np.inf),
        ("bfloat16", -255, 2.0**126, -np.inf),
    ],
)
def test_a_real_number_is_one_product_of_the_type(
    adapter: type[Adapter], profile: str, q: int, scale: float, real: float
) -> None:
    """Spec: AQ-PEER-23."""
    columns = {"q": np.array([q]), "scale": np.array([scale]), "zero_point": np.array([0])}
    assert np.ravel(adapter().dequantize(profile=profile, **columns)).tolist() == [real]


@pytest.mark.parametrize("scale", [2.0**-15, 2.0**15, 0.0, -1.0, float("nan")])
def test_a_scale_and_its_reciprocal_are_normal(scale: float) -> None:
    """Spec: AQ-PEER-20."""
    with pytest.raises(InputError, match="scale: needs a normal float16"):
        code(EngineAdapter, "float16", 1.0, scale)


def test_numbers_are_narrowed_as_numpy_narrows_them() -> None:
    rng = np.random.default_rng(0)
    values = np.ldexp(rng.normal(size=4000), rng.integers(-30, 20, 4000))
    with np.errstate(over="ignore"):
        assert narrowed(values, "float16").tolist() == values.astype(np.float16).tolist()
