from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from aquant_ref.ptq.losses import block_error, divergence, error_2_4


def test_the_errors_sum_channels_and_average_the_rest() -> None:
    wrong, right = np.full((2, 3, 4, 5), 2.0), np.zeros((2, 3, 4, 5))
    assert block_error(wrong, right) == 3 * 4
    assert error_2_4(wrong, right) == error_2_4(right, wrong) == pytest.approx(3 * 2**2.4)


def test_the_divergence_is_that_of_the_softmax_of_both() -> None:
    """Spec: AQ-STE-5."""
    rng = np.random.default_rng(0)
    student, teacher = 5 * rng.standard_normal((2, 7, 4))
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (teacher, student))
    assert divergence(student, teacher) == pytest.approx(entropy(p, q, axis=1).mean())
    assert divergence(teacher + 1e3, teacher) == pytest.approx(0, abs=1e-9)
