"""How cases become arguments of an 8-bit engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters.engines.codes import (
    OneByOne,
    Storage,
    clipped,
    scale32,
    storage_of,
    unanimous,
    whole_bias,
)
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate


class Odd(OneByOne):
    """Has no answer for even numbers."""

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        if v[0] % 2 == 0:
            raise NotImplementedError("even")
        return np.clip(v, low, high)


def test_a_case_that_an_engine_does_not_have_leaves_the_others_alone() -> None:
    cases = generate(Selection("clip"), range(40))
    answers = Odd().answer(Selection("clip"), cases)
    even = np.flatnonzero(cases.columns["v"] % 2 == 0)
    assert sorted(answers.other) == even.tolist()
    assert set(answers.other.values()) == {("skip", "even")}
    odd = np.setdiff1d(np.arange(40), even)
    low, high, v = (cases.columns[name][odd] for name in ("low", "high", "v"))
    assert np.array_equal(answers.values[0][odd], np.minimum(np.maximum(v, low), high))


@pytest.mark.parametrize("scale", [2.0**-127, 2.0**127, 1e-46, 1e300, 0.0])
def test_a_scale_that_is_no_normal_float32_is_never_given_to_an_engine(scale: float) -> None:
    with pytest.raises(NotImplementedError, match="no normal float32"):
        scale32(np.array([0.5, scale]))


def test_scales_are_rounded_to_float32() -> None:
    assert scale32(0.1) == np.float32(0.1)
    assert scale32(2.0**-126) == 2.0**-126


@pytest.mark.parametrize(("codes", "signed"), [((0, 255), False), ((-1, 3), True), ((5,), False)])
def test_codes_are_signed_if_one_is(codes: tuple[int, ...], signed: bool) -> None:
    assert storage_of(*codes) == Storage(signed)


def test_codes_of_more_bits_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="8 bits"):
        Storage(signed=True).hold([128])
    assert Storage(signed=False).hold([255]).dtype == np.uint8
    assert Storage(signed=True, bits=16).hold([-(2**15), 2**15 - 1]).dtype == np.int16


def test_elements_that_differ_for_one_input_are_an_error() -> None:
    assert unanimous(np.array([3, 3])) == 3
    with pytest.raises(ValueError, match="gives 3 at 0 and 4 at 2"):
        unanimous(np.array([3, 3, 4]))


def test_a_bias_is_a_whole_number_of_int32() -> None:
    assert whole_bias(np.array([-1.5, 0.25]), 0.5, np.array([0.5, 0.25])).tolist() == [-6, 2]
    with pytest.raises(NotImplementedError, match="beyond int32"):
        whole_bias(np.array([2.0**31]), 1.0, np.array([1.0]))
    assert whole_bias(np.array([2.0**31]), 1.0, np.array([1.0]), 64).tolist() == [2**31]


def test_a_range_within_that_of_the_type_is_clipped() -> None:
    assert clipped(np.array([-128, 5, 127], np.int8), -3, 100).tolist() == [-3, 5, 100]
