"""float16 and bfloat16 in numpy, by numbers calculated by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import engine_half
from aquant_ref.conformance.adapters.engine_half import narrowed
from aquant_ref.errors import InputError

INT8 = {"zero_point": np.array([0]), "qmin": np.array([-128]), "qmax": np.array([127])}


@pytest.mark.parametrize(
    ("kind", "value", "nearest"),
    [
        ("float16", 1 + 2.0**-11, 1.0),  # a tie
        ("float16", 1 + 3 * 2.0**-11, 1 + 2.0**-9),
        ("float16", 65519.0, 65504.0),  # the largest
        ("float16", 65520.0, np.inf),
        ("float16", -65520.0, -np.inf),
        ("float16", 2.0**-25, 0.0),  # half the least
        ("float16", 3 * 2.0**-25, 2.0**-23),
        ("bfloat16", 1 + 2.0**-8, 1.0),
        ("bfloat16", 1 + 3 * 2.0**-8, 1 + 2.0**-6),
        ("bfloat16", 65520.0, 65536.0),
    ],
)
def test_a_number_goes_to_the_nearest_and_a_tie_to_the_even_one(
    kind: str, value: float, nearest: float
) -> None:
    assert narrowed(np.array([value]), kind).tolist() == [nearest]


def test_float16_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    values = np.ldexp(rng.normal(size=5000), rng.integers(-27, 17, 5000))
    with np.errstate(over="ignore"):
        assert narrowed(values, "float16").tolist() == values.astype(np.float16).tolist()


def quantized(r: float, scale: float, profile: str) -> list[int]:
    given: dict[str, Any] = {"r": np.array([r]), "scale": np.array([scale]), **INT8}
    return list(engine_half.quantize(rounding="half_even", profile=profile, **given).tolist())


def test_a_quotient_is_rounded_to_the_type_before_it_is_rounded_to_a_code() -> None:
    """127.5 is no bfloat16 of 8 bits: 102/0.8 is rounded to 128, and 97/1.5 = 64.67 to 64.5."""
    assert quantized(97.0, 1.5, "bfloat16") == [64]
    assert quantized(97.0, 1.5, "float16_to_float32") == [65]
    assert quantized(97.0, 1.5, "float16") == [65]


def test_codes_times_a_scale_are_rounded_once() -> None:
    """127 * (1 + 2^-7) is 127.9921875, and 128 in bfloat16."""
    given = {"q": np.array([127]), "scale": np.array([1 + 2.0**-7]), "zero_point": np.array([0])}
    assert engine_half.dequantize(profile="bfloat16", **given).tolist() == [128.0]
    assert engine_half.dequantize(profile="float16", **given).tolist() == [127.9921875 + 2.0**-7]


def test_a_scale_that_is_no_normal_number_and_a_nan_are_refused() -> None:
    with pytest.raises(InputError, match="scale: needs a normal float16"):
        quantized(1.0, 2.0**-20, "float16")
    with pytest.raises(InputError, match="r: needs numbers, got NaN"):
        quantized(float("nan"), 1.0, "float16")
