"""The inputs of a proof have keys in their order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.conformance.proof.inputs import FLOATS, INTEGERS
from aquant_ref.errors import InputError


@settings(max_examples=30)
@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_the_keys_of_floats_are_in_the_order_of_the_floats(a: float, b: float) -> None:
    assert FLOATS.values(np.array([FLOATS.key(a)])).item() == a
    assert (a < b) <= (FLOATS.key(a) < FLOATS.key(b))
    assert FLOATS.key(-0.0) + 1 == FLOATS.key(0.0) == 0


@pytest.mark.parametrize(
    ("number", "key"),
    [
        (0.0, 0),
        (-0.0, -1),
        (2.0**-149, 1),
        (1.0, 0x3F800000),
        (-1.0, -1 - 0x3F800000),
        (math.inf, 0x7F800000),
        (1e300, 0x7F800000),
        (-1e300, -1 - 0x7F800000),
    ],
)
def test_a_key_is_the_pattern_of_the_float32(number: float, key: int) -> None:
    assert FLOATS.key(number) == key


def test_integers_are_their_own_keys() -> None:
    assert INTEGERS.key(-7.0) == -7
    assert INTEGERS.values(np.array([-7, 3])).tolist() == [-7, 3]
    with pytest.raises(InputError, match="range: needs integers, got 1.5"):
        INTEGERS.key(1.5)
