from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.integer import saturate
from aquant_ref.integer.saturate import check_inside, check_integers

ENDS = [(-128, 127), (0, 255), (-7, -7), (-(2**31), 2**31 - 1)]
VALUES = [-(2**63), -(2**31) - 1, -(2**31), -129, -128, -1, 0, 127, 128, 2**31, 2**63 - 1]


@given(value=st.one_of(st.sampled_from(VALUES), st.integers(-300, 300)), ends=st.sampled_from(ENDS))
def test_saturation_equals_the_oracle_and_never_wraps(value: int, ends: tuple[int, int]) -> None:
    """Spec: AQ-INT-1."""
    result = saturate(np.array([value]), *ends)
    assert (result.tolist(), result.dtype) == ([oracle.clip(value, *ends)], np.int32)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64])
def test_every_integer_type_is_read_by_value(dtype: type) -> None:
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max], dtype)
    expected = [oracle.clip(int(v), -5, 5) for v in values]
    assert saturate(values, -5, 5).tolist() == expected


def test_each_element_may_have_its_own_ends() -> None:
    assert saturate(np.array([9, 9, -9]), [0, 3, -4], [7, 15, 0]).tolist() == [7, 9, -4]


@pytest.mark.parametrize("values", [np.array([1.0]), np.array([True]), np.array(["1"])])
def test_what_is_not_an_integer_is_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="needs integers"):
        saturate(values, 0, 1)


def test_uint64_beyond_int64_is_refused() -> None:
    assert check_integers("x", np.array([2**63 - 1], np.uint64)).tolist() == [2**63 - 1]
    with pytest.raises(InputError, match="int64"):
        check_integers("x", np.array([2**63], np.uint64))


@pytest.mark.parametrize("ends", [(1, 0), (-(2**31) - 1, 0), (0, 2**31)])
def test_ends_that_are_none_are_refused(ends: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"low|high"):
        saturate(np.array([0]), *ends)


@pytest.mark.parametrize("value", [-1, 63])
def test_a_refusal_names_the_worst_value(value: int) -> None:
    with pytest.raises(InputError, match=rf"shift: needs 0 to 62, got {value}$"):
        check_inside("shift", [5, value], 0, 62)
