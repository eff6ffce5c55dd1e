from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.claims.borders import BorderShape
from aquant_ref.claims.layer_errors import ALL, ChannelErrors, LayerErrors
from aquant_ref.claims.tables import SHOWN, of_borders, of_errors, of_overhead


def shape(name: str, places: int, *functions: float) -> BorderShape:
    """Constant borders over the codes 0..3."""
    curves = np.repeat(np.array(functions)[:, None], places, axis=1)
    return BorderShape(name, "channel", 0, 3, np.linspace(0, 3, places), curves, 1, 0)


def test_a_border_has_a_line_and_then_its_values_over_t() -> None:
    first, *lines = of_borders([shape("relu", 19, 0.25, 0.5), shape("b", 2, 1.0)]).splitlines()
    assert first.split()[:3] == ["border", "of", "functions"]
    assert lines[0].split() == ["relu", "2", "channels", "0..3", "0.125", "0.250", "1", "0"]
    assert lines[1].split() == ["b", "1", "channel", "0..3", "0.500", "0.500", "1", "0"]
    values = lines[4:]
    assert len(values) == SHOWN + 2
    assert values[0].split()[:3] == ["relu", "0.00", "0.375"]
    # 5, 25, 50, 75 and 95 % of the way from 0.25 to 0.5
    assert values[0].split()[3:] == ["0.263", "0.312", "0.375", "0.438", "0.487"]
    assert [line.split()[0] for line in values[1:SHOWN]] == [f"{t / 2:.2f}" for t in range(1, 7)]
    assert values[SHOWN].split() == ["b", "0.00", *["1.000"] * 6]


def errors(name: str, bias: float, *, products: bool = True) -> LayerErrors:
    """Of a spread of 2; each part that is switched off halves the bias of 3-4-5 triangles."""
    each = {
        what: ChannelErrors(np.array([bias / 2**i] * 2), np.array([4 / 3 * bias / 2**i] * 2))
        for i, what in enumerate(ALL)
    }
    if not products:
        return LayerErrors(name, 2.0, each)
    return LayerErrors(name, 2.0, each, 10.0, {what: 1.0 / 2**i for i, what in enumerate(ALL)})


def test_errors_are_percents_of_the_float_products_and_outputs_and_an_add_has_no_products() -> None:
    methods = {"one": [errors("conv", 0.24), errors("add", 0.24, products=False)]}
    *_, conv, add, mean = of_errors(methods).splitlines()
    products = ["10.00", "5.00", "2.50", "1.25"]
    outputs = ["12.00", "6.00", "3.00", "1.50", "20.00", "10.00", "5.00", "2.50"]
    assert conv.split() == ["conv", "one", *products, *outputs]
    assert add.split() == ["add", "one", *outputs]
    assert mean.split() == ["all", "one", *products, *outputs]


def test_methods_stand_below_each_other_and_the_mean_is_a_root_mean_square() -> None:
    """Of 2 % and 14 %, 10 %."""
    methods = {
        "one": [errors("a", 0.04), errors("b", 0.28)],
        "another": [errors("a", 0.28), errors("b", 0.28)],
    }
    lines = [line.split() for line in of_errors(methods).splitlines()[6:]]
    starts = [line[:2] for line in lines]
    assert starts == [
        ["a", "one"],
        ["another", "10.00"],
        ["b", "one"],
        ["another", "10.00"],
        ["all", "one"],
        ["another", "10.00"],
    ]
    assert [line[-8] for line in lines] == ["2.00", "14.00", "14.00", "14.00", "10.00", "14.00"]


def timed(seconds: float) -> dict[str, Any]:
    spread = [seconds / 2, seconds * 2]
    return {"seconds": seconds, "seconds_range": spread, "ratio": 1.5, "ratio_range": [1, 2.25]}


def test_overhead_is_counted_with_its_shares_and_timed_beside_no_border() -> None:
    cost = {
        **{"parameters": 6, "multiply_adds": 20, "adds": 4, "squashes": 12},
        **{"look_ups": 3, "table_adds": 2, "table_multiply_adds": 1, "table_entries": 77},
        "percent": {"parameters": 2.0, "multiply_adds": 12.5, "table_operations": 3.125},
        "times": {"engine": timed(0.2)},
    }
    result = {
        "network": {"parameters": 300, "multiply_adds": 192},
        "forms": {"row": cost},
        "images": 50,
        "rounds": 7,
        "times_without": {"engine": timed(0.1), "simulation": timed(0.4)},
    }
    first, _, _, _, row, _, said, _, _, without, with_row = of_overhead(result).splitlines()
    assert first.startswith("the network has 300 parameters and 192 multiply-adds an image")
    assert row.split() == [
        *("row", "6", "(2.00", "%)", "24", "(12.50", "%)", "12", "6", "(3.12", "%)", "77")
    ]
    assert said.startswith("ms for 50 images, median of 7 rounds")
    assert without.split() == [
        *("no", "border", "100", "(50", "..", "200)", "400", "(200", "..", "800)")
    ]
    assert with_row.split() == ["row", "200", "1.50", "(1.00", "..", "2.25)", "-"]
