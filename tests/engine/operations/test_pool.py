from __future__ import annotations

import pytest

from aquant_ref.errors import InputError
from tests.engine.rows import PLACES, bounds, instruction, row

PADDED = {"kernel": [2, 2], **PLACES, "padding": [[1, 0], [0, 0]]}  # a row above the image


def test_a_pool_has_the_windows_of_its_places() -> None:
    each = instruction("max_pool", {"kernel": [2, 3], **PLACES, "stride": [2, 1]})
    assert row(each).shape(each, (4, 5, 6)) == (4, 2, 4)
    assert bounds(each, ([-1, 2], [3, 4])) == ([-1, 2], [3, 4])
    assert row(each).codes(each, (-8, 7)) == (-8, 7)
    with pytest.raises(InputError, match="^it: "):
        row(each).shape(each, (4, 1, 6))


@pytest.mark.parametrize("op", ["max_pool", "sum"])
def test_a_window_of_padding_alone_is_refused(op: str) -> None:
    places = {"kernel": [1, 1], **PLACES, "padding": [[1, 0], [0, 0]]}
    each = instruction(op, places, zero_point=[0], factor=[[1], [1]])
    with pytest.raises(InputError, match="^it: has a window that meets nothing but padding"):
        row(each).shape(each, (1, 1, 1))


def test_a_sum_has_a_factor_for_each_window_and_a_zero_point_for_each_channel() -> None:
    each = instruction("sum", PADDED, zero_point=[0], factor=[[2], [1]])
    assert row(each).shape(each, (1, 2, 2)) == (1, 2, 1)
    with pytest.raises(InputError, match=r"^it: its zero_point has shape \(1,\), needs \(2,\)"):
        row(each).shape(each, (2, 2, 2))
    with pytest.raises(InputError, match=r"^it: its factor has shape \(2, 1\), not \(1, 1\)"):
        row(each).shape(each, (1, 1, 2))


def test_a_sum_is_bounded_by_its_largest_window_times_its_factor() -> None:
    """The upper window has two pixels, each twice; the lower has four, each three times."""
    each = instruction("sum", PADDED, zero_point=[3], factor=[[2], [3]])
    assert bounds(each, ([0], [7]), shape=(1, 2, 2)) == ([12 * -3], [12 * 4])
    positive = instruction("sum", PADDED, zero_point=[-1], factor=[[2], [3]])
    assert bounds(positive, ([0], [7]), shape=(1, 2, 2)) == ([4 * 1], [12 * 8])
