from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref.engine.float_product import BEYOND, float_products

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT32, st.floats(2.0**-60, 2.0**20))
@example(2**24 + 1, 0.5)  # which float32 cannot hold
@example(3, 0.5)  # ties
@example(5, 0.5)
@example(-3, 0.5)
def test_in_float32_it_is_what_numpy_multiplies_and_rounds(acc: int, multiplier: float) -> None:
    wanted = np.rint(np.float32(acc) * np.float32(multiplier))
    found = float_products(np.array([acc]), np.array([multiplier]), "float32")
    assert found.dtype == np.int64
    assert found.tolist() == [int(wanted)]


@pytest.mark.parametrize(
    ("acc", "multiplier", "wanted"), [(1, 0.5, 1), (-1, 0.5, -1), (5, 0.5, 3), (-5, 0.3, -2)]
)
def test_in_float64_a_tie_goes_away_from_zero(acc: int, multiplier: float, wanted: int) -> None:
    found = float_products(np.array([acc]), np.array([multiplier]), "float64")
    assert found.tolist() == [wanted]


def test_what_no_int64_holds_is_cut_off_far_beyond_every_code() -> None:
    found = float_products(np.array([2**31 - 1, -(2**31)]), np.array([1e300]), "float64")
    assert found.tolist() == [BEYOND, -BEYOND]
