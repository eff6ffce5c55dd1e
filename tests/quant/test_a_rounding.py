from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle, threads
from aquant_ref.errors import InputError
from aquant_ref.quant import a_rounding
from aquant_ref.quant.a_rounding import exhaustive, greedy_flips, nearest

SEARCHES = [greedy_flips, exhaustive]
RANGES = [(0, 3), (0, 1), (-2, 1), (-3, 0), (-8, 7)]
DTYPES = [np.float32, np.float64]


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    threads.set_threads(None)


# Small numbers over a power of two: every sum and product is exact, in float32 too, and ties of
# roundings and of errors are frequent.
eighths = st.integers(-24, 24).map(lambda v: v / 8)
quarters = st.integers(-20, 20).map(lambda v: v / 4)  # integers, ties, beyond both ends


@st.composite
def window(draw: st.DrawFn, most: int = 5) -> tuple[Any, Any, Any, int, int]:
    """One window: t (R,), weight (O, R), target (O,), low, high."""
    rows, outputs = draw(st.integers(1, most)), draw(st.integers(1, 3))
    few = {"min_size": rows, "max_size": rows}
    t = draw(st.lists(quarters, **few))
    weight = [draw(st.lists(eighths, **few)) for _ in range(outputs)]
    target = draw(st.lists(eighths, min_size=outputs, max_size=outputs))
    return t, weight, target, *draw(st.sampled_from(RANGES))


def searched(
    search: Any, t: Any, weight: Any, target: Any, low: int, high: int, **more: Any
) -> Any:
    """The codes of one window, by a search that takes arrays of many."""
    t, target = np.array(t)[None, :, None], np.array(target)[None, :, None]
    return search(t, np.array(weight), target, low=low, high=high, **more)[0, :, 0].tolist()


def error(codes: Any, weight: Any, target: Any) -> Any:
    """||y - w_hat*q||^2 of every window, (n, P), in float64."""
    products = np.einsum("or,nrp->nop", np.float64(weight), np.float64(codes))
    return ((products - target) ** 2).sum(axis=1)


def random_windows(
    seed: int, *, n: int = 2, rows: int = 24, outputs: int = 8, positions: int = 30
) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    t = np.maximum(rng.normal(0.5, 1.5, (n, rows, positions)), 0)
    weight = rng.normal(0, 1, (outputs, rows))
    return t, weight, np.einsum("or,nrp->nop", weight, t)


# What every search keeps


@pytest.mark.parametrize("search", SEARCHES)
@given(case=window())
def test_codes_are_floor_or_ceil_clipped_and_integers_never_move(search: Any, case: Any) -> None:
    """Spec: AQ-AROUND-1."""
    t, _, _, low, high = case
    for code, v in zip(searched(search, *case), t, strict=True):
        assert code in oracle.roundings(Fraction(v), low, high)
        if v == int(v):
            assert code == oracle.clip(int(v), low, high)


@pytest.mark.parametrize("search", SEARCHES)
@given(case=window())
def test_the_error_is_never_above_that_of_nearest(search: Any, case: Any) -> None:
    t, weight, target, low, high = case
    codes, start = searched(search, *case), nearest(np.array(t), low, high).tolist()
    assert oracle.output_error(codes, weight, target) <= oracle.output_error(start, weight, target)


@given(t=st.floats(-20, 20), ends=st.sampled_from(RANGES))
def test_nearest_is_half_up_clipped(t: float, ends: tuple[int, int]) -> None:
    assert nearest(np.array([t]), *ends) == oracle.clip(oracle.half_up(Fraction(t)), *ends)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_what_lies_beyond_the_range_stays_at_its_end(search: Any, low: int, high: int) -> None:
    t = [low - 0.5, -np.inf, high + 0.5, np.inf]
    codes = searched(search, t, [[1.0, 2.0, -1.0, 3.0]], [77.0], low, high)
    assert codes == [low, low, high, high]


@pytest.mark.parametrize("search", SEARCHES)
def test_padding_stays_zero_however_wrong_the_output(search: Any) -> None:
    assert searched(search, [0.0, -0.0, 0.3], [[9.0, -9.0, 1.0]], [50.0], -2, 1) == [0, 0, 1]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_of_zero_move_nothing(search: Any, dtype: type) -> None:
    t = np.random.default_rng(0).uniform(-1, 4, (2, 5, 7)).astype(dtype)
    codes = search(t, np.zeros((3, 5), dtype), np.ones((2, 3, 7), dtype), low=0, high=3)
    assert codes.dtype == dtype
    assert codes.tolist() == nearest(t, 0, 3).tolist()


@pytest.mark.parametrize("search", SEARCHES)
def test_windows_are_searched_each_for_itself(search: Any) -> None:
    # in eighths, so that no sum depends on its order
    t, weight, target = (np.round(8 * each) / 8 for each in random_windows(1, rows=6))
    together = search(t, weight, target, low=0, high=3)
    order = np.random.default_rng(2).permutation(t.shape[2])
    permuted = search(t[::-1, :, order], weight, target[::-1, :, order], low=0, high=3)
    assert permuted.tolist() == together[::-1, :, order].tolist()
    alone = search(t[:1, :, :1], weight, target[:1, :, :1], low=0, high=3)
    assert alone.tolist() == together[:1, :, :1].tolist()


@pytest.mark.parametrize("search", SEARCHES)
def test_groups_are_windows_of_their_own(search: Any) -> None:
    (t1, w1, y1), (t2, w2, y2) = (random_windows(seed, rows=5, outputs=2) for seed in (3, 4))
    apart = [search(t, w, y, low=0, high=3) for t, w, y in ((t1, w1, y1), (t2, w2, y2))]
    t, y = np.concatenate([t1, t2], axis=1), np.concatenate([y1, y2], axis=1)
    together = search(t, np.stack([w1, w2]), y, low=0, high=3)
    assert together.tolist() == np.concatenate(apart, axis=1).tolist()


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.usefixtures("_restored")
def test_the_number_of_threads_changes_nothing(
    search: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(a_rounding, "ELEMENTS", 1)  # one image a block
    t, weight, target = (v.astype(np.float32) for v in random_windows(5, n=7, rows=10))
    given_ = t.tobytes(), weight.tobytes(), target.tobytes()
    found = []
    for count in (1, 3):
        threads.set_threads(count)
        found.append(search(t, weight, target, low=0, high=3).tobytes())
    assert found[0] == found[1]
    assert (t.tobytes(), weight.tobytes(), target.tobytes()) == given_


@pytest.mark.parametrize("search", SEARCHES)
def test_no_images_and_no_positions_have_no_codes(search: Any) -> None:
    for n, positions in ((0, 4), (2, 0)):
        t, target = np.zeros((n, 3, positions)), np.zeros((n, 2, positions))
        assert search(t, np.ones((2, 3)), target, low=0, high=3).shape == t.shape


# Greedy flips


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=200)
@given(case=window(most=7))
def test_greedy_flips_are_those_of_the_oracle(dtype: type, case: Any) -> None:
    """Spec: AQ-AROUND-2."""
    t, weight, target, low, high = case
    arrays = (np.array(each, dtype) for each in (t, weight, target))
    assert searched(greedy_flips, *arrays, low, high) == oracle.greedy_codes(*case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "outputs"), [(1, 1), (1, 6), (40, 1), (64, 16), (150, 64)])
def test_greedy_flips_end_where_no_single_flip_lowers_the_error(
    dtype: type, rows: int, outputs: int
) -> None:
    t, weight, target = random_windows(rows, rows=rows, outputs=outputs)
    target += np.random.default_rng(6).normal(0, 0.5, target.shape)
    codes = greedy_flips(*(v.astype(dtype) for v in (t, weight, target)), low=0, high=3)
    before, least = error(codes, weight, target), 1e-9 if dtype == np.float64 else 1e-3
    assert (before <= error(nearest(t, 0, 3), weight, target) + least).all()
    inside = np.clip(t, 0, 3)
    other = np.floor(inside) + np.ceil(inside) - codes
    for row in range(rows):
        flipped = codes.copy()
        flipped[:, row] = other[:, row]
        assert (error(flipped, weight, target) >= before - least).all()


def test_greedy_flips_win_most_of_what_nearest_loses() -> None:
    t, weight, target = random_windows(7, rows=72)
    t = np.minimum(t, 3)
    target = np.einsum("or,nrp->nop", weight, t)
    lost = error(nearest(t, 0, 3), weight, target).mean()
    assert error(greedy_flips(t, weight, target, low=0, high=3), weight, target).mean() < 0.1 * lost


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
@pytest.mark.parametrize("high", [3, 255])
def test_the_search_ends_where_rounding_errors_are_as_large_as_what_there_is_to_win(
    dtype: type, scale: float, high: int
) -> None:
    """Weights that are nearly parallel, and an output that is far off or very nearly met."""
    rng = np.random.default_rng(8)
    t = rng.uniform(0, high, (1, 60, 40))
    weight = (rng.normal(0, 1, (4, 1)) + 1e-7 * rng.normal(0, 1, (4, 60))) * scale
    near = np.einsum("or,nrp->nop", weight, t)
    for target in (near, near + 1e5 * scale, np.zeros_like(near)):
        arrays = [v.astype(dtype) for v in (t, weight, target)]
        codes = greedy_flips(*arrays, low=0, high=high)
        before, after = (
            error(each, *map(np.float64, arrays[1:])) for each in (nearest(t, 0, high), codes)
        )
        assert (after <= before * (1 + 1e-6) + 1e-6 * scale**2).all()


def test_a_flip_that_may_win_only_by_a_rounding_error_is_not_made() -> None:
    """Of the product, float32 may lose -1 beside 2^25, and then a flip from 1 to 0 seems to pay."""
    elements = [(1.0, 2.0**25), (1.0, -1.0), (1.0, -(2.0**25)), (0.5, 1.0)]
    for ordered in permutations(elements):  # whatever the order in which they are summed
        t, weight = np.array(ordered, np.float32).T
        many = np.repeat(t[None, :, None], 20, axis=2)  # a dot product of one may be in float64
        target = np.full((1, 8, 20), -0.375, np.float32)
        assert (greedy_flips(many, np.stack([weight] * 8), target, low=0, high=3) == 1).all()


def test_max_flips_is_the_largest_number_of_codes_that_differ_from_nearest() -> None:
    t, weight, target = random_windows(9)
    start, last = nearest(t, 0, 3), np.inf
    whole = greedy_flips(t, weight, target, low=0, high=3)
    for most in (0, 1, 2, 5, 1000):
        codes = greedy_flips(t, weight, target, low=0, high=3, max_flips=most)
        assert ((codes != start).sum(axis=1) <= most).all()
        now = error(codes, weight, target)
        assert (now <= last).all()
        last = now
    assert codes.tolist() == whole.tolist()


# All combinations


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=200)
@given(case=window())
def test_the_exhaustive_codes_are_those_of_the_oracle(dtype: type, case: Any) -> None:
    """Spec: AQ-AROUND-3."""
    t, weight, target, low, high = case
    arrays = (np.array(each, dtype) for each in (t, weight, target))
    assert searched(exhaustive, *arrays, low, high) == oracle.best_codes(*case)


def test_the_exhaustive_error_is_never_above_the_greedy_one_and_sometimes_below() -> None:
    t, weight, target = random_windows(10, rows=9, outputs=3)
    best, greedy = (
        error(search(t, weight, target, low=0, high=3), weight, target)
        for search in (exhaustive, greedy_flips)
    )
    assert (best <= greedy + 1e-12).all()
    assert (best < greedy - 1e-6).any()


def test_an_output_that_some_rounding_gives_exactly_is_found() -> None:
    """Of the largest window that is allowed; the weights tell every combination apart."""
    weight = 2.0 ** np.arange(16)[None]
    wanted = np.random.default_rng(11).integers(0, 2, 16)
    codes = searched(exhaustive, [0.5] * 16, weight, [float(wanted @ weight[0])], 0, 1)
    assert codes == wanted.tolist()


# What is refused


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": np.full((2, 3, 4), np.nan)}, "NaN"),
        ({"weight": np.full((2, 3), np.inf)}, "weight"),
        ({"target": np.full((2, 2, 4), np.nan)}, "target"),
        ({"low": 1}, "1..3"),
        ({"high": -1, "low": -3}, "-3..-1"),
        ({"t": np.zeros((2, 4, 4))}, "fit"),
        ({"t": np.zeros((3, 4))}, "fit"),
        ({"target": np.zeros((2, 2, 1))}, "fit"),
        ({"weight": np.zeros((2, 2, 3))}, "fit"),
        ({"weight": np.zeros((2, 0)), "t": np.zeros((2, 0, 4))}, "fit"),
    ],
)
def test_what_has_no_answer_is_refused(search: Any, change: dict[str, Any], message: str) -> None:
    arguments = {
        "t": np.zeros((2, 3, 4)),
        "weight": np.zeros((2, 3)),
        "target": np.zeros((2, 2, 4)),
        "low": 0,
        "high": 3,
    }
    with pytest.raises(InputError, match=message):
        search(**{**arguments, **change})


def test_a_window_with_too_many_roundings_is_refused() -> None:
    t, weight, target = random_windows(12, rows=17)
    with pytest.raises(InputError, match="17 rows"):
        exhaustive(t, weight, target, low=0, high=3)
