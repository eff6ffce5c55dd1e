"""Accumulators alone: by hand, and as onnxruntime 1.32 and onnx 1.23's reference evaluator gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter, SimulationAdapter
from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.expected.accumulators import matmul_integer, wrapped
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.errors import InputError

ADAPTERS = [OracleAdapter(), EngineAdapter(), SimulationAdapter(), Layers()]


@pytest.mark.parametrize(
    ("value", "code"), [(2**31 - 1, 2**31 - 1), (2**31, -(2**31)), (-(2**31) - 1, 2**31 - 1)]
)
def test_a_sum_wraps_in_int32(value: int, code: int) -> None:
    """Spec: AQ-ACC-1."""
    assert wrapped(value) == code


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda each: each.name)
def test_rows_and_columns_have_zero_points(adapter: Any) -> None:
    """Spec: AQ-ACC-2: (1 - 1)(4 - 3) + (2 - 1)(6 - 3) = 3, and so on."""
    a, b = np.array([[1, 2], [3, 5]]), np.array([[4, 9], [6, 7]])
    acc = adapter.matmul_integer(a=a, a_zero=np.array([1, 2]), b=b, b_zero=np.array([3, 8]))
    assert np.asarray(acc).squeeze().tolist() == [[3, -1], [1 * 1 + 3 * 3, 1 * 1 + 3 * -1]]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    ("a", "b", "a_zero", "b_zero", "acc"),
    [
        (255, 255, 0, 0, -2142639796),
        (255, -128, 0, 127, 2142639796),
        (-128, -128, 127, 127, -2142639796),
    ],
)
def test_33100_products_wrap_as_in_onnxruntime(
    adapter: Any, a: int, b: int, a_zero: int, b_zero: int, acc: int
) -> None:
    """Spec: AQ-ACC-2."""
    fields = {"a": np.full((1, 33100), a), "b": np.full((33100, 2), b)}
    zeros = {"a_zero": np.array([a_zero]), "b_zero": np.array([b_zero] * 2)}
    assert np.asarray(adapter.matmul_integer(**fields, **zeros)).ravel().tolist() == [acc, acc]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda each: each.name)
def test_padding_adds_nothing_whatever_the_zero_points(adapter: Any) -> None:
    """Spec: AQ-ACC-1: one pixel, 9 - 4 = 5, meets each of the weights 2 - 1 and 7 - 1."""
    acc = adapter.conv_integer(
        x=np.array([[[9]]]),
        x_zero=4,
        weight=np.array([[[[2, 7]]]]),
        weight_zero=np.array([1]),
        stride=(1, 1),
        padding=(0, 0, 1, 1),
        dilation=(1, 1),
        groups=1,
    )
    assert np.asarray(acc).ravel().tolist() == [30, 5]


def test_matrices_that_do_not_fit_are_refused() -> None:
    with pytest.raises(Refused):
        matmul_integer(a=[[1, 2]], a_zero=[0], b=[[1]], b_zero=[0])
    fields = {"a": np.ones((1, 2), int), "a_zero": np.zeros(1, int)}
    with pytest.raises(InputError, match="b: needs 2 rows, got 1"):
        EngineAdapter().matmul_integer(**fields, b=np.ones((1, 1), int), b_zero=np.zeros(1, int))
