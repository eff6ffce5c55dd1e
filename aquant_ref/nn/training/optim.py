"""Descend gradients: SGD with Nesterov momentum, Adam, and a learning-rate schedule.

An optimizer keeps its state in flat dictionaries of arrays, so that a checkpoint is one file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from aquant_ref.typing import Reals

Arrays = dict[str, Reals]


def cosine(step: float, total: float, *, warmup: float = 0) -> float:
    """Return a learning-rate factor: 0 to 1 over `warmup` steps, then a half cosine to 0."""
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1e-12, total - warmup))))


class SGD:
    """Step by stochastic gradient descent with Nesterov momentum.

    v <- momentum*v + g;  p <- p - rate*(g + momentum*v), with g = gradient + decay*p for weights
    and g = gradient for all other parameters.
    """

    def __init__(self, *, momentum: float = 0.9, decay: float = 0.0) -> None:
        self.momentum, self.decay = momentum, decay
        self.velocity: Arrays = {}

    def step(self, parameters: Arrays, gradients: Mapping[str, Reals], rate: float) -> None:
        """Update the entries of `parameters` that `gradients` names; only "*.weight" decays."""
        for name, gradient in gradients.items():
            p = parameters[name]
            g = gradient + p.dtype.type(self.decay) * p if name.endswith(".weight") else gradient
            v = self.velocity.get(name)
            v = g if v is None else p.dtype.type(self.momentum) * v + g
            self.velocity[name] = v
            parameters[name] = p - p.dtype.type(rate) * (g + p.dtype.type(self.momentum) * v)


class Adam:
    """Step by Adam (Kingma and Ba, 2015, algorithm 1), with a learning rate for each array."""

    def __init__(self, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.first: Arrays = {}
        self.second: Arrays = {}
        self.steps = 0

    def step(
        self, parameters: Arrays, gradients: Mapping[str, Reals], rates: Mapping[str, float]
    ) -> None:
        """Update the entries of `parameters` that `gradients` names, each at its own rate."""
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
