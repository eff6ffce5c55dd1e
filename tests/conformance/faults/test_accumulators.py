"""Wrong accumulators compute what their names say."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.faults.accumulators import in_float32, saturated


def test_a_saturated_sum_stays_at_the_end_of_int32() -> None:
    assert saturated(np.array([2**31, -(2**40), 5])).tolist() == [2**31 - 1, -(2**31), 5]


def test_float32_loses_the_last_bit_of_a_sum_beyond_24_bits() -> None:
    assert in_float32(np.array([[1, 1]]), np.array([[2**24], [1]])).tolist() == [[2**24]]
