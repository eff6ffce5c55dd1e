"""Numbers to compute layers of, shared by the tests of the layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.nn.norm import batch_norm_train, batch_statistics

rng = np.random.default_rng(0)


def integers(*shape: int) -> np.ndarray:
    """Small integers as floats: sums of their products are exact in any order."""
    return rng.integers(-4, 5, shape).astype(np.float64)


def as_tuple_lists(x: np.ndarray) -> Any:
    return x.astype(int).tolist()


def train_norm(x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = batch_statistics(x)
    return batch_norm_train(x, gamma, beta, mean=mean, variance=variance)
