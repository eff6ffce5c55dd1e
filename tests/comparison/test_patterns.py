"""A defect is put into a tensor, and has to be recognized; what is no such defect has not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.comparison.patterns import PATTERNS, Differing, guesses
from aquant_ref.comparison.tensor_diff import outermost

Change = Callable[[np.ndarray], np.ndarray]

TOP = 15
SHAPE = (6, 5, 7, 7)


def codes(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, TOP + 1, shape).astype(np.uint8)


def added(step: int, where: np.ndarray) -> Change:
    """Clipped to 0..TOP, as codes are."""
    return lambda a: np.where(where, np.clip(a.astype(int) + step, 0, TOP), a).astype(np.uint8)


def moved(down: int, right: int) -> Change:
    """Moved; 0 comes in at the edge."""

    def change(a: np.ndarray) -> np.ndarray:
        padded = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return padded[:, :, 1 - down : 8 - down, 1 - right : 8 - right]

    return change


everywhere = np.ones(SHAPE, bool)
in_channel = np.zeros(SHAPE, bool)
in_channel[:, 3] = True
at_edge = np.broadcast_to(outermost(SHAPE[2:]), SHAPE)
scattered = np.random.default_rng(9).random(SHAPE) < 0.2
any_step = np.random.default_rng(8).integers(1, 4, SHAPE)

CHANGES: dict[str, list[Change]] = {
    "constant": [lambda a: np.zeros_like(a), lambda a: np.full_like(a, TOP)],
    "transposed": [
        lambda a: a.swapaxes(2, 3),
        lambda a: a[:, :, ::-1],
        lambda a: a[..., ::-1],
        lambda a: a[:, :, ::-1, ::-1],
        lambda a: a[:, ::-1],
    ],
    "shifted": [moved(1, 0), moved(0, -1), moved(-1, 1), moved(1, 1)],
    "sign": [lambda a: TOP - a, lambda a: -a.astype(np.int32)],
    "zero point": [
        added(1, everywhere),
        added(-3, everywhere),
        lambda a: a.astype(np.int16) - 8,  # signed codes for unsigned ones
    ],
    "saturation": [
        lambda a: np.minimum(a, 11),
        lambda a: np.maximum(a, 2),
        lambda a: np.where(a == TOP, 17, a).astype(np.uint8),
    ],
    "one channel": [
        added(1, in_channel & scattered),
        lambda a: np.where(in_channel, a * 2 % (TOP + 1), a).astype(np.uint8),
    ],
    "padding": [
        lambda a: np.where(at_edge, (a + any_step) % (TOP + 1), a).astype(np.uint8),
        added(2, at_edge & scattered),
    ],
    "off by one": [added(-1, scattered), added(1, scattered)],
}


def differing(a: np.ndarray, b: np.ndarray, ties: np.ndarray | None = None) -> Differing:
    return Differing(a, b, outermost(a.shape[2:]), ties)


@pytest.mark.parametrize(
    ("defect", "change"), [(defect, change) for defect in CHANGES for change in CHANGES[defect]]
)
def test_a_defect_is_the_first_guess(defect: str, change: Change) -> None:
    """Spec: AQ-TRACE-2."""
    a = codes()
    found = guesses(differing(a, change(a)))
    assert found, defect
    assert found[0].defect == defect
    assert found[0].evidence


def test_every_guess_has_a_defect_that_it_is_tested_with() -> None:
    of_the_program = {"rounding of floats", "ties"}  # known only with a program; below
    assert set(CHANGES) | of_the_program == set(PATTERNS)


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 1))
def test_random_differences_are_accused_of_nothing(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = codes(seed), codes(seed + 1)
    b = np.where(rng.random(SHAPE) < share, b, a)
    assert not guesses(differing(a, b))


@pytest.mark.parametrize("count", [1, 2, 3])
@given(seed=st.integers(0, 10**6))
def test_of_a_few_cells_nothing_is_said(count: int, seed: int) -> None:
    """Here they are all at the edge and off by one, which happens by chance."""
    a = codes(seed)
    b = a.copy()
    cells = np.random.default_rng(seed).permutation(np.argwhere(at_edge))[:count]
    b[tuple(cells.T)] ^= 1
    assert not guesses(differing(a, b))


@pytest.mark.parametrize("shape", [(50, 4, 1, 1), (50, 1, 2, 2), (1, 1, 1, 1), (40, 3, 1, 9)])
def test_without_an_interior_nothing_is_at_the_edge(shape: tuple[int, ...]) -> None:
    a = codes(0, shape)
    b = np.where(np.random.default_rng(1).random(shape) < 0.5, a, codes(1, shape))
    if (a != b).any():
        assert "padding" not in {guess.defect for guess in guesses(differing(a, b))}


def test_ties_are_a_guess_only_where_all_cells_are_ties() -> None:
    a = codes()
    ties = scattered
    b = added(-1, ties)(a)
    (guess,) = guesses(differing(a, b, ties & (a > 0)))
    assert guess.defect == "ties"
    some = ties.copy()
    some[tuple(np.argwhere(a != b)[0])] = False
    assert guesses(differing(a, b, some))[0].defect == "off by one"
    assert guesses(differing(a, b))[0].defect == "off by one"


def test_fragile_decisions_are_no_defect_and_named_first() -> None:
    a = codes()
    b = added(1, scattered)(a)
    found = guesses(Differing(a, b, outermost(a.shape[2:]), None, a != b))
    assert [guess.defect for guess in found] == ["rounding of floats"]


def test_floats_are_compared_as_they_are() -> None:
    a = codes().astype(np.float64) / 4
    assert guesses(differing(a, -a))[0].defect == "sign"
    assert guesses(differing(a, a + 0.5))[0].defect == "zero point"
    assert not guesses(differing(a, a * 1.001))


def test_signed_codes_read_as_unsigned_ones_are_named() -> None:
    signed = codes().astype(np.int8) - np.int8(20)  # all below 0
    found = guesses(Differing(signed, signed.view(np.uint8), outermost(SHAPE[2:])))
    assert any("B is A +256 everywhere" in words and "signed" in words for words in map(str, found))
