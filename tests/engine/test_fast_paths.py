"""The engine's fast paths beside the obvious ones."""

from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.engine.bounds import magnitude
from aquant_ref.engine.fast.kernels import apply, threshold_codes
from aquant_ref.engine.fast.narrow_dtypes import narrowed
from aquant_ref.engine.fast.packed_pairs import ImagePair
from aquant_ref.engine.fast.product import product_by_rows
from aquant_ref.engine.fast.step import Step
from aquant_ref.engine.fast.threshold_table import MOST_BUCKETS, ThresholdTable
from aquant_ref.engine.instruction import Bounds
from aquant_ref.engine.windows import Windows
from aquant_ref.lowering import lower
from tests.engine import graphs, networks

INT32_MAX = 2**31 - 1


@st.composite
def staircases(draw: st.DrawFn) -> tuple[list[list[int]], int, list[int], list[int]]:
    """Sorted thresholds of some channels, `least`, and the ends of their accumulators."""
    count = draw(st.integers(1, 20))
    rows, lows, highs = [], [], []
    for _ in range(draw(st.integers(1, 3))):
        gap = draw(st.sampled_from([1, 2, 3, 7, 1000, 2**20]))
        start = draw(st.integers(-(2**20), 2**20))
        steps = draw(st.lists(st.integers(0, gap), min_size=count, max_size=count))
        rows.append([start + int(total) for total in np.cumsum(steps)])
        ends = sorted(draw(st.integers(rows[-1][0] - gap, rows[-1][-1] + gap)) for _ in range(2))
        lows.append(ends[0])
        highs.append(ends[1])
    return rows, draw(st.sampled_from([0, -8, -100, 300])), lows, highs


@example(([[5, 5, 9]], 0, [0], [20]))  # two thresholds in one place are no staircase
@example(([[1, 2, 3]], 0, [7], [9]))  # all are always reached
@example(([[1, 2, 3]], 0, [-9], [0]))  # none ever is
@example(([[0, 4, 8, 8]], 0, [-5], [7]))  # those never reached may be equal
@given(staircases())
def test_a_staircase_gives_the_codes_of_the_comparisons(
    given_: tuple[list[list[int]], int, list[int], list[int]],
) -> None:
    rows, least, lows, highs = given_
    thresholds, bound = np.array(rows), (np.array(lows), np.array(highs))
    stairs = ThresholdTable.of(thresholds.astype(np.int32), least, bound)
    if stairs is None:
        return
    near = [[t + d for t in row for d in (-1, 0, 1)] for row in rows]
    acc = np.array([[*n, lo, hi] for n, lo, hi in zip(near, lows, highs, strict=True)])
    acc = np.clip(acc, bound[0][:, None], bound[1][:, None]).astype(np.int32)[None]
    wanted = [
        [least + sum(a >= t for t in row) for a in own]
        for row, own in zip(rows, acc[0], strict=True)
    ]
    assert stairs.codes(acc)[0].tolist() == wanted
    assert threshold_codes(acc, thresholds, least)[0].tolist() == wanted


def test_what_has_no_staircase_is_known() -> None:
    bound = (np.array([0]), np.array([10**6]))

    def has(*row: int) -> bool:
        return ThresholdTable.of(np.array([row], np.int32), 0, bound) is not None

    assert has(1, 2, MOST_BUCKETS)
    assert not has(1, 2, 3, 2 * MOST_BUCKETS)
    assert has(5, 5)
    assert not has(5, 5, 2 * MOST_BUCKETS)
    assert has(100, 300_000, 600_000)
    ends = (np.array([-(2**31)]), np.array([INT32_MAX]))
    assert ThresholdTable.of(np.array([[-(2**31) + 1, INT32_MAX]], np.int32), 0, ends) is None
    assert ThresholdTable.of(np.array([[-(2**31) + 1, INT32_MAX]]), 0, ends) is not None


def test_a_network_of_8_bits_runs_on_staircases() -> None:
    """So that the path above is not one that nobody takes."""
    engine = Engine(lower(networks.residual_network(6, act_bits=8)))
    assert any(step.table is not None for step in engine._steps.values())


@given(seed=st.integers(0, 10**6))
def test_a_narrowed_program_has_the_same_codes(seed: int) -> None:
    """Instruction by instruction, at both ends of every channel and at all thresholds."""
    model = graphs.random_model(seed)
    program = lower(model)
    known = program.bounds
    small = {each.name: each for each in narrowed(program.instructions, known)}
    for each in program.instructions:
        if each.op not in ("threshold", "add"):
            assert small[each.name] is each or each.op == "conv2d"
            for key, array in each.arrays.items():
                assert np.array_equal(small[each.name].arrays[key], array)
            continue
        ends = [known[name] for name in each.inputs]
        points = [[low, high, (low + high) // 2] for low, high in ends]
        if each.op == "threshold":
            low, high = (e[:, None] for e in ends[0])
            thresholds = each.arrays["thresholds"]
            points[0] += [np.clip(thresholds + d, low, high).T for d in (-1, 0, 1)]
        inputs = [np.vstack(p).T[None, :, :, None] for p in points]
        if max(map(magnitude, ends)) <= INT32_MAX:
            inputs = [x.astype(np.int32) for x in inputs]
        wanted, made = (apply(Step(one), inputs) for one in (each, small[each.name]))
        assert np.array_equal(made, wanted)


geometries = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "dilation": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
        "size": st.tuples(st.integers(1, 9), st.integers(1, 9)),
    }
)
ONE_PIXEL = {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0))}


@example({**ONE_PIXEL, "size": (1, 1)}, 0)
@example({**ONE_PIXEL, "stride": (2, 2), "size": (5, 4)}, 1)  # the last row is read by no window
@example({**ONE_PIXEL, "kernel": (3, 1), "stride": (2, 1), "dilation": (3, 1), "size": (9, 2)}, 2)
@given(geometries, st.integers(0, 10**6))
def test_products_by_rows_are_those_of_im2col(geometry: dict[str, Any], seed: int) -> None:
    size = geometry["size"]
    where = Windows(
        geometry["kernel"], geometry["stride"], geometry["padding"], geometry["dilation"]
    )
    if min(where.sizes(size)) < 1:
        return
    rng = np.random.default_rng(seed)
    n = 1 + seed % 4
    x = rng.integers(-9, 10, (n, 3, *size)).astype(np.int32)
    weight = rng.integers(-2, 2, (4, 3, *where.kernel)).astype(np.int8)
    columns = where.columns(x).reshape(n, weight[0].size, -1)
    wanted = (weight.reshape(4, -1).astype(np.int64) @ columns).reshape(n, 4, *where.sizes(size))
    reach = 9 * np.abs(weight, dtype=np.int64).sum(axis=(1, 2, 3))
    pair = ImagePair.of((-reach, reach), 9)
    assert pair is not None
    for kind, shared in product(("integer", "float32"), (None, pair)):
        given_ = x if shared is None else shared.pack(x)
        product_ = product_by_rows(weight, given_, where, kind)
        made = product_ if shared is None else shared.unpack(product_, n)
        assert made.dtype == np.int32
        assert np.array_equal(made, wanted)


def test_a_kernel_of_rows_far_apart_needs_no_row_between_them() -> None:
    """Past bug: 263 MB for four images, where the program's limit on tensors had let it pass."""
    where = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [4000, 1], "groups": 1}
    weight = np.ones((1, 1, 2, 16), np.int8)
    arrays = {"weight": weight, "zero_point": np.zeros(1, np.int32)}
    engine = Engine(
        Program((1, 4001, 256), (Instruction("acc", "conv2d", ("image",), where, arrays),))
    )
    images = np.ones((4, 1, 4001, 256), np.uint8)
    tracemalloc.start()
    try:
        assert (engine.run(images)["acc"] == 32).all()
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


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


@example(-200, [0, 0, 0, 0, 1, 0, 0, 0, 0], 2)  # 203 of a pair is no int16
@example(200, [1, 0, 0, 0, 0, 0, 0, 0, 0], 3)  # what is padded is 0, above all codes
@given(
    st.sampled_from([-200, -128, -1, 0, 2, 3, 4, 128, 200]),
    st.lists(st.integers(-1, 1), min_size=9, max_size=9),
    st.integers(1, 4),
)
def test_zero_points_may_be_outside_the_codes(
    zero_point: int, weight: list[int], count: int
) -> None:
    """In pairs, and where 0, as which padding counts, is none of the centred codes."""
    where = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [1, 1], "groups": 1}
    kernel, one = np.array(weight, np.int8).reshape(1, 1, 3, 3), np.ones((1, 1, 1, 1), np.int8)
    none, zero = np.zeros(1, np.int32), np.array([zero_point], np.int32)
    thresholds = {"thresholds": np.array([[64, 128, 192]])}
    program = Program(
        (1, 3, 4),
        (
            Instruction(
                "acc",
                "conv2d",
                ("image",),
                {**where, "padding": [[0, 0], [0, 0]]},
                {"weight": one, "zero_point": none},
            ),
            Instruction("codes", "threshold", ("acc",), {"least": 0}, thresholds),
            Instruction("sum", "conv2d", ("codes",), where, {"weight": kernel, "zero_point": zero}),
        ),
    )
    images = np.random.default_rng(count).choice([0, 64, 255], (count, 1, 3, 4)).astype(np.uint8)
    images[0], images[-1] = 0, 255
    padded = np.pad(images.astype(np.int64) // 64 - zero_point, ((0, 0), (0, 0), (1, 1), (1, 1)))
    wanted = [
        [
            [
                sum(int(w * v) for w, v in zip(weight, x[i : i + 3, j : j + 3].flat, strict=True))
                for j in range(4)
            ]
            for i in range(3)
        ]
        for x in padded[:, 0]
    ]
    pair = Engine(program)._steps["sum"].pair
    assert pair is not None
    assert pair.dtype in ("int16", "int32")
    for product_ in ("auto", "integer"):
        made = Engine(program, product=product_).run(images)["sum"]
        assert made[:, 0].tolist() == wanted


def test_a_network_of_few_bits_runs_in_pairs() -> None:
    """So that the path above is not one that nobody takes."""
    program = lower(networks.residual_network(6, act_bits=2))
    assert any(step.pair is not None for step in Engine(program)._steps.values())
