from __future__ import annotations

import numpy as np

from aquant_ref.comparison.tensor_diff import describe, difference


def test_places_counts_and_channels_are_those_that_differ() -> None:
    """Spec: AQ-TRACE-1."""
    a = np.zeros((70, 3, 4, 5), np.uint8)
    b = a.astype(np.int64)
    b[2, 1, 0, 3], b[69, 2, 2, 2], b[69, 2, 1, 1] = 4, -3, 1
    found = describe("x", a, b)
    assert (found.mismatches, found.maximum, found.images) == (3, 4, 2)
    assert (found.at_edge, found.interior) == (1, 2)
    assert found.channels == {1: 1, 2: 2}
    assert [(p.index, p.a, p.b) for p in found.places] == [
        ((2, 1, 0, 3), 0, 4),
        ((69, 2, 1, 1), 0, 1),
        ((69, 2, 2, 2), 0, -3),
    ]
    many = describe("x", np.zeros((200, 2)), np.ones((200, 2)))  # in several rounds
    assert (many.mismatches, many.images, many.channels) == (400, 200, {0: 200, 1: 200})
    assert (many.at_edge, many.interior, many.places[0].index) == (0, 0, (0, 0))


def test_differences_of_unsigned_codes_do_not_wrap() -> None:
    one, other = np.array([[0, 255]], np.uint8), np.array([[255, 0]], np.uint8)
    assert difference("x", one, other).maximum == 255
