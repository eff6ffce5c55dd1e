from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer import accumulate, accumulate_conv2d


def test_minus_128_squared_is_positive() -> None:
    product = accumulate(np.array([[-128]], np.int8), np.array([[-128]], np.int8), layer="conv")
    assert product.tolist() == [[16384]]


def test_int16_pairs_do_not_saturate() -> None:
    weight, codes = np.full((1, 2), 127, np.int8), np.full((2, 1), 255, np.uint8)
    assert accumulate(weight, codes, layer="conv").tolist() == [[64770]]


def test_an_overflow_is_refused_with_layer_and_value_and_never_wraps() -> None:
    weight, codes = np.full((1, 1), 2**15, np.int64), np.full((1, 1), 2**16, np.int64)
    with pytest.raises(AccumulatorOverflow, match=r"conv7.*2147483648.*int32"):
        accumulate(weight, codes, layer="conv7")
    huge = np.full((1, 1), 2**62, np.int64)
    with pytest.raises(AccumulatorOverflow, match=r"conv7.*int64"):
        accumulate(huge, np.array([[4]]), layer="conv7")


def test_the_least_int64_is_not_its_own_absolute_value() -> None:
    least = np.full((1, 1), -(2**63), np.int64)
    with pytest.raises(AccumulatorOverflow, match="int64"):
        accumulate(least, np.array([[1]]), layer="conv")


def test_a_product_beyond_int32_is_refused_though_its_bias_would_bring_it_back() -> None:
    one = np.ones((1, 1), np.int64)
    for product, bias in ((2**31, -10), (2**31, -(2**31)), (-(2**31) - 1, 1)):
        with pytest.raises(AccumulatorOverflow, match=rf"conv: .* without bias .*{product}.*int32"):
            accumulate(one * product, one, np.array([bias]), layer="conv")
        with pytest.raises(AccumulatorOverflow, match=rf"conv: .* without bias .*{product}.*int32"):
            accumulate_conv2d(
                one[None, None], one[None, None] * product, np.array([bias]), layer="conv"
            )
        codes, weight = np.ones((1, 2, 1, 1), np.int64), np.full((2, 1, 1, 1), product)
        with pytest.raises(AccumulatorOverflow, match=rf"dw: .* without bias .*{product}.*int32"):
            accumulate_conv2d(codes, weight, np.array([0, bias]), groups=2, layer="dw")


@pytest.mark.parametrize("end", [-(2**31), 2**31 - 1])
def test_both_ends_of_int32_are_reached_and_one_more_is_refused(end: int) -> None:
    """Spec: AQ-INT-3."""
    one, step = np.ones((1, 1), np.int64), 1 if end > 0 else -1
    assert accumulate(one * (end - step), one, np.array([step]), layer="c").tolist() == [[end]]
    with pytest.raises(AccumulatorOverflow, match="c: .*int32"):
        accumulate(one * end, one, np.array([step]), layer="c")


def test_floats_are_refused_where_integers_belong() -> None:
    with pytest.raises(InputError, match=r"fc: .*float32"):
        accumulate(np.ones((1, 1), np.float32), np.ones((1, 1), np.int32), layer="fc")


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    """Small, with unequal height and width, extreme operands and an odd zero point."""
    groups, members, per_group = (draw(st.integers(1, 2)) for _ in range(3))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    padding = draw(st.sampled_from([(0, 0), (1, 2), ((0, 2), 1), ((2, 1), (0, 1))]))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = (extent[0] + draw(st.integers(0, 2)), extent[1] + draw(st.integers(0, 2)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    shape = (groups * per_group, members, *kernel)
    return {
        "codes": rng.choice([0, 1, 7, 128, 255], (1, groups * members, *size)).astype(np.uint8),
        "weight": rng.choice([-128, -1, 0, 3, 127], shape).astype(np.int8),
        "bias": rng.integers(-1000, 1000, len(np.empty(shape))),
        "stride": (draw(st.integers(1, 2)), draw(st.integers(1, 3))),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "zero_point": draw(st.sampled_from([0, 3, 128, 255, -7])),
    }


@settings(max_examples=60)
@given(case=convolutions())
def test_a_convolution_equals_the_oracle(case: dict[str, Any]) -> None:
    """Padding with the code 0, or a flipped kernel, shows at the edges and in the zero points.

    Spec: AQ-INT-4.
    """
    real = (case["codes"][0].astype(int) - case["zero_point"]).tolist()
    expected = oracle.conv2d(
        real,
        case["weight"].tolist(),
        stride=case["stride"],
        padding=case["padding"],
        dilation=case["dilation"],
        groups=case["groups"],
    )
    expected = [
        oracle.apply(lambda v, b=b: v + b, plane)
        for plane, b in zip(expected, case["bias"].tolist(), strict=True)
    ]
    assert accumulate_conv2d(**case, layer="conv")[0].tolist() == expected


def test_images_of_a_batch_do_not_mix() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (3, 2, 3, 4), np.uint8)
    weight = rng.integers(-2, 3, (5, 2, 2, 2), np.int64).astype(np.int8)
    together = accumulate_conv2d(codes, weight, layer="conv")
    for image, acc in zip(codes, together, strict=True):
        assert acc.tolist() == oracle.conv2d(image.tolist(), weight.tolist())


def test_a_weight_or_image_that_does_not_fit_is_refused() -> None:
    codes = np.zeros((1, 4, 2, 2), np.uint8)
    with pytest.raises(InputError, match=r"conv3: .*4 channels"):
        accumulate_conv2d(codes, np.zeros((2, 3, 1, 1), np.int8), layer="conv3")
    with pytest.raises(InputError, match=r"conv3: a window of 3x3 does not fit"):
        accumulate_conv2d(codes, np.zeros((2, 4, 3, 3), np.int8), layer="conv3")


def test_an_overflowing_convolution_is_refused() -> None:
    codes, weight = np.full((1, 4, 1, 1), 2**15), np.full((1, 4, 1, 1), 2**14)
    with pytest.raises(AccumulatorOverflow, match="conv3"):
        accumulate_conv2d(codes, weight, layer="conv3")
