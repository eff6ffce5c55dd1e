from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.engine import Instruction
from aquant_ref.errors import InputError
from tests.engine.rows import bounds, instruction, row


def threshold(thresholds: object, least: int = 0) -> Instruction:
    return instruction("threshold", {"least": least}, thresholds=np.array(thresholds, np.int64))


def lookup(*codes: int) -> Instruction:
    return instruction("lookup", table=np.array(codes, np.uint8))


def test_so_many_thresholds_make_one_code_more() -> None:
    each = threshold([[1, 5, 5], [-9, 0, 2]], least=-2)
    assert row(each).shape(each, (2, 3, 4)) == (2, 3, 4)
    assert row(each).codes(each, None) == (-2, 1)
    assert row(each).stored is not None
    assert row(each).stored(each) == (-2, 1)
    assert bounds(each, ([-100, -100], [100, 100])) == ([-2, -2], [1, 1])


@pytest.mark.parametrize(
    ("each", "message"),
    [
        (threshold([[1, 2]]), "do not fit 2 channels"),
        (threshold([1, 2]), "do not fit"),
        (threshold(np.empty((2, 0))), "do not fit"),
        (threshold(np.zeros((2, 2**16))), "do not fit"),
        (threshold([[1, 2], [2, 1]]), "thresholds are not sorted"),
        (threshold(np.zeros((2, 2**15 + 1)), -1), "its least cannot be -1 with 32769 thresholds"),
    ],
)
def test_thresholds_that_make_no_codes_are_refused(each: Instruction, message: str) -> None:
    with pytest.raises(InputError, match=f"^it: .*{message}"):
        row(each).shape(each, (2, 3, 4))


def test_a_table_has_an_entry_for_each_code_that_it_can_meet() -> None:
    each = lookup(2, 0, 7)
    row(each).check_codes(each, (0, 2))
    assert row(each).codes(each, (0, 2)) == (0, 7)
    assert bounds(each, ([0, 0], [2, 1])) == ([0, 0], [7, 7])
    with pytest.raises(InputError, match="^it: its tables have no entry for code -1"):
        row(each).check_codes(each, (-1, 2))
    with pytest.raises(InputError, match=r"^it: its table of shape \(3,\) has no entry for code 3"):
        row(each).check_codes(each, (0, 3))
