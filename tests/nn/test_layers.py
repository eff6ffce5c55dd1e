from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from aquant_ref import nn, oracle
from aquant_ref.nn.norm import EPS, batch_norm_train, batch_statistics
from aquant_ref.nn.windows import Windows
from aquant_ref.threads import set_threads

rng = np.random.default_rng(0)

# channels, outputs, groups, kernel, stride, padding, dilation, (height, width)
CONVOLUTIONS = [
    (3, 4, 1, (3, 3), (1, 1), (1, 1), (1, 1), (5, 4)),
    (4, 6, 2, (3, 2), (2, 1), (0, 1), (1, 1), (7, 5)),
    (4, 4, 4, (3, 3), (2, 2), (1, 1), (1, 1), (6, 7)),  # depthwise, the last row left over
    (3, 3, 3, (3, 2), (1, 2), (2, 0), (1, 1), (4, 7)),  # depthwise, nothing square
    (3, 6, 3, (3, 3), (1, 1), (1, 1), (1, 1), (4, 5)),  # two outputs a channel
    (2, 3, 1, (1, 1), (2, 2), (0, 0), (1, 1), (5, 5)),
    (1, 1, 1, (2, 3), (1, 3), (2, 0), (1, 1), (2, 3)),  # padding as wide as the kernel
    (2, 3, 1, (3, 2), (1, 1), ((0, 2), (1, 0)), (1, 1), (4, 3)),  # four sides, three paddings
    (3, 3, 3, (2, 3), (2, 1), ((1, 0), (0, 3)), (1, 2), (3, 5)),  # depthwise and dilated
    (4, 2, 2, (3, 2), (2, 3), (2, (0, 1)), (2, 3), (5, 6)),
    (2, 2, 1, (2, 2), (1, 1), (0, 0), (3, 2), (4, 3)),  # the dilated kernel is the image
    (2, 2, 2, (2, 1), (5, 4), ((0, 1), (0, 0)), (1, 1), (6, 5)),  # a stride beyond the kernel
    (1, 2, 1, (3, 3), (1, 1), 1, (1, 1), (1, 1)),  # one pixel
]


def integers(*shape: int) -> np.ndarray:
    """Small integers as floats: sums of their products are exact in any order."""
    return rng.integers(-4, 5, shape).astype(np.float64)


def as_tuple_lists(x: np.ndarray) -> Any:
    return x.astype(int).tolist()


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_conv2d_equals_the_oracle_exactly_on_integers(case: tuple[Any, ...], dtype: Any) -> None:
    channels, outputs, groups, kernel, stride, padding, dilation, size = case
    x = integers(2, channels, *size).astype(dtype)
    w, b = integers(outputs, channels // groups, *kernel).astype(dtype), integers(outputs)
    places = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    out = nn.conv2d(x, w, b.astype(dtype), **places)
    assert out.dtype == dtype
    if padding == 1:
        places["padding"] = (1, 1)
    for image, result in zip(x, out, strict=True):
        exact = oracle.conv2d(as_tuple_lists(image), as_tuple_lists(w), **places)
        assert (result - b[:, None, None]).tolist() == exact


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_conv2d_has_the_derivative_of_finite_differences(case: tuple[Any, ...]) -> None:
    channels, outputs, groups, kernel, stride, padding, dilation, size = case

    def function(x: Any, w: Any, b: Any) -> Any:
        return nn.conv2d(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)

    arrays = (
        rng.standard_normal((2, channels, *size)),
        rng.standard_normal((outputs, channels // groups, *kernel)),
        rng.standard_normal(outputs),
    )
    check_grads(function, modes=["rev"], order=1)(*arrays)


def test_a_convolution_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="groups"):
        nn.conv2d(np.ones((1, 3, 4, 4)), np.ones((4, 2, 3, 3)))
    with pytest.raises(ValueError, match="does not fit"):
        nn.conv2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3)))


@pytest.mark.parametrize(
    "places",
    [
        {"stride": 0},
        {"padding": -1},
        {"padding": ((0, 0), (0, -1))},
        {"dilation": (1, 0)},
        {"dilation": 4},
    ],
)
def test_windows_that_are_none_are_refused(places: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(places))}: needs|does not fit"):
        Windows((1, 1, 4, 4), 2, **places)


@pytest.mark.parametrize(("padding", "dilation"), [((1, 1), 1), (((0, 2), (1, 0)), (2, 3))])
def test_images_is_the_transpose_of_columns(padding: Any, dilation: Any) -> None:
    geometry = Windows((2, 3, 7, 5), (3, 2), (2, 1), padding, dilation)
    x = rng.standard_normal((2, 3, 7, 5))
    columns = geometry.columns(x)
    other = rng.standard_normal(columns.shape)
    assert np.vdot(columns, other) == pytest.approx(np.vdot(x, geometry.images(other)))


def test_linear_equals_the_oracle_and_has_its_derivative() -> None:
    x, w, b = integers(2, 5), integers(3, 5), integers(3)
    for image, result in zip(x, nn.linear(x, w, b), strict=True):
        exact = oracle.linear(as_tuple_lists(image), as_tuple_lists(w))
        assert (result - b).tolist() == exact
    check_grads(nn.linear, modes=["rev"], order=1)(x, w, b)
    with pytest.raises(ValueError, match="does not fit"):
        nn.linear(np.ones((2, 4)), w)


POOLS = [
    ((2, 2), {"stride": (2, 2), "padding": (0, 0)}),
    ((3, 2), {"stride": (2, 1), "padding": (1, 1)}),
    ((2, 3), {"stride": (1, 2), "padding": (1, 0)}),
    ((3, 3), {"stride": (1, 2), "padding": ((0, 2), (1, 0))}),
    ((2, 2), {"stride": (1, 1), "padding": ((1, 0), (2, 1)), "dilation": (3, 2)}),
    ((6, 5), {"stride": (1, 1)}),  # the whole image
    ((1, 2), {"stride": (4, 3)}),  # pixels that no window meets
]


@pytest.mark.parametrize(("kernel", "places"), POOLS)
@pytest.mark.parametrize("count_padding", [True, False])
def test_avg_pool_equals_the_oracle(
    kernel: Any, places: dict[str, Any], count_padding: bool
) -> None:
    """Spec: AQ-IDEAL-4."""
    x = integers(2, 2, 6, 5)

    def pool(x: Any) -> Any:
        return nn.avg_pool(x, kernel, **places, count_padding=count_padding)

    for image, result in zip(x, pool(x), strict=True):
        exact = oracle.avg_pool(
            as_tuple_lists(image), kernel, **places, count_padding=count_padding
        )
        assert result.tolist() == oracle.apply(float, exact)
    check_grads(pool, modes=["rev"], order=1)(x)


@pytest.mark.parametrize(("kernel", "places"), POOLS)
def test_max_pool_equals_the_oracle_and_padding_never_wins(
    kernel: Any, places: dict[str, Any]
) -> None:
    """Spec: AQ-IDEAL-4."""
    x = integers(2, 2, 6, 5) - 9  # all negative: a padded 0 would win
    out = nn.max_pool(x, kernel, **places)
    for image, result in zip(x, out, strict=True):
        assert result.tolist() == oracle.max_pool(as_tuple_lists(image), kernel, **places)
    distinct = rng.permutation(x.size).reshape(x.shape) / 7.0
    check_grads(lambda x: nn.max_pool(x, kernel, **places), modes=["rev"], order=1)(distinct)


@pytest.mark.parametrize("pool", [nn.max_pool, nn.avg_pool])
@pytest.mark.parametrize("places", [{"padding": ((2, 0), (1, 0))}, {"padding": 1, "dilation": 2}])
def test_a_pool_with_a_window_of_padding_alone_is_refused(pool: Any, places: Any) -> None:
    """The second has gaps: pixel 0 lies between the two that the window meets."""
    with pytest.raises(ValueError, match="only padding"):
        pool(np.ones((1, 1, 1, 1)), 2, **places)


def test_concat_puts_one_tensor_after_the_other_and_splits_the_gradient() -> None:
    parts = [integers(2, channels, 3, 2) for channels in (2, 1, 3)]
    for number, result in enumerate(nn.concat(*parts)):
        assert result.tolist() == oracle.concat(*(as_tuple_lists(x[number]) for x in parts))
    check_grads(nn.concat, modes=["rev"], order=1)(*parts)
    check_grads(nn.concat, modes=["rev"], order=1)(integers(2, 3), integers(2, 1))
    with pytest.raises(ValueError, match="beyond their channels"):
        nn.concat(np.ones((1, 2, 3, 3)), np.ones((1, 2, 3, 4)))


def test_of_equal_maxima_the_first_gets_the_gradient() -> None:
    gradient = grad(lambda x: nn.max_pool(x, 2).sum())(np.ones((1, 1, 2, 2)))
    assert gradient.tolist() == [[[[1, 0], [0, 0]]]]


def test_global_avg_pool_is_the_mean_of_all_positions() -> None:
    x = integers(2, 3, 4, 8)
    exact = [oracle.avg_pool(as_tuple_lists(i), (4, 8), stride=(1, 1)) for i in x]
    assert nn.global_avg_pool(x).tolist() == oracle.apply(float, exact)
    check_grads(nn.global_avg_pool, modes=["rev"], order=1)(x)


def test_relu_and_relu6_have_no_slope_at_their_corners() -> None:
    x = np.array([[-1.0, 0.0, 3.0, 6.0, 7.0]])
    assert nn.relu(x).tolist() == [[0, 0, 3, 6, 7]]
    assert nn.relu6(x).tolist() == [[0, 0, 3, 6, 6]]
    assert grad(lambda v: nn.relu(v).sum())(x).tolist() == [[0, 0, 1, 1, 1]]
    assert grad(lambda v: nn.relu6(v).sum())(x).tolist() == [[0, 0, 1, 0, 0]]


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


def reference_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    per_channel = (slice(None), None, None)
    normal = (x - mean[per_channel]) / np.sqrt(variance[per_channel] + EPS)
    return normal * gamma[per_channel] + beta[per_channel]


def train_norm(x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = batch_statistics(x)
    return batch_norm_train(x, gamma, beta, mean=mean, variance=variance)


def test_batch_norm_in_training_equals_its_definition_and_sees_its_own_statistics() -> None:
    x = 3 * rng.standard_normal((4, 3, 5, 2)) + 7
    gamma, beta = np.array([1.5, -0.5, 0.1]), np.array([0.0, 1.0, -2.0])
    assert train_norm(x, gamma, beta) == pytest.approx(reference_norm(x, gamma, beta))
    check_grads(train_norm, modes=["rev"], order=1)(x, gamma, beta)


def test_batch_norm_at_inference_uses_the_given_statistics() -> None:
    x = rng.standard_normal((2, 3, 2, 2))
    mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    gamma, beta = np.array([1.5, -0.5, 0.1]), np.array([0.0, 1.0, -2.0])
    result = nn.batch_norm(x, gamma, beta, mean=mean, variance=variance)
    assert result == pytest.approx(reference_norm(x, gamma, beta))


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    out = train_norm(np.full((2, 1, 3, 3), 1e3, np.float32), np.ones(1), np.zeros(1))
    assert np.isfinite(out).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_no_byte(threads: int) -> None:
    x = rng.standard_normal((21, 4, 9, 9)).astype(np.float32)
    w = rng.standard_normal((5, 4, 3, 3)).astype(np.float32)

    def loss(x: Any, w: Any) -> Any:
        out = train_norm(nn.conv2d(x, w, padding=1), np.ones(5, np.float32), np.zeros(5))
        return (out * out * out).sum()

    def everything() -> list[bytes]:
        return [g.tobytes() for g in grad(loss, (0, 1))(x, w)]

    try:
        set_threads(1)
        alone = everything()
        set_threads(threads)
        assert everything() == alone
    finally:
        set_threads(None)


def test_half_a_thread_is_refused() -> None:
    with pytest.raises(ValueError, match="threads"):
        set_threads(0)


def test_the_oracle_means_are_exact_fractions() -> None:
    assert oracle.avg_pool([[[1, 2], [2, 2]]], (2, 2), stride=(1, 1)) == [[[Fraction(7, 4)]]]
