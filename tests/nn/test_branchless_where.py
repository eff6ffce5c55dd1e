from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aquant_ref.nn.branchless_where import branchless_where


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data())
def test_selected_elements_are_those_of_where_bit_for_bit(
    dtype: type[np.floating], data: st.DataObject
) -> None:
    shape = data.draw(arrays.array_shapes(max_dims=4, max_side=5))
    a, b = (data.draw(arrays.arrays(dtype, shape)) for _ in range(2))  # NaN, infinity, -0.0
    mask = data.draw(arrays.arrays(np.bool_, shape))
    before = a.tobytes(), b.tobytes()
    assert branchless_where(mask, a, b).tobytes() == np.where(mask, a, b).tobytes()
    assert (a.tobytes(), b.tobytes()) == before
