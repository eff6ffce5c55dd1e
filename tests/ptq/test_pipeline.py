from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq import Config, nearest, observe, quantize_with
from aquant_ref.ptq.methods import METHODS
from tests.ptq import small
from tests.ptq.residual import CONFIG, graph, images, parameters

rng = np.random.default_rng(0)


def test_two_runs_with_one_seed_give_the_same_bytes_and_another_seed_does_not() -> None:
    first, second = (quantize_with(graph(), parameters(), images(), CONFIG) for _ in range(2))
    assert small.same(first, second)
    assert not small.same(
        first, quantize_with(graph(), parameters(), images(), replace(CONFIG, seed=1))
    )


@pytest.mark.parametrize("method", ["qdrop-scales", "aquant"])
def test_a_second_pass_of_no_iterations_is_qdrop_to_the_last_bit(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = METHODS[method]

    def without_second(config: Config) -> tuple[Any, ...]:
        first, second = ours(config)
        return first, replace(second, iterations=0)

    monkeypatch.setitem(METHODS, method, without_second)
    one = quantize_with(graph(), parameters(), images(), replace(CONFIG, method=method))
    assert small.same(
        one, quantize_with(graph(), parameters(), images(), replace(CONFIG, method="qdrop"))
    )


def test_nearest_rounding_learns_nothing() -> None:
    model = nearest(graph(), parameters(), images(), CONFIG)
    assert model.source["block_errors"] == []
    observed = observe(graph(), parameters(), graph().to_float(images()), CONFIG)
    assert model.layers["body.conv1"].codes.tolist() == observed.codes["body.conv1"].tolist()


def test_progress_wraps_every_block_of_every_pass() -> None:
    labels: list[str] = []

    def progress(steps: Iterable[int], label: str) -> Iterable[int]:
        labels.append(label)
        return steps

    quantize_with(graph(), parameters(), images(), replace(CONFIG, iterations=5), progress=progress)
    assert labels == ["qdrop body", "border body"]


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("method", "magic", "magic"),
        ("weight_bits", 0, "weight bits"),
        ("act_bits", 17, "activation bits"),
        ("iterations", -1, "iterations"),
        ("batch", 0, "batch"),
        ("seed", -1, "seed"),
    ],
)
def test_a_configuration_that_is_none_is_refused(field: str, value: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(CONFIG, **{field: value})


def test_too_few_images_and_broken_weights_are_refused() -> None:
    with pytest.raises(InputError, match="images: there are none"):
        quantize_with(graph(), parameters(), images(0), CONFIG)
    with pytest.raises(InputError, match="fewer than a batch"):
        quantize_with(graph(), parameters(), images(15), CONFIG)
    broken = parameters()
    broken["body.conv1.weight"][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"body.conv1.weight.*NaN"):
        quantize_with(graph(), broken, images(), CONFIG)
