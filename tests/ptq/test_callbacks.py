"""Learning may be watched, iteration by iteration, and does not change for it."""

from __future__ import annotations

import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq import Config, Iteration, quantize_with
from aquant_ref.ptq.adaround import regularizer_beta
from tests.ptq import small

BLOCKS = ("body", "inverted", "tail")


def watched(config: Config) -> tuple[str, list[Iteration]]:
    """The digest of the model, and what was seen."""
    seen: list[Iteration] = []
    arguments = small.graph(), small.parameters(), small.images(), config
    model = quantize_with(*arguments, callback=seen.append)
    return model.sha256(), seen


@pytest.mark.parametrize("method", ["adaround", "brecq", "qdrop", "aquant"])
def test_watching_changes_no_bit(method: str) -> None:
    config = Config(method, iterations=6, batch=8)
    alone = quantize_with(small.graph(), small.parameters(), small.images(), config)
    assert watched(config)[0] == alone.sha256()


def test_every_iteration_of_every_block_of_every_pass_is_seen_in_order() -> None:
    _, seen = watched(Config("aquant", iterations=5, batch=8))
    places = [(each.stage, each.block, each.number) for each in seen]
    passes = [("qdrop", 5), ("border", 2)]
    assert places == [(p, b, i) for p, count in passes for b in BLOCKS for i in range(count)]


def test_the_error_falls_and_the_penalty_is_that_of_a_pass_that_learns_weights() -> None:
    _, seen = watched(Config("aquant", iterations=20, batch=8))
    assert all(each.error > 0 for each in seen)
    for each in seen:
        warm = regularizer_beta(each.number, 20) is None
        assert (each.penalty > 0) == (each.stage == "qdrop" and not warm)
    body = [each.error for each in seen if (each.stage, each.block) == ("qdrop", "body")]
    assert sum(body[-5:]) < sum(body[:5])


def test_whoever_watches_may_stop_the_learning() -> None:
    def stop(each: Iteration) -> None:
        if each.number == 3:
            raise InputError("enough")

    with pytest.raises(InputError, match="enough"):
        quantize_with(
            small.graph(), small.parameters(), small.images(), small.CONFIG, callback=stop
        )
