from __future__ import annotations

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.conformance.expected import sums

GEOMETRY = [
    ((8, 9, 10), (6, 8, 3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((8, 9, 10), (6, 4, 3, 2), (2, 3), ((1, 0), (2, 1)), (1, 2), 2),
    ((12, 7, 8), (24, 1, 3, 3), (1, 2), ((1, 1), (0, 2)), (2, 1), 12),
]


@pytest.mark.parametrize("given", GEOMETRY, ids=str)
def test_int64_sums_are_those_of_the_oracle(given: tuple[tuple[int, ...], ...]) -> None:
    """Spec: AQ-INT-4."""
    shape, kernel, stride, padding, dilation, groups = given
    draw = np.random.default_rng(3)
    x = draw.integers(-(2**31), 2**31, shape).tolist()
    weight = draw.integers(-128, 128, kernel).tolist()
    windows = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    with sums.in_int64():
        assert sums.conv2d(x, weight, **windows) == oracle.conv2d(x, weight, **windows)
        assert sums.conv2d(x, weight, **windows) != oracle.conv2d(
            x, x[:1] and weight[::-1], **windows
        )


def test_int64_products_of_a_matrix_are_those_of_the_oracle() -> None:
    draw = np.random.default_rng(4)
    x, weight = draw.integers(-(2**15), 2**15, 900), draw.integers(-128, 128, (7, 900))
    with sums.in_int64():
        assert sums.linear(x.tolist(), weight.tolist()) == oracle.linear(
            x.tolist(), weight.tolist()
        )


def test_sums_that_int64_could_not_hold_are_left_to_the_oracle() -> None:
    x, weight = [2**50] * 4000, [[2**12] * 4000]
    with sums.in_int64():
        assert sums.linear(x, weight) == [4000 * 2**62]


def test_outside_the_block_the_oracle_computes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "linear", lambda x, weight: ["asked"])
    x, weight = [1] * 4000, [[1] * 4000]
    assert sums.linear(x, weight) == ["asked"]
    with sums.in_int64():
        assert sums.linear(x, weight) == [4000]
    assert sums.linear(x, weight) == ["asked"]
