from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from aquant_ref.claims.costs import border_cost, network_cost, result
from aquant_ref.claims.overhead import FORMS, overhead
from aquant_ref.claims.tables import of_overhead
from aquant_ref.claims.timing import alternately
from aquant_ref.errors import InputError
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS, BorderSpec
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.network import LearnedWindow
from tests.claims import networks

inputs = networks.inputs
network = networks.network
windowed = networks.windowed

PLACES = 2 * 4  # of body.conv's windows
ELEMENTS = 4 * PLACES  # of its im2col matrix: 2 channels, 2 positions
WIDE = 3 * 64 + 1  # wide codes of 2 bits


def zeros(rows: int) -> np.ndarray:
    return np.zeros((rows, 3), np.float32)


def test_the_network_is_counted_product_by_product() -> None:
    products = 0
    products += sum(1 for o in range(2) for place in range(6))  # stem.conv, kernel 1, one channel
    products += sum(1 for o in range(3) for place in range(PLACES) for row in range(4))
    products += sum(1 for o in range(2) for i in range(3 * PLACES))
    cost = network_cost(network())
    assert cost.multiply_adds == products
    assert cost.parameters == (2 + 2) + (3 * 4 + 3) + (2 * 3 * PLACES + 2)


@pytest.mark.parametrize(("family", "degree"), [("constant", 0), ("linear", 1), ("quadratic", 2)])
def test_an_element_wise_border_costs_its_degree_an_element_and_nothing_lowered(
    family: str, degree: int
) -> None:
    cost = border_cost(network(), BorderSpec(family))
    assert cost.elements == cost.squashes == 2 * 6
    assert cost.multiply_adds == 12 * degree
    assert cost.parameters == 2 * (degree + 1)
    assert cost.table_operations == cost.table_entries == cost.adds == 0


def test_a_border_of_rows_costs_its_degree_an_element_of_the_windows_or_a_look_up() -> None:
    cost = border_cost(windowed(LearnedWindow(zeros(4))), BorderSpec(granularity="row"))
    assert (cost.elements, cost.multiply_adds, cost.squashes) == (ELEMENTS, 2 * ELEMENTS, ELEMENTS)
    assert (cost.parameters, cost.look_ups, cost.table_entries) == (12, ELEMENTS, 4 * WIDE)
    assert cost.table_operations == ELEMENTS


def test_a_fused_border_costs_two_polynomials_or_two_tables() -> None:
    made = windowed(LearnedWindow(zeros(4), zeros(4)))
    cost = border_cost(made, BorderSpec(granularity="row", fusion="window"))
    assert (cost.multiply_adds, cost.adds, cost.squashes) == (4 * ELEMENTS, ELEMENTS, ELEMENTS)
    assert (cost.look_ups, cost.table_adds, cost.table_entries) == (
        2 * ELEMENTS,
        2 * ELEMENTS,
        8 * WIDE,
    )
    assert (cost.elements, cost.parameters) == (ELEMENTS, 24)


@pytest.mark.parametrize(("rank", "kept"), [(1, 1), (2, 2), (3, 3), (ALL_DIRECTIONS, 3)])
def test_feedback_costs_two_multiply_adds_a_direction_and_one_for_the_gain(
    rank: int, kept: int
) -> None:
    made = windowed(LearnedWindow(zeros(1), feedback=rank))
    cost = border_cost(made, BorderSpec(feedback=rank))
    assert cost.multiply_adds == cost.table_multiply_adds == ELEMENTS * (2 * kept + 1)
    assert cost.parameters == 4 + (4 * kept if kept < 3 else 0)  # gains, and directions
    assert cost.squashes == cost.look_ups == 0


def test_feedback_over_learned_borders_costs_both() -> None:
    made = windowed(LearnedWindow(zeros(4) + np.float32(0.1), feedback=1))
    cost = border_cost(made, BorderSpec(granularity="row", feedback=1))
    assert cost.multiply_adds == ELEMENTS * (2 + 3)
    assert (cost.parameters, cost.look_ups) == (12 + 4 + 4, ELEMENTS)


def test_shares_are_of_the_network() -> None:
    own = network_cost(network())
    percent = result(own, border_cost(network(), BorderSpec()))["percent"]
    assert percent["parameters"] == 100 * 6 / own.parameters
    assert percent["multiply_adds"] == 100 * 24 / own.multiply_adds
    assert percent["table_operations"] == 0


def ticking(now: list[float], calls: list[str], name: str, takes: float) -> Callable[[], None]:
    def program() -> None:
        calls.append(name)
        now[0] += takes * (1 + 0.1 * len(calls))

    return program


def test_programs_alternate_and_the_first_round_does_not_count() -> None:
    now, calls = [0.0], list[str]()
    programs = {name: ticking(now, calls, name, takes) for name, takes in (("a", 1), ("b", 2))}
    timings = alternately(programs, "a", rounds=3, clock=lambda: now[0])
    assert calls == ["b", "a", "a", "b", "b", "a", "a", "b"]
    a = (1.3, 1.6, 1.7)  # third, sixth and seventh call
    b = (2.8, 3.0, 3.6)
    assert timings["a"].seconds == pytest.approx(a)
    assert timings["b"].seconds == pytest.approx(b)
    assert timings["b"].result() == {
        "seconds": pytest.approx(3.0),
        "seconds_range": pytest.approx([2.8, 3.6]),
        "ratio": pytest.approx(3.6 / 1.7),
        "ratio_range": pytest.approx([3.0 / 1.6, 2.8 / 1.3]),
    }
    assert timings["a"].ratios == (1, 1, 1)


def test_no_round_is_refused() -> None:
    with pytest.raises(InputError, match="rounds"):
        alternately({"a": lambda: None}, "a", rounds=0)


def test_every_form_is_counted_and_timed_and_those_that_lower_in_the_engine_too() -> None:
    found = overhead(inputs(), Config("aquant", 2, 2, 5, batch=4), rounds=1)
    assert list(found["forms"]) == list(FORMS)
    assert found["forms"]["channel"]["border"] == "quadratic/sigmoid/channel/off"
    assert set(found["times_without"]) == {"polynomial", "simulation", "engine"}
    assert "engine" in found["forms"]["channel"]["times"]
    for form in FORMS:
        own = found["forms"][form]
        assert own["parameters"] > 0
        assert own["times"]["simulation"]["seconds"] > 0
    json.dumps(found, allow_nan=False)
    table = of_overhead(found).splitlines()
    assert sum(line.startswith("row/window") for line in table) == 2
