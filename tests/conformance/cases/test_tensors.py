"""What the families of tensor operations draw."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.cases.draw import CaseRandom, Draw
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.tensors import by_case, image, odd, scale, sizes, snapped

SOURCES = [CaseRandom(str(k)) for k in range(40)]
SELECTION = Selection("max_pool2d")


def test_a_case_alone_is_what_it_is_among_others() -> None:
    columns = by_case(lambda draw, _: {"x": draw.integers(0, 99, (2, 3))})
    together = columns(Draw("key", np.arange(5)), SELECTION)["x"]
    (alone,) = columns(Draw("key", np.array([3])), SELECTION)["x"]
    assert np.array_equal(together[3], alone)
    assert not np.array_equal(together[2], alone)
    assert columns(Draw("key", np.arange(0)), SELECTION) == {}


def test_the_product_of_two_scales_has_24_bits() -> None:
    scales = [scale(draw) for draw in SOURCES]
    assert all(float(np.float32(a * b)) == a * b for a in scales for b in scales)
    assert all(2.0**-8 <= a < 2.0**-3 for a in scales)


def test_the_ends_are_drawn_more_often_than_other_codes() -> None:
    codes = np.concatenate([image(draw, 0, 255, 2, 50).ravel() for draw in SOURCES])
    assert 0.07 < np.mean(codes == 0) < 0.13
    assert 0.07 < np.mean(codes == 255) < 0.13


def test_odd_numbers_are_odd_where_there_is_one() -> None:
    assert {odd(draw, 0, 3) for draw in SOURCES} == {1, 3}
    assert odd(SOURCES[0], 4, 4) == 4


def test_height_and_width_differ() -> None:
    assert all(height != width for height, width in map(sizes, SOURCES))


def test_24_bits_are_kept() -> None:
    assert snapped(1 + 2.0**-23) == 1 + 2.0**-23
    assert snapped(1 + 2.0**-24) == 1.0  # a tie, to even
