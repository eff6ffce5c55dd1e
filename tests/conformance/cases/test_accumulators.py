"""Each case of accumulators alone is what its flag says."""

from __future__ import annotations

import pytest

from tests.conformance.cases.rows import arrays


def test_sums_of_16_bits_leave_int32() -> None:
    beyond = []
    for row in arrays("wrap", "matmul_integer", n=12, bits=(16,)):
        acc = (row["a"] - row["a_zero"][:, None]) @ (row["b"] - row["b_zero"])
        beyond.append(abs(acc).max() > 2**31)
    assert sum(beyond) > 6


@pytest.mark.parametrize(("flag", "sizes"), [("square", 1), ("random", 2)])
def test_only_square_products_have_as_many_rows_as_columns(flag: str, sizes: int) -> None:
    for row in arrays(flag, "matmul_integer", n=20):
        assert len({len(row["a"]), row["b"].shape[1]}) == sizes


def test_zero_points_are_unlike_one_another_unless_there_is_one() -> None:
    fields = {"flag": "unsigned_weights", "operation": "conv_integer", "n": 20, "bits": (8,)}
    for row in arrays(**fields, granularity=("tensor",)):
        assert len(set(row["weight_zero"])) == 1
    unlike = [len(set(r["weight_zero"])) > 1 for r in arrays(**fields, granularity=("channel",))]
    assert sum(unlike) > 15


def test_an_image_edge_is_smaller_than_its_kernel() -> None:
    for row in arrays("image_edge", "conv_integer", n=12):
        assert row["x"].shape[1] < row["weight"].shape[2]
