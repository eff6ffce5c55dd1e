"""One step and two of the optimizers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.nn.training.optim import SGD, Adam, cosine


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine() -> None:
    steps = (0, 1, 2, 3, 4, 6, 9)
    found = [cosine(step, 6, warmup=2) for step in steps]
    assert found == pytest.approx([0, 0.5, 1, (1 + 0.5**0.5) / 2, 0.5, 0, 0])


def test_two_steps_with_nesterov_momentum_are_those_of_the_formula() -> None:
    optimizer, parameters = SGD(momentum=0.5), {"a.bias": np.array([1.0])}
    optimizer.step(parameters, {"a.bias": np.array([2.0])}, 0.1)
    # v = 2; p = 1 - 0.1*(2 + 0.5*2)
    assert parameters["a.bias"] == pytest.approx([0.7])
    optimizer.step(parameters, {"a.bias": np.array([4.0])}, 0.1)
    # v = 0.5*2 + 4 = 5; p = 0.7 - 0.1*(4 + 0.5*5)
    assert parameters["a.bias"] == pytest.approx([0.05])


def test_weights_alone_decay_and_what_has_no_gradient_stays() -> None:
    parameters = {name: np.array([1.0], np.float32) for name in ("a.weight", "a.bias", "b.weight")}
    SGD(momentum=0, decay=0.5).step(
        parameters, dict.fromkeys(["a.weight", "a.bias"], np.zeros(1)), 1
    )
    assert [parameters[name].item() for name in parameters] == [0.5, 1, 1]
    assert parameters["b.weight"].dtype == np.float32


def test_the_first_step_of_adam_is_the_rate_against_the_sign_and_the_second_by_hand() -> None:
    optimizer, parameters = Adam(epsilon=0), {"a": np.array([1.0, 1.0]), "b": np.array([3.0])}
    rates = {"a": 0.1, "b": 1.0}
    optimizer.step(parameters, {"a": np.array([5.0, -1e-3]), "b": np.array([2.0])}, rates)
    assert parameters["a"] == pytest.approx([0.9, 1.1])
    assert parameters["b"] == pytest.approx([2.0])
    optimizer.step(parameters, {"b": np.array([0.0])}, rates)
    # m = 0.9*0.2, corrected by 1 - 0.81; v = 0.999*0.004, corrected by 1 - 0.998001
    wanted = 2 - (0.18 / 0.19) / (0.003996 / 0.001999) ** 0.5
    assert parameters["b"] == pytest.approx([wanted])
    assert parameters["a"] == pytest.approx([0.9, 1.1])
