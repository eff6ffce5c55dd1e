from __future__ import annotations

import numpy as np
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.ptq.adaround import (
    AdaRound,
    dequantized,
    nearest_codes,
    rectified_sigmoid,
    regularizer,
    regularizer_beta,
)
from aquant_ref.ptq.observers import (
    WeightScale,
    search_weight_scale,
)

rng = np.random.default_rng(0)


def scale_of(w: np.ndarray, bits: int = 2) -> WeightScale:
    return search_weight_scale("w", w, bits, per_channel=True)


def test_soft_weights_start_at_the_float_weights_inside_the_range() -> None:
    w = rng.standard_normal((3, 2, 3, 3))
    scale = scale_of(w, 4)
    rounding = AdaRound(w, scale)
    steps = w / scale.scale[:, None, None, None]
    zero = scale.zero_point[:, None, None, None]
    inside = (steps > -zero) & (steps < 15 - zero)
    assert rounding.soft(rounding.start)[inside] == pytest.approx(w[inside], abs=1e-5)


def test_hard_codes_go_up_where_v_is_not_negative() -> None:
    w = np.array([[0.3, 0.3, 0.3]]).reshape(1, 3, 1, 1)
    rounding = AdaRound(w, WeightScale(np.array([1.0]), np.array([1], np.int32), 2))
    v = np.array([-1e-9, 0.0, 1.0]).reshape(1, 3, 1, 1)
    assert rounding.codes(v).ravel().tolist() == [1, 2, 2]  # v = 0 goes up


@given(v=st.floats(-30, 30))
def test_the_rectified_sigmoid_is_its_formula(v: float) -> None:
    expected = min(max(1.2 / (1 + np.exp(-v)) - 0.1, 0), 1)
    assert float(rectified_sigmoid(v)) == pytest.approx(expected)


def test_the_regulariser_is_zero_when_all_is_decided_and_counts_what_is_not() -> None:
    assert regularizer(np.array([-20.0, 20.0]), 20.0) == 0
    assert regularizer(np.array([0.0, 0.0]), 2.0) == pytest.approx(2)
    slope = grad(lambda v: regularizer(v, 2.0))(np.array([0.3]))
    numeric = (regularizer(np.array([0.3 + 1e-6]), 2.0) - regularizer(np.array([0.3]), 2.0)) / 1e-6
    assert slope[0] == pytest.approx(numeric, rel=1e-4)


def test_beta_falls_linearly_from_20_to_2_after_the_warm_up() -> None:
    assert regularizer_beta(19, 100) is None
    assert regularizer_beta(20, 100) == 20
    assert regularizer_beta(60, 100) == 11
    assert regularizer_beta(100, 100) == 2


def test_rounding_hard_weights_again_changes_nothing() -> None:
    w = rng.standard_normal((3, 2, 3, 3))
    scale = scale_of(w)
    codes = AdaRound(w, scale).codes(rng.standard_normal(w.shape))
    again = nearest_codes(dequantized(codes, scale, np.float64), scale)
    assert again.tolist() == codes.tolist()
