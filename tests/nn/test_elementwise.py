from __future__ import annotations

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from aquant_ref import nn, oracle
from aquant_ref.errors import InputError
from tests.nn.layers import as_tuple_lists, integers, rng


def test_concat_puts_one_tensor_after_the_other_and_splits_the_gradient() -> None:
    parts = [integers(2, channels, 3, 2) for channels in (2, 1, 3)]
    for number, result in enumerate(nn.concat(*parts)):
        assert result.tolist() == oracle.concat(*(as_tuple_lists(x[number]) for x in parts))
    check_grads(nn.concat, modes=["rev"], order=1)(*parts)
    check_grads(nn.concat, modes=["rev"], order=1)(integers(2, 3), integers(2, 1))
    with pytest.raises(ValueError, match="beyond their channels"):
        nn.concat(np.ones((1, 2, 3, 3)), np.ones((1, 2, 3, 4)))


def test_the_slope_of_a_product_is_the_other_factor() -> None:
    a, b = np.array([[1.0, -2, 0]]), np.array([[3.0, 5, -7]])
    assert nn.mul(a, b).tolist() == [[3, -10, 0]]
    assert grad(lambda v: nn.mul(v, b).sum())(a).tolist() == b.tolist()
    assert grad(lambda v: nn.mul(a, v).sum())(b).tolist() == a.tolist()
    assert grad(lambda v: nn.mul(v, v).sum())(a).tolist() == (2 * a).tolist()


def test_relu_and_relu6_have_no_slope_at_their_corners() -> None:
    x = np.array([[-1.0, 0.0, 3.0, 6.0, 7.0]])
    assert nn.relu(x).tolist() == [[0, 0, 3, 6, 7]]
    assert nn.relu6(x).tolist() == [[0, 0, 3, 6, 6]]
    assert grad(lambda v: nn.relu(v).sum())(x).tolist() == [[0, 0, 1, 1, 1]]
    assert grad(lambda v: nn.relu6(v).sum())(x).tolist() == [[0, 0, 1, 0, 0]]


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_leaky_relu_has_the_slope_alpha_up_to_zero(alpha: float, dtype: type) -> None:
    x = np.array([[-4.0, -0.0, 0.0, 3.0]], dtype)
    made = nn.leaky_relu(x, alpha=alpha)
    assert (made.tolist(), made.dtype) == ([[-4 * alpha, 0, 0, 3]], dtype)
    slope = grad(lambda v: nn.leaky_relu(v, alpha=alpha).sum())(x)
    assert (slope.tolist(), slope.dtype) == ([[alpha, alpha, alpha, 1]], dtype)
    assert nn.leaky_relu(np.array([[-1.0]])).tolist() == [[-0.01]]


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan"), "x", None])
def test_a_leaky_relu_of_another_slope_is_refused(alpha: object) -> None:
    with pytest.raises(InputError, match=r"^leaky_relu: alpha: needs .* at most 1, got"):
        nn.leaky_relu(np.ones((1, 2)), alpha=alpha)


def test_add_broadcasts_nothing() -> None:
    check_grads(nn.add, modes=["rev"], order=1)(integers(2, 3), integers(2, 3))
    with pytest.raises(ValueError, match="differ"):
        nn.add(np.ones((2, 3)), np.ones((1, 3)))


def test_flatten_puts_the_channel_first() -> None:
    x = integers(1, 2, 2, 2)
    assert nn.flatten(x)[0].tolist() == oracle.flatten(as_tuple_lists(x[0]))
    check_grads(nn.flatten, modes=["rev"], order=1)(x)


def test_cross_entropy_equals_its_definition_and_survives_large_logits() -> None:
    logits, labels = rng.standard_normal((3, 4)), np.array([0, 3, 1])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(probabilities[np.arange(3), labels]).mean()
    assert nn.softmax_cross_entropy(logits, labels) == pytest.approx(expected)
    check_grads(lambda v: nn.softmax_cross_entropy(v, labels), modes=["rev"], order=1)(logits)
    large = np.array([[1e4, -1e4]])
    assert nn.softmax_cross_entropy(large, np.array([0])) == 0
    assert nn.softmax_cross_entropy(large, np.array([1])) == 2e4
