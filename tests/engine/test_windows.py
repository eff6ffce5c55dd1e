from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.engine.windows import Windows

CASES = [
    Windows((2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    Windows((2, 2), (2, 3), ((1, 0), (2, 1)), (1, 1)),
    Windows((3, 2), (1, 2), ((2, 2), (0, 3)), (2, 3)),
    Windows((1, 1), (3, 1), ((0, 2), (1, 0)), (1, 1)),
]


@pytest.mark.parametrize("where", CASES)
def test_columns_and_counts_are_those_of_a_loop_over_every_window(where: Windows) -> None:
    size, fill = (6, 5), 9
    x = np.arange(2 * 3 * 6 * 5).reshape(2, 3, *size)
    columns, counts = where.columns(x, fill=fill), where.counts(size)
    rows, lefts = where.sizes(size)
    assert columns.shape == (2, 3, *where.kernel, rows, lefts)
    for row, left in np.ndindex(rows, lefts):
        met = 0
        for i, j in np.ndindex(*where.kernel):
            v = row * where.stride[0] - where.padding[0][0] + i * where.dilation[0]
            h = left * where.stride[1] - where.padding[1][0] + j * where.dilation[1]
            inside = 0 <= v < size[0] and 0 <= h < size[1]
            met += inside
            wanted = x[:, :, v, h] if inside else np.full((2, 3), fill)
            assert np.array_equal(columns[:, :, i, j, row, left], wanted)
        assert counts[row, left] == met


def test_where_no_window_fits_there_is_none() -> None:
    assert min(Windows((4, 1), (1, 1), ((0, 0), (0, 0)), (2, 1)).sizes((6, 5))) < 1
