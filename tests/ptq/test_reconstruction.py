from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq import Config, observe, quantize_with
from aquant_ref.ptq.methods import FIRST
from aquant_ref.ptq.reconstruction import coin_flips, run_pass
from tests.ptq.residual import CONFIG, graph, images, parameters


def test_learning_lowers_the_error_of_the_block_and_only_the_border_is_bent() -> None:
    config = Config(iterations=200, batch=16)
    model = quantize_with(graph(), parameters(), images(), config)
    first, second = model.source["block_errors"]
    assert (first["pass"], second["pass"]) == ("qdrop", "border")
    assert first["after"] < first["before"]
    assert second["after"] < second["before"]
    bent = model.tensors["stem.relu"].crossings
    assert bent.shape == (4, 3)
    assert abs(bent - (np.arange(3) + 0.5)).max() > 0.01
    assert model.tensors["body.relu2"].crossings.shape == (1, 255)  # 8 bits: nearest


def test_coin_flips_are_fair_and_of_the_asked_shape() -> None:
    flips = coin_flips(np.random.default_rng(0), (7, 11, 13))
    assert flips.dtype == np.bool_
    assert flips.shape == (7, 11, 13)
    assert abs(flips.mean() - 0.5) < 0.05


def test_an_error_that_is_not_finite_stops_the_pass() -> None:
    network = observe(graph(), parameters(), graph().to_float(images()), CONFIG)
    network.parameters["body.conv2.bias"][:] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match="body"):
        run_pass(network, graph().to_float(images()), replace(FIRST, batch=16), seed=(0,))
