"""Gradient descent: SGD with Nesterov momentum, Adam, and the learning-rate schedules.

An optimiser keeps its state in flat dictionaries of arrays, so that a checkpoint is one file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]


def cosine(step: float, total: float, *, warmup: float = 0) -> float:
    """Factor on the learning rate: 0 -> 1 linearly over `warmup` steps, then a half cosine to 0."""
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1e-12, total - warmup))))


class SGD:
    """Stochastic gradient descent with Nesterov momentum and decoupled choice of decayed weights.

    v <- momentum*v + g;  p <- p - rate*(g + momentum*v), with g = gradient + decay*p.
    """

    def __init__(self, *, momentum: float = 0.9, decay: float = 0.0) -> None:
        self.momentum, self.decay = momentum, decay
        self.velocity: Arrays = {}

    def step(self, parameters: Arrays, gradients: Mapping[str, Array], rate: float) -> None:
        """Replace the entries of `parameters` named in `gradients`; only "*.weight" decays."""
        for name, gradient in gradients.items():
            p = parameters[name]
            g = gradient + p.dtype.type(self.decay) * p if name.endswith(".weight") else gradient
            v = self.velocity.get(name)
            v = g if v is None else p.dtype.type(self.momentum) * v + g
            self.velocity[name] = v
            parameters[name] = p - p.dtype.type(rate) * (g + p.dtype.type(self.momentum) * v)


class Adam:
    """Adam (Kingma and Ba, 2015, algorithm 1), bias-corrected; a learning rate for each array."""

    def __init__(self, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.first: Arrays = {}
        self.second: Arrays = {}
        self.steps = 0

    def step(
        self, parameters: Arrays, gradients: Mapping[str, Array], rates: Mapping[str, float]
    ) -> None:
        """Replace the entries of `parameters` named in `gradients`; `rates` has one for each."""
        self.steps += 1
        for name, g in gradients.items():
            p = parameters[name]
            m = self.beta1 * self.first.get(name, 0) + (1 - self.beta1) * g
            v = self.beta2 * self.second.get(name, 0) + (1 - self.beta2) * g * g
            self.first[name], self.second[name] = m, v
            corrected = m / (1 - self.beta1**self.steps)
            root = np.sqrt(v / (1 - self.beta2**self.steps))
            parameters[name] = np.asarray(
                p - rates[name] * corrected / (root + self.epsilon), p.dtype
            )
