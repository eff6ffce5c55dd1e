"""Feeding the error of a window back (AQ-FEEDBACK)."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.nn.feedback import PANEL, Feedback, fed_back, fed_back_by_rows
from aquant_ref.nn.straight_through import CodeRange
from aquant_ref.quant.border import BORDER_MIN

CODES = CodeRange(0, 3)
SIGNED = CodeRange(-1, 2)
REACH = -2.0, 6.0  # steps that wide codes hold
POSITIONS = 7


def case(
    seed: int, *, outputs: int = 4, rows: int = 9, groups: int = 1, rank: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Feedback]:
    """t, borders, weights and the feedback of those, all in sixteenths: sums are exact."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(-2, 3, (groups * outputs, rows, 1, 1)) / 2
    t = rng.integers(-16, 80, (2, groups, rows, POSITIONS)) / 16
    border = rng.integers(1, 17, t.shape) / 16
    return t, border, weight, Feedback.of(weight, groups=groups, rank=rank)


def exact(values: np.ndarray) -> list[Fraction]:
    return [Fraction(v) for v in np.asarray(values).ravel().tolist()]


@pytest.mark.parametrize("codes", [CODES, SIGNED])
@pytest.mark.parametrize("reach", [None, REACH])
@pytest.mark.parametrize("outputs", [1, 2])
@given(seed=st.integers(0, 10**6))
def test_the_definition_row_by_row_is_that_of_the_oracle(
    codes: CodeRange, reach: tuple[float, float] | None, outputs: int, seed: int
) -> None:
    # weights of 0, 1/2 and 1 with one output have powers of two as squares; with two outputs both
    # equal in size as well: so no division rounds, and every tie is a tie in both programs
    """Spec: AQ-FEEDBACK-1, AQ-FEEDBACK-2."""
    rng = np.random.default_rng(seed)
    column = rng.choice([-1.0, -0.5, 0, 0.5, 1.0], 5)
    signs = rng.choice([-1.0, 1.0], (outputs, 5))
    weight = (column * signs).reshape(outputs, 5, 1, 1)
    t = rng.integers(-48, 112, (1, 1, 5, POSITIONS)) / 16
    border = rng.integers(1, 17, t.shape) / 16
    found = fed_back_by_rows(t, border, Feedback.of(weight, reach=reach), codes)
    matrix = weight.reshape(outputs, 5)
    for position in range(POSITIONS):
        expected = oracle.fed_back(
            exact(t[0, 0, :, position]),
            exact(border[0, 0, :, position]),
            [exact(matrix[:, i]) for i in range(5)],
            exact((matrix * matrix).sum(axis=0)),
            (codes.low, codes.high),
            smallest=Fraction(BORDER_MIN),
            reach=reach,
        )
        made = np.clip(found[0, 0, :, position], codes.low, codes.high)
        assert made.tolist() == expected


@pytest.mark.parametrize("rows", [1, PANEL - 1, PANEL, PANEL + 1, 3 * PANEL + 5])
@pytest.mark.parametrize(("groups", "rank"), [(1, None), (3, None), (1, 2), (3, 1)])
def test_panels_change_nothing(rows: int, groups: int, rank: int | None) -> None:
    rng = np.random.default_rng(rows)
    weight = rng.standard_normal((groups * 3, rows, 1, 1))
    t = rng.uniform(-1, 4, (2, groups, rows, POSITIONS))  # a random t is never at a border
    border = rng.uniform(0.1, 0.9, t.shape)
    for codes, reach in product((CODES, SIGNED), (None, (-0.5, 3.5))):
        feedback = Feedback.of(weight, groups=groups, rank=rank, reach=reach)
        fast = fed_back(t, border, feedback, codes)
        assert fast.tolist() == fed_back_by_rows(t, border, feedback, codes).tolist()


@given(seed=st.integers(0, 10**6))
def test_every_row_takes_the_neighbour_that_keeps_the_output_nearer(seed: int) -> None:
    t, _, weight, feedback = case(seed)
    t = np.clip(t, 0, 3)
    q = fed_back(t, np.full(t.shape, 0.5), feedback, CODES)
    columns = weight.reshape(len(weight), -1)
    for image, position in product(range(2), range(POSITIONS)):
        error = np.zeros(len(weight))
        for i in range(t.shape[2]):
            value, w = t[image, 0, i, position], columns[:, i]
            neighbours = (np.floor(value), np.floor(value) + 1)
            errors = [((error + w * (each - value)) ** 2).sum() for each in neighbours]
            chosen = q[image, 0, i, position]
            if w.any() and abs(errors[0] - errors[1]) > 1e-9 and value != np.floor(value):
                assert chosen == neighbours[int(np.argmin(errors))]
            error += w * (chosen - value)


@given(seed=st.integers(0, 10**6))
def test_with_one_output_and_like_weights_the_error_stays_below_half_a_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.choice([-0.5, 0.5], (1, 40, 1, 1))
    t = rng.uniform(0, 3, (2, 1, 40, POSITIONS))
    half = np.full(t.shape, 0.5)
    error = fed_back(t, half, Feedback.of(weight), CODES) - t
    error = (weight.reshape(-1, 1) * error).cumsum(axis=2)
    assert abs(error).max() <= 0.5 * 0.5 + 1e-9


def test_rounding_to_nearest_has_no_such_bound() -> None:
    t = np.full((1, 1, 40, 1), 0.4)
    kept = fed_back(t, np.full(t.shape, 0.5), Feedback.of(np.ones((1, 40, 1, 1))), CODES)
    assert kept.sum() == 16  # 40 times 0.4; nearest makes it 0


def test_integers_stay_whatever_the_window_did() -> None:
    t, border, _, feedback = case(3, rows=30)
    t[:, :, ::2] = np.round(t[:, :, ::2])
    q = fed_back(t, border, feedback, CODES)
    assert (q == t)[:, :, ::2].all()
    assert not (q == t)[:, :, 1::2].all()


def test_a_row_that_meets_only_zeros_neither_gives_nor_takes() -> None:
    t, border, weight, _ = case(4)
    weight[:, 4] = 0
    q = fed_back(t, border, Feedback.of(weight), CODES)
    assert q[:, :, 4].tolist() == (np.floor(t - border) + 1)[:, :, 4].tolist()
    without = [i for i in range(9) if i != 4]
    rest = fed_back(t[:, :, without], border[:, :, without], Feedback.of(weight[:, without]), CODES)
    assert q[:, :, without].tolist() == rest.tolist()
    dead = Feedback.of(np.zeros((3, 9, 1, 1)))
    assert fed_back(t, border, dead, CODES).tolist() == (np.floor(t - border) + 1).tolist()


def test_the_error_of_clipping_is_fed_back_by_hand() -> None:
    # weights 1: 4 becomes 3, an error of -1, so that 0.4 and then 0.3 go up; 0.5 has its own border
    t = np.array([4, 0.4, 0.3, 0.2]).reshape(1, 1, 4, 1)
    half = np.full(t.shape, 0.5)
    feedback = Feedback.of(np.ones((1, 4, 1, 1)), reach=REACH)
    assert np.clip(fed_back(t, half, feedback, CODES), 0, 3).ravel().tolist() == [3, 1, 1, 0]
    withdrawn = Feedback.of(np.ones((1, 4, 1, 1)))
    assert np.clip(fed_back(t, half, withdrawn, CODES), 0, 3).ravel().tolist() == [3, 0, 1, 0]


@pytest.mark.parametrize("reach", [None, REACH])
def test_what_a_border_does_on_purpose_is_no_error(reach: tuple[float, float] | None) -> None:
    """The border 1/2 - 0.15 wants t + 0.15: the withdrawn rule takes that away again."""
    rng = np.random.default_rng(7)
    weight = rng.standard_normal((8, 60, 1, 1))
    t = rng.uniform(0.2, 2.8, (2, 1, 60, 40))
    matrix = weight.reshape(8, 60)
    wanted = matrix @ (t + 0.15)

    def distance(border: float) -> float:
        own = np.full(t.shape, border)
        q = fed_back(t, own, Feedback.of(weight, reach=reach), CODES)
        return float(((matrix @ np.clip(q, 0, 3) - wanted) ** 2).sum(axis=2).mean())

    gained = distance(0.5) / distance(0.35)
    assert gained > 2 if reach else gained < 1.2


def test_the_withdrawn_rule_does_not_feed_the_error_of_clipping_back() -> None:
    t, border, _, feedback = case(5, rows=20)
    inside = np.clip(t, 0, 3)
    assert (t != inside).any()
    far, near = (fed_back(each, border, feedback, CODES) for each in (t, inside))
    assert np.clip(far, 0, 3).tolist() == near.tolist()
    assert far.max() > 3  # what lies outside is still to be seen, by the gradient mask


@pytest.mark.parametrize("rank", [3, 4, 99])
def test_as_many_directions_as_outputs_are_all_of_them(rank: int) -> None:
    rng = np.random.default_rng(rank)
    weight = rng.standard_normal((3, 20, 1, 1))
    t = rng.uniform(0, 3, (2, 1, 20, POSITIONS))
    half = np.full(t.shape, 0.5)
    every = Feedback.of(weight)
    assert Feedback.of(weight, rank=rank).rank == every.rank == 3
    assert (
        fed_back(t, half, Feedback.of(weight, rank=rank), CODES).tolist()
        == fed_back(t, half, every, CODES).tolist()
    )


def test_directions_are_the_projection_on_singular_vectors() -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((6, 10, 1, 1))
    matrix = weight.reshape(6, 10)
    # from the eigenvectors of W W^T instead: the same space, largest first
    _, vectors = np.linalg.eigh(matrix @ matrix.T)
    space = vectors[:, ::-1][:, :2]
    a = Feedback.of(weight, rank=2).directions[0]
    assert a.T @ a == pytest.approx(matrix.T @ space @ space.T @ matrix)
    assert Feedback.of(weight, rank=2).gain[0] == pytest.approx(1 / (matrix**2).sum(axis=0))


def test_groups_do_not_hear_of_each_other() -> None:
    rng = np.random.default_rng(2)
    weight = rng.standard_normal((6, 5, 1, 1))
    t = rng.uniform(0, 3, (2, 2, 5, POSITIONS))
    half = np.full(t.shape, 0.5)
    both = fed_back(t, half, Feedback.of(weight, groups=2), CODES)
    for group in range(2):
        own = slice(group, group + 1)
        one = Feedback.of(weight[3 * group : 3 * group + 3])
        assert both[:, own].tolist() == fed_back(t[:, own], half[:, own], one, CODES).tolist()
