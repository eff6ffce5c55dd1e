from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref.engine import Engine
from aquant_ref.engine.fast.packed_pairs import ImagePair
from aquant_ref.engine.instruction import Bounds
from aquant_ref.lowering import lower
from tests.engine import networks


@st.composite
def products(draw: st.DrawFn) -> tuple[Bounds, list[int]]:
    """Bounds of a product, on both sides of what a pair has room for, and sums within them."""
    size = draw(st.sampled_from([0, 1, 2, 3, 255, 2047, 4095]))
    least = draw(st.sampled_from([0, -1, -size // 2, -size + 1, -size]))
    low, high = min(least, 0), max(least + size, 0)
    sums = st.one_of(st.sampled_from([low, high, 0]), st.integers(low, high))
    return (np.array([low]), np.array([high])), draw(st.lists(sums, min_size=1, max_size=5))


@example(((np.array([0]), np.array([4095])), [4095, 0, 4095, 4095]))
@example(((np.array([-2048]), np.array([2047])), [-2048, 2047, -2048, -2048]))
@example(((np.array([-1]), np.array([0])), [-1, -1, 0, -1]))
@given(products())
def test_sums_that_share_a_float32_come_apart_again(given_: tuple[Bounds, list[int]]) -> None:
    """At the ends of their bounds, where a borrow or a missing bit would show."""
    bound, sums = given_
    pair = ImagePair.of(bound, 4095)
    assert pair is not None
    both = pair.pack(np.array(sums, np.int32))
    assert both.astype(np.float32).tolist() == both.tolist()
    assert pair.unpack(both, len(sums)).tolist() == sums


def test_a_pair_needs_room_in_a_float32() -> None:
    def has(low: int, high: int) -> bool:
        return ImagePair.of((np.array([0, low]), np.array([high, 0])), 1) is not None

    assert has(0, 4095)  # both together reach 2^24 - 1
    assert not has(0, 4096)
    assert has(-2048, 2047)
    assert not has(-2049, 2047)
    assert not has(-4095, 1)  # 2^12 apart: a bit more


def test_the_numbers_of_a_pair_fit_its_type() -> None:
    """Past bug: codes of 8 bits that wrapped in int16, where their weights were small or none."""
    none = np.array([0]), np.array([255])  # a weight of 1, or none
    for largest, dtype in ((127, "int16"), (128, "int32"), (255, "int32"), (65535, "int32")):
        pair = ImagePair.of(none, largest)
        assert pair is not None
        assert pair.dtype == dtype
        x = np.array([largest, -largest, largest], np.int32)
        for sums in (x, -x):
            assert pair.pack(sums).tolist() == [sums[0] + (int(sums[2]) << 8), sums[1]]
    assert ImagePair.of((np.array([0]), np.array([4095])), 2**20) is None


def test_a_network_of_few_bits_runs_in_pairs() -> None:
    """So that the path above is not one that nobody takes."""
    program = lower(networks.residual_network(6, act_bits=2))
    assert any(step.pair is not None for step in Engine(program)._steps.values())
