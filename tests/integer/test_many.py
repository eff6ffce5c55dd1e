from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from aquant_ref.integer import scale_accumulator
from tests.integer import many


@pytest.mark.parametrize("profile", many.ALL)
def test_no_implementation_of_a_profile_differs_from_the_oracle(profile: str) -> None:
    """The same for 10 million cases a profile: `python -m tests.integer.many --cases 10000000`."""
    assert many.differences(profile, 4000, seed=1) == 0


@pytest.mark.parametrize("profile", many.ALL)
def test_a_tenth_of_the_cases_are_ties_or_beside_one(profile: str) -> None:
    cases = many.draw(profile, 2000, seed=2)
    products = [
        Fraction(acc) * Fraction(m)
        for acc, m in zip(cases.acc.tolist(), cases.real().tolist(), strict=True)
    ]
    half = Fraction(1, 2)
    assert sum(product % 1 == half for product in products) > 100
    assert sum(abs(product % 1 - half) < Fraction(1, 100) for product in products) > 200
    assert set(cases.acc.tolist()) >= {0, -1, 2**31 - 1}


@pytest.mark.parametrize("wrong", ["half_even", "double"])
def test_a_kernel_that_rounds_otherwise_is_found(wrong: str) -> None:
    def kernel(profile: str, cases: many.Cases) -> np.ndarray:
        if wrong == "half_even":
            return np.rint(cases.acc * cases.real())
        shift = np.maximum(cases.shift, 31)
        return scale_accumulator(cases.acc, cases.m, shift, profile="tflite_up")

    assert many.differences("exact", 4000, seed=3, kernels=[kernel]) > 100


def test_the_command_prints_a_line_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert many.main(["--cases", "50", "--profiles", "exact,float32"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("exact          50 cases, 0 differences")
    assert second.startswith("float32        50 cases, 0 differences")
