"""Every function of `nn` on tensors takes float32 and float64, and refuses all else in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autograd import grad

from aquant_ref import nn
from aquant_ref.errors import InputError
from aquant_ref.nn.norm import batch_norm_train, batch_statistics
from aquant_ref.nn.straight_through import CodeRange, ste_quantize
from aquant_ref.nn.window_border import bordered_conv2d

draw = np.random.default_rng(0).standard_normal
X, FLAT = draw((2, 4, 5, 6)), draw((2, 4))
CHANNEL = abs(draw(4)) + 0.1
CODES = CodeRange(-3, 4)
Call = tuple[Callable[..., Any], dict[str, np.ndarray]]

# Each function of its tensors, all of one dtype, and the tensors.
CALLS: dict[str, Call] = {
    "conv2d": (nn.conv2d, {"x": X, "weight": draw((3, 4, 2, 2)), "bias": draw(3)}),
    "a depthwise conv2d": (
        lambda x, weight: nn.conv2d(x, weight, groups=4),
        {"x": X, "weight": draw((4, 1, 2, 2))},
    ),
    "linear": (nn.linear, {"x": FLAT, "weight": draw((3, 4)), "bias": draw(3)}),
    "relu": (nn.relu, {"x": X}),
    "relu6": (nn.relu6, {"x": X}),
    "leaky_relu": (nn.leaky_relu, {"x": X}),
    "add": (nn.add, {"a": X, "b": X + 1}),
    "mul": (nn.mul, {"a": X, "b": X + 1}),
    "concat": (lambda a, b: nn.concat(a, b), {"a": X, "b": X + 1}),
    "flatten": (nn.flatten, {"x": X}),
    "max_pool": (lambda x: nn.max_pool(x, 2, padding=1), {"x": X}),
    "avg_pool": (lambda x: nn.avg_pool(x, 2, padding=1, count_padding=False), {"x": X}),
    "global_avg_pool": (nn.global_avg_pool, {"x": X}),
    "batch_norm": (
        lambda x, gamma, beta, mean, variance: nn.batch_norm(
            x, gamma, beta, mean=mean, variance=variance
        ),
        {"x": X, **dict.fromkeys(("gamma", "beta", "mean", "variance"), CHANNEL)},
    ),
    "batch_norm_train": (
        lambda x, gamma, beta, mean, variance: batch_norm_train(
            x, gamma, beta, mean=mean, variance=variance
        ),
        {"x": X, **dict.fromkeys(("gamma", "beta", "mean", "variance"), CHANNEL)},
    ),
    "batch_statistics": (lambda x: batch_statistics(x)[1], {"x": X}),
    "softmax": (nn.softmax, {"logits": FLAT}),
    "softmax_cross_entropy": (
        lambda logits: nn.softmax_cross_entropy(logits, np.array([0, 3])),
        {"logits": FLAT},
    ),
    "ste_quantize": (
        lambda x, coefficients: ste_quantize(x, 0.5, coefficients, codes=CODES),
        {"x": X, "coefficients": draw((4, 3))},
    ),
    "ste_quantize of (N, C)": (
        lambda x, coefficients: ste_quantize(x, 0.5, coefficients, codes=CODES),
        {"x": FLAT, "coefficients": draw((4, 3))},
    ),
    "bordered_conv2d": (
        lambda x, weight, bias, coefficients, fusion: bordered_conv2d(
            x, weight, bias, 0.5, coefficients, fusion, codes=CODES
        ),
        {
            "x": X,
            "weight": draw((3, 4, 1, 2)),
            "bias": draw(3),
            "coefficients": draw((8, 3)),
            "fusion": draw((8, 3)),
        },
    ),
}
ARGUMENTS = [(call, name) for call, (_, tensors) in CALLS.items() for name in tensors]
OTHERS = ("int8", "uint8", "int32", "int64", "bool", "float16", "complex128", "object")


def test_every_public_function_is_here() -> None:
    functions = {name for name in nn.__all__ if callable(getattr(nn, name)) and name[0].islower()}
    assert functions - {"fold", "fold_batch_norm"} <= CALLS.keys()


@pytest.mark.parametrize("dtype", OTHERS)
@pytest.mark.parametrize(("call", "name"), ARGUMENTS)
def test_a_tensor_of_another_dtype_is_refused(call: str, name: str, dtype: str) -> None:
    function, tensors = CALLS[call]
    with pytest.raises(InputError, match=f"needs float32 or float64, got {dtype}") as caught:
        function(**{**tensors, name: tensors[name].astype(dtype)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("call", "name"), ARGUMENTS)
def test_what_is_no_tensor_is_refused(call: str, name: str) -> None:
    function, tensors = CALLS[call]
    for value in (tensors[name].tolist(), 1.0, "x"):
        with pytest.raises(InputError, match="needs float32 or float64, got"):
            function(**{**tensors, name: value})


@pytest.mark.parametrize(
    ("call", "name"),
    [each for each in ARGUMENTS if each[0] not in ("relu", "relu6", "leaky_relu", "flatten")],
)
def test_a_tensor_of_another_shape_is_refused_not_broadcast(call: str, name: str) -> None:
    function, tensors = CALLS[call]
    for shape in ((1,), (), (7, 1, 1), (2, 2, 2, 2, 2)):
        with pytest.raises(ValueError, match=r"shape|axes|groups|needs"):
            function(**{**tensors, name: np.ones(shape)})


@pytest.mark.parametrize("call", CALLS)
def test_float32_and_float64_give_the_same_and_keep_their_dtype(call: str) -> None:
    function, tensors = CALLS[call]
    single = function(**{name: tensor.astype(np.float32) for name, tensor in tensors.items()})
    double = function(**tensors)
    rounds = "quantize" in call or "bordered" in call  # a code may be the next one
    assert np.mean(abs(single - double) > 1e-4 * (1 + abs(double))) <= (0.05 if rounds else 0)
    if call != "batch_statistics":  # sums in float64
        assert np.asarray(single).dtype == np.float32


@pytest.mark.parametrize("call", [c for c in CALLS if c not in ("batch_statistics", "softmax")])
def test_a_gradient_goes_through_the_check(call: str) -> None:
    function, tensors = CALLS[call]
    first, *others = tensors.values()
    slope = grad(lambda x: function(x, *others).sum())(first)
    assert slope.shape == first.shape


def test_batch_norm_refuses_what_makes_no_square_root() -> None:
    for function in (nn.batch_norm, batch_norm_train):
        good = {"x": X, **dict.fromkeys(("gamma", "beta", "mean", "variance"), CHANNEL)}
        for eps in (0, -1e-3, np.nan, "1e-3", True, None):
            with pytest.raises(InputError, match="^batch_norm.*: eps: needs a finite number"):
                function(**good, eps=eps)
        for variance in (-1e-9, np.nan):
            wrong = {**good, "variance": np.array([1, 1, variance, 1])}
            with pytest.raises(InputError, match="^batch_norm.*: a variance is negative, or NaN"):
                function(**wrong)


def test_no_images_and_no_classes_are_no_traceback() -> None:
    assert nn.flatten(np.zeros((0, 3, 1, 2))).shape == (0, 6)
    with pytest.raises(InputError, match="^softmax: needs one class"):
        nn.softmax(np.zeros((2, 0)))


def test_whether_padding_counts_is_said_with_true_or_false() -> None:
    with pytest.raises(InputError, match="^count_padding: needs True or False, got 0"):
        nn.avg_pool(X, 2, count_padding=0)


def test_padding_never_wins_over_what_is_below_0() -> None:
    x = np.full((1, 1, 2, 2), -5.0)
    assert nn.max_pool(x, 2, padding=1).max() == -5
    with pytest.raises(InputError, match="max_pool: x needs"):
        nn.max_pool(x.astype(np.int8), 2, padding=1)
