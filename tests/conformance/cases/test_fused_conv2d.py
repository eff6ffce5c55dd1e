"""Each case of `fused_conv2d` is what its flag says."""

from __future__ import annotations

import pytest

from aquant_ref.conformance.cases.fused_conv2d import PARTS
from aquant_ref.conformance.expected.tables import NEVER_LIFT
from tests.conformance.cases.rows import arrays


@pytest.mark.parametrize(("flag", "step"), [("at_lift", 0), ("below_lift", -1)])
def test_lift_is_the_sum_of_fusion_of_the_first_window_or_one_less(flag: str, step: int) -> None:
    for row in arrays(flag, "fused_conv2d", n=12):
        kh, kw = row["weight"].shape[2:]
        for channel, image in enumerate(row["u"]):
            wide = image[:kh, :kw].ravel().tolist()
            first = channel * kh * kw
            total = sum(row["fusion"][first + k, code] for k, code in enumerate(wide))
            for k, code in enumerate(wide):
                never = code % PARTS == 0
                assert row["lift"][first + k, code] == (NEVER_LIFT if never else total + step)


def test_a_border_for_each_row_is_in_the_codes_alone() -> None:
    several = 0
    for row in arrays("rows", "fused_conv2d", n=12):
        assert not row["fusion"].any()
        assert (row["lift"] == NEVER_LIFT).all()
        several += len({tuple(codes) for codes in row["codes"].tolist()}) > 1
    assert several > 6  # of 12; a kernel of one pixel may have one row


def test_one_row_of_each_table_stands_for_all() -> None:
    for row in arrays("one_row", "fused_conv2d", n=12):
        assert len(row["lift"]) == len(row["fusion"]) == 1


def test_wide_codes_and_their_padding_are_inside_the_tables() -> None:
    for flag in ("random", "image_edge", "groups"):
        for row in arrays(flag, "fused_conv2d", n=12):
            assert row["u"].min() >= 0
            assert max(row["u"].max(), row["pad_code"]) < row["codes"].shape[1]
            assert row["pad_code"] == row["zero"] * PARTS
