from __future__ import annotations

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.nn.conv import conv2d


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
def test_a_filter_for_each_channel_equals_the_oracle(
    stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (2, 3, 7, 6)).astype(np.float64)
    weight = rng.integers(-4, 5, (3, 1, 3, 2)).astype(np.float64)
    places = {"stride": stride, "padding": padding, "dilation": dilation}
    found = conv2d(x, weight, None, groups=3, **places)
    for image, made in zip(x, found, strict=True):
        whole = (image.astype(int).tolist(), weight.astype(int).tolist())
        assert made.tolist() == oracle.conv2d(*whole, groups=3, **places)
