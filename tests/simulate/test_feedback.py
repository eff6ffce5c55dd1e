"""Windows rounded panel by panel take the decisions of the definition, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.quant.feedback import FeedbackTables, feedback_tables
from aquant_ref.quant.window import WideCodes
from aquant_ref.simulate.feedback import PANEL, FeedbackRounding
from aquant_ref.typing import Array

WIDE = WideCodes(5, -2)


def row_by_row(tables: FeedbackTables, window: list[int]) -> list[int]:
    """AQ-FEEDBACK-4 in Python's integers, for one window."""
    groups, rank, rows = tables.directions.shape
    codes = []
    for row, u in enumerate(window):
        group, i = divmod(row, rows)
        if i == 0:
            pulled = [0] * rank
        shared = row if len(tables.lift) > 1 else 0
        pull = sum(int(tables.pull[group, r, i]) * pulled[r] for r in range(rank))
        up = int(tables.lift[shared, u]) >= pull
        codes.append(int(tables.codes[0, u]) + up)
        error = int(tables.error[shared, u]) + (up << tables.error_bits)
        for r in range(rank):
            pulled[r] += int(tables.directions[group, r, i]) * error
    return codes


@pytest.mark.parametrize("rows", [1, PANEL - 1, PANEL, PANEL + 1, 2 * PANEL + 5])
@pytest.mark.parametrize(
    "options", [{"groups": 1}, {"groups": 2}, {"groups": 1, "rank": 2}], ids=str
)
@pytest.mark.parametrize("each_row", [False, True])
def test_panels_decide_as_single_rows_do(
    rows: int, options: dict[str, Any], each_row: bool
) -> None:
    """Spec: AQ-FEEDBACK-4."""
    rng = np.random.default_rng(rows)
    groups = options["groups"]
    weight = rng.integers(-2, 2, (4 * groups, rows, 1, 1))
    border = np.full((rows * groups if each_row else 1, 256), 0.5)
    if each_row:
        border += np.linspace(-0.25, 0.25, rows * groups)[:, None]
    unit = np.ldexp(1.0, rng.integers(-4, 1, 4 * groups))
    tables = feedback_tables(border, weight, unit, 2, zero_point=1, wide=WIDE, **options)
    wide: Array = rng.integers(0, 256, (3, rows * groups, 7))
    wide[0, :, 0] = 32 * 2 + 16  # ties of 1/2 in every row
    found = FeedbackRounding(tables).round(wide)
    for image in range(len(wide)):
        for position in range(wide.shape[2]):
            window = wide[image, :, position].tolist()
            assert found[image, :, position].tolist() == row_by_row(tables, window)
