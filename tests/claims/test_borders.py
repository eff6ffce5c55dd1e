from __future__ import annotations

import json
from math import exp, floor

import numpy as np
import pytest

from aquant_ref.claims.borders import PER_CELL, QUANTILES, BorderShape, shapes
from aquant_ref.claims.tables import of_borders
from aquant_ref.errors import InputError
from aquant_ref.ptq.network import LearnedWindow
from tests.claims import networks

network = networks.network
windowed = networks.windowed

rng = np.random.default_rng(0)


def one(coefficients: list[list[float]], squash: str = "clip") -> BorderShape:
    (shape,) = shapes(network(coefficients=np.array(coefficients, np.float32), squash=squash))
    return shape


def sigmoid(p: float) -> float:
    return max(1 / (1 + exp(-4 * p)), 1e-6)


def test_every_curve_is_the_polynomial_of_its_channel_squashed() -> None:
    rows = rng.uniform(-0.5, 0.5, (2, 3)).astype(np.float32)
    shape = one(rows.tolist(), "sigmoid")
    assert (shape.name, shape.kind, shape.low, shape.high) == ("stem.relu", "channel", 0, 3)
    assert len(shape.t) == 3 * PER_CELL + 1
    for i, t in enumerate(shape.t.tolist()):
        for (b0, b1, b2), curve in zip(rows.tolist(), shape.curves, strict=True):
            wanted = sigmoid(b0 + b1 * t / 3 + b2 * (t / 3) ** 2)
            assert curve[i] == pytest.approx(wanted, rel=1e-12)


def test_mean_quantiles_and_distance_are_over_the_functions() -> None:
    shape = one([[0.25, 0, 0], [-0.25, 0, 0]])  # 3/4 and 1/4 everywhere
    assert shape.functions == 2
    assert set(shape.mean.tolist()) == {0.5}
    assert shape.quantiles[:, 0].tolist() == [0.25 + 0.5 * q / 100 for q in QUANTILES]
    assert shape.distance == (0.25, 0.25)


def codes_go_up_once(b0: float, b1: float) -> bool:
    """Looked at point by point, clip squash."""
    for cell in range(3):
        ts = [cell + i / 1000 for i in range(1000)]
        up = [t - floor(t) >= min(max(0.5 + b0 + b1 * t / 3, 1e-6), 1) for t in ts]
        if sorted(up) != up:
            return False
    return True


@pytest.mark.parametrize(
    ("b0", "b1", "falls", "single"),
    [
        (0.0, 0.0, 0, True),
        (0.1, 2.9, 0, True),
        (0.1, -9.0, 0, True),
        (-1.2, 6.0, 1, False),
        (0.4, 6.0, 1, True),
    ],
)
def test_a_border_steeper_than_t_is_counted(b0: float, b1: float, falls: int, single: bool) -> None:
    shape = one([[b0, b1, 0], [0, 0, 0]])
    assert codes_go_up_once(b0, b1) == single
    assert (shape.not_monotone, shape.not_single) == (falls, int(not single))


@pytest.mark.parametrize("squash", ["clip", "sigmoid"])
def test_falling_is_what_differences_show(squash: str) -> None:
    for _ in range(40):
        rows = rng.uniform(-4, 4, (2, 3)).astype(np.float32)
        shape = one(rows.tolist(), squash)
        g = np.linspace(0, 3, 30001)
        p = rows[:, :1] + rows[:, 1:2] * g / 3 + rows[:, 2:] * (g / 3) ** 2
        b = np.clip(0.5 + p, 1e-6, 1) if squash == "clip" else 1 / (1 + np.exp(-4 * p))
        steepest = (np.diff(b) / np.diff(g)).max(axis=1)
        if not ((steepest > 0.98) & (steepest < 1.2)).any():  # only PER_CELL points are looked at
            assert shape.not_monotone == int((steepest > 1).sum())


def test_a_fused_border_is_shown_for_a_window_that_holds_t_everywhere() -> None:
    own, fusion = (rng.uniform(-0.4, 0.4, (4, 3)).astype(np.float32) for _ in range(2))
    (shape,) = shapes(windowed(LearnedWindow(own, fusion)))
    assert (shape.name, shape.kind, shape.functions) == ("body.conv", "row, fused", 4)
    for i, t in enumerate(shape.t.tolist()):
        powers = [1, t / 3, (t / 3) ** 2]
        for row in range(4):
            window = [2 * (row // 2), 2 * (row // 2) + 1]  # the two positions of the channel
            f = sum(np.dot(fusion[j], powers) for j in window) / 2
            assert shape.curves[row, i] == pytest.approx(sigmoid(np.dot(own[row], powers) + f))


def test_the_share_of_the_other_positions_has_the_range_that_a_search_finds() -> None:
    fusion = rng.uniform(-1, 1, (4, 3)).astype(np.float32)
    (shape,) = shapes(windowed(LearnedWindow(np.zeros((4, 3), np.float32), fusion)))
    tau = np.linspace(0, 1, 10001)
    values = fusion @ np.stack([tau**0, tau, tau**2]) / 2  # the only other one of the window
    assert shape.held == pytest.approx((values.min(), values.max()), abs=1e-6)


def test_a_fused_border_counts_its_own_position_and_holds_the_others() -> None:
    # alone each is flat enough: slope 2/3 of P, and 2/3 of its own share of F
    own = np.array([[-1, 2, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    fusion = np.array([[0, 4, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    (shape,) = shapes(windowed(LearnedWindow(own, fusion, "clip")))
    assert shape.not_monotone == 1  # row 0; row 1 sees the share of row 0 as held
    fusion[0, 1] = 1.5  # half of it is its own share: 2.75/3 in all
    (shape,) = shapes(windowed(LearnedWindow(own, fusion, "clip")))
    assert shape.not_monotone == 0
    # of the others only held values bring this one into the range where clip has a slope
    own = np.array([[9.4, 4, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    fusion = np.array([[0, 0, 0], [0, -20, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    (shape,) = shapes(windowed(LearnedWindow(own, fusion, "clip")))
    assert shape.not_monotone == 1  # row 0 where it is held near -10; row 1 falls with t
    assert shape.held == (-10, 0)


def test_a_network_without_borders_is_refused() -> None:
    with pytest.raises(InputError, match="no border was learned"):
        shapes(network(coefficients=None))


def test_the_result_is_json_and_the_table_has_a_line_a_border() -> None:
    found = shapes(network())
    assert json.loads(json.dumps(found[0].result()))["functions"] == 2
    lines = of_borders(found).splitlines()
    assert lines[1].split()[:3] == ["stem.relu", "2", "channels"]
    assert len(lines) == 2 + 2 + 7
