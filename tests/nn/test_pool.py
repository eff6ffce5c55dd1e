from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from aquant_ref import nn, oracle
from tests.nn.layers import as_tuple_lists, integers, rng

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


def test_of_equal_maxima_the_first_gets_the_gradient() -> None:
    gradient = grad(lambda x: nn.max_pool(x, 2).sum())(np.ones((1, 1, 2, 2)))
    assert gradient.tolist() == [[[[1, 0], [0, 0]]]]


def test_global_avg_pool_is_the_mean_of_all_positions() -> None:
    x = integers(2, 3, 4, 8)
    exact = [oracle.avg_pool(as_tuple_lists(i), (4, 8), stride=(1, 1)) for i in x]
    assert nn.global_avg_pool(x).tolist() == oracle.apply(float, exact)
    check_grads(nn.global_avg_pool, modes=["rev"], order=1)(x)


def test_the_oracle_means_are_exact_fractions() -> None:
    assert oracle.avg_pool([[[1, 2], [2, 2]]], (2, 2), stride=(1, 1)) == [[[Fraction(7, 4)]]]
