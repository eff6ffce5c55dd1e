from __future__ import annotations

import numpy as np
import pytest
from autograd.test_util import check_grads

from aquant_ref import nn
from aquant_ref.nn.norm import EPS
from tests.nn.layers import rng, train_norm


def reference_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    pixels = (0, 2, 3)[: x.ndim - 1]
    mean, variance = x.mean(axis=pixels), x.var(axis=pixels)
    per_channel = (slice(None), *(None,) * (x.ndim - 2))
    normal = (x - mean[per_channel]) / np.sqrt(variance[per_channel] + EPS)
    return normal * gamma[per_channel] + beta[per_channel]


@pytest.mark.parametrize("shape", [(4, 3, 5, 2), (7, 3)])
def test_batch_norm_in_training_equals_its_definition_and_sees_its_own_statistics(
    shape: tuple[int, ...],
) -> None:
    x = 3 * rng.standard_normal(shape) + 7
    gamma, beta = np.array([1.5, -0.5, 0.1]), np.array([0.0, 1.0, -2.0])
    assert train_norm(x, gamma, beta) == pytest.approx(reference_norm(x, gamma, beta))
    check_grads(train_norm, modes=["rev"], order=1)(x, gamma, beta)


@pytest.mark.parametrize("shape", [(2, 3, 2, 2), (5, 3)])
def test_batch_norm_at_inference_uses_the_given_statistics(shape: tuple[int, ...]) -> None:
    x = rng.standard_normal(shape)
    pixels = (0, 2, 3)[: x.ndim - 1]
    mean, variance = x.mean(axis=pixels), x.var(axis=pixels)
    gamma, beta = np.array([1.5, -0.5, 0.1]), np.array([0.0, 1.0, -2.0])
    result = nn.batch_norm(x, gamma, beta, mean=mean, variance=variance)
    assert result == pytest.approx(reference_norm(x, gamma, beta))


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    out = train_norm(np.full((2, 1, 3, 3), 1e3, np.float32), np.ones(1), np.zeros(1))
    assert np.isfinite(out).all()
