from __future__ import annotations

import pytest

from aquant_ref.errors import InputError
from tests.engine.rows import bounds, instruction, row

CONCAT = instruction("concat")
FLATTEN = instruction("flatten", {"positions": 6})


def test_channels_are_joined_in_order_with_their_bounds() -> None:
    assert row(CONCAT).shape(CONCAT, (2, 3, 4), (1, 3, 4), (5, 3, 4)) == (8, 3, 4)
    assert bounds(CONCAT, ([0, -1], [5, 6]), ([-9], [9])) == ([0, -1, -9], [5, 6, 9])
    with pytest.raises(InputError, match="^it: its inputs have shapes "):
        row(CONCAT).shape(CONCAT, (2, 3, 4), (2, 4, 3))


def test_a_concat_with_a_sum_in_int64_is_in_int64() -> None:
    assert row(CONCAT).held_in(["int32", "int32"]) == "int32"
    assert row(CONCAT).held_in(["int32", "int64"]) == "int64"
    assert row(CONCAT).codes(CONCAT, (0, 3), (-8, 7)) == (-8, 7)
    assert row(CONCAT).codes(CONCAT, (0, 3), None) is None


def test_each_channel_becomes_its_positions_one_after_another() -> None:
    assert row(FLATTEN).shape(FLATTEN, (2, 3, 2)) == (12,)
    assert bounds(FLATTEN, ([0, -1], [5, 6])) == ([0] * 6 + [-1] * 6, [5] * 6 + [6] * 6)
    with pytest.raises(InputError, match="^it: has 4 positions"):
        row(FLATTEN).shape(FLATTEN, (2, 2, 2))
