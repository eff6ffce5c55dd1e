from __future__ import annotations

from dataclasses import replace

import numpy as np

from aquant_ref.conformance.expected.results import Expected
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.verdict import verdicts


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
