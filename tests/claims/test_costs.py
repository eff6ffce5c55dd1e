from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.claims.costs import border_cost, network_cost, result
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS, BorderSpec
from aquant_ref.ptq.network import LearnedWindow
from tests.claims import networks

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
