from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autograd import grad
from autograd.extend import defvjp

from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import check_axes, check_shape, floats, primitive
from aquant_ref.typing import Reals

ONE = np.ones(2)


@floats
def scaled(x: Reals, factor: int, bias: Reals | None = None, *, shift: Reals | None = None) -> Any:
    return factor * x + (0 if bias is None else bias) + (0 if shift is None else shift)


@floats
def total(*inputs: Reals) -> Any:
    return sum(inputs)


@primitive
def threefold(x: Reals) -> Reals:
    return 3 * x


defvjp(threefold, lambda _made, _x: lambda g: 7 * g)  # another number, to be seen in the gradient


def slope(function: Callable[[Any], Any]) -> Any:
    derivative: Any = grad(lambda x: function(x).sum())
    return derivative(ONE).tolist()


def test_tensors_are_checked_by_place_and_by_name_and_other_arguments_are_not() -> None:
    assert scaled(ONE, 2).tolist() == [2, 2]
    assert scaled(ONE, 2, None, shift=ONE.astype("f4")).tolist() == [3, 3]
    refused: list[tuple[Callable[[], Any], str]] = [
        (lambda: scaled(np.ones(2, int), 2), "x"),
        (lambda: scaled(None, 2), "x"),
        (lambda: scaled(ONE, 2, [1.0, 1.0]), "bias"),
        (lambda: scaled(ONE, 2, shift=ONE.astype("f2")), "shift"),
        (lambda: scaled(x=1.0, factor=2), "x"),
    ]
    for call, name in refused:
        with pytest.raises(InputError, match=f"^scaled: {name} needs float32 or float64, got "):
            call()


def test_each_of_any_number_of_tensors_is_checked() -> None:
    assert total(ONE, ONE, ONE).tolist() == [3, 3]
    with pytest.raises(InputError, match="^total: inputs needs float32 or float64, got"):
        total(ONE, ONE, ONE > 0)


def test_a_primitive_is_one_step_with_its_own_derivative_and_the_check() -> None:
    assert threefold(ONE).tolist() == [3, 3]
    assert slope(threefold) == [7, 7]
    assert threefold.__name__ == "threefold"
    with pytest.raises(InputError, match="^threefold: x needs float32"):
        threefold(np.ones(2, np.int64))


def test_a_traced_tensor_is_checked_as_what_it_holds() -> None:
    assert slope(lambda x: scaled(x, 2)) == [2, 2]


def test_axes_and_shapes_are_refused_with_what_is_needed() -> None:
    check_axes("conv2d", np.ones((1, 1)), 2)
    with pytest.raises(InputError, match=r"^conv2d: needs 4 axes, got a tensor of shape \(2,\)"):
        check_axes("conv2d", ONE, 4)
    check_shape("conv2d", "bias", None, (3,))
    check_shape("conv2d", "bias", ONE, (3,), (2,))
    with pytest.raises(InputError, match=r"^conv2d: bias has shape \(2,\), needs \(3,\)"):
        check_shape("conv2d", "bias", ONE, (3,), (1,))
