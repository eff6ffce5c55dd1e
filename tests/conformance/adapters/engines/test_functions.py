"""Operations between codes, by numbers calculated by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

UINT8 = {"qmin": 0, "qmax": 255}
INT8 = {"qmin": -128, "qmax": 127}
ONNX = ("onnxruntime", "onnx-reference")


@pytest.mark.parametrize("name", [*ONNX, "litert", "torch"])
def test_matrices_are_multiplied_batch_by_batch(name: str, engine: Any) -> None:
    """(3 - 1)*(5 - 2) + (4 - 1)*(7 - 2) = 21 units of 1/4, and 0."""
    q = engine(name).matmul(
        a=np.array([[[3, 4]], [[1, 2]]]),
        a_scale=0.5,
        a_zero=1,
        b=np.array([[[5], [7]], [[6], [2]]]),
        b_scale=0.5,
        b_zero=2,
        scale=0.25,
        zero_point=-3,
        profile="",
        **INT8,
    )
    assert q.tolist() == [[[18]], [[-3]]]


@pytest.mark.parametrize("name", ONNX)
def test_a_table_has_a_code_for_each_code(name: str, engine: Any) -> None:
    x, table = np.array([[[-2, 0], [1, -1]]]), np.array([7, -5, 3, 9])
    assert engine(name).lookup(x=x, table=table, least=-2).tolist() == [[[7, 3], [9, -5]]]


@pytest.mark.parametrize("name", [*ONNX, "litert", "torch"])
def test_the_negative_side_of_a_leaky_relu_is_less_steep(name: str, engine: Any) -> None:
    fields = {"x_scale": 1.0, "x_zero": 10, "alpha": 0.25, "scale": 0.5, "zero_point": 100}
    q = engine(name).activation(function="leaky_relu", x=np.array([2, 10, 13]), **fields, **UINT8)
    assert q.tolist() == [96, 100, 106]  # -2, 0 and 3 in steps of 1/2


@pytest.mark.parametrize("name", [*ONNX, "litert", "torch"])
def test_tensors_are_joined_in_the_scale_of_the_result(name: str, engine: Any) -> None:
    q = engine(name).concat(
        x=np.array([[[5]], [[7]], [[9]]]),
        channels=np.array([2, 1]),
        x_scale=np.array([1.0, 0.5]),
        x_zero=np.array([3, 5]),
        scale=0.5,
        zero_point=20,
        **UINT8,
    )
    assert q.tolist() == [[[24]], [[28]], [[24]]]


@pytest.mark.parametrize("name", ["litert", "xnnpack", "torch"])
@pytest.mark.parametrize(
    ("activation", "ends"), [("none", (0, 255)), ("relu", (7, 255)), ("relu6", (7, 19))]
)
def test_an_activation_leaves_these_codes(
    name: str, activation: str, ends: tuple[int, int], engine: Any
) -> None:
    fields = {"scale": 0.5, "zero_point": 7, **UINT8}
    columns = {key: np.array([value]) for key, value in fields.items()}
    low, high = engine(name).activation_range(activation=activation, **columns)
    assert (*low.tolist(), *high.tolist()) == ends


def test_an_engine_supports_what_it_defines(engine: Any) -> None:
    litert = engine("litert")
    assert [name for name in ("matmul", "lookup", "concat") if litert.supports(name)] == [
        "matmul",
        "concat",
    ]
