from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from aquant_ref import nn, oracle
from aquant_ref.nn.windows import Windows
from aquant_ref.threads import set_threads
from tests.nn.layers import as_tuple_lists, integers, rng, train_norm

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
