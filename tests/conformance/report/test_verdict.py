from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.family import objects
from aquant_ref.conformance.expected.results import Expected
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.verdict import difference, verdicts


def exact(values: list[float]) -> Expected:
    column = np.array(values)
    return Expected([column], [column], np.zeros(len(values), bool))


def test_a_value_passes_if_it_is_the_one_expected() -> None:
    got = Answers([np.array([1.0, 2.0, np.nan, -0.0])], {})
    assert verdicts(exact([1.0, 2.5, 3.0, 0.0]), got).tolist() == ["pass", "fail", "fail", "pass"]


def test_a_value_passes_inside_the_bounds_of_a_variation() -> None:
    bounded = Expected([np.array([3, 3, 3])], [np.array([4, 4, 4])], np.zeros(3, bool))
    got = Answers([np.array([3, 4, 5])], {})
    assert verdicts(bounded, got).tolist() == ["pass", "pass", "fail"]


def test_what_has_to_be_refused_passes_only_if_it_is() -> None:
    """Spec: AQ-CONF-3."""
    right = replace(exact([0, 0, 0, 0]), refused=np.ones(4, bool))
    got = Answers([np.zeros(4)], {1: ("error", "NaN"), 2: ("skip", ""), 3: ("missing", "")})
    assert verdicts(right, got).tolist() == ["fail", "pass", "unsupported", "missing"]


def test_of_several_results_all_have_to_be_right() -> None:
    right = Expected([np.array([1, 1]), np.array([2, 2])], [np.array([1, 1]), np.array([2, 2])],
                     np.zeros(2, bool))  # fmt: skip
    assert verdicts(right, Answers([np.array([1, 1]), np.array([2, 3])], {})).tolist() == [
        "pass",
        "fail",
    ]


@pytest.mark.parametrize(
    ("right", "got", "off"),
    [
        (5, 5, 0),
        (-(2**63), 2**63 - 1, 2**64 - 1),  # past int64
        (2**60, 2**60 + 1, 1),  # past float64
        (0.5, 0.25, 0.25),
        (np.inf, np.inf, 0),
        (1.0, np.inf, np.inf),
        (1.0, np.nan, np.inf),
        (objects([np.array([1, 2, 3])])[0], np.array([1, 4, 0]), 3),
        (objects([np.array([1, 2, 3])])[0], np.array([1, 4]), np.inf),
    ],
)
def test_how_far_an_answer_is_off(right: Any, got: Any, off: float) -> None:
    wrap = objects if isinstance(right, np.ndarray) else np.array
    column = wrap([right])
    expected = Expected([column], [column], np.zeros(1, bool))
    assert difference(expected, Answers([wrap([got])], {}), 0) == off


def test_an_answer_without_a_value_is_off_by_any_distance() -> None:
    assert difference(exact([1]), Answers([np.array([1])], {0: ("error", "")}), 0) == np.inf
    refused = replace(exact([1]), refused=np.ones(1, bool))
    assert difference(refused, Answers([np.array([1])], {}), 0) == np.inf
