"""Each case of `bordered_conv2d` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.layer_parts import accumulators
from tests.conformance.cases.rows import HALF, arrays


def elements(row: dict[str, Any]) -> list[list[Fraction]]:
    """The elements of each channel in steps of the result, exactly."""
    found = []
    for acc, scale, bias in zip(accumulators(row), row["weight_scale"], row["bias"], strict=True):
        unit = Fraction(row["x_scale"]) * Fraction(scale)
        found.append([(int(v) * unit + Fraction(bias)) / Fraction(row["scale"]) for v in acc])
    return found


def test_crossings_stay_in_their_cells() -> None:
    for flag in ("at_crossing", "below_crossing", "nearest", "channels", "relu", "random"):
        for row in arrays(flag, "bordered_conv2d", n=12):
            first = np.ceil(row["crossings"][:, :1]) - 1
            cells = first + np.arange(row["crossings"].shape[1])
            assert ((cells < row["crossings"]) & (row["crossings"] <= cells + 1)).all()


def test_most_channels_have_an_element_at_a_crossing_or_just_below_one() -> None:
    for flag in ("at_crossing", "below_crossing"):
        hit = []
        for row in arrays(flag, "bordered_conv2d", n=12):
            for crossings, values in zip(row["crossings"], elements(row), strict=True):
                exact = {Fraction(c) for c in crossings}
                below = {Fraction(float(np.nextafter(c, -np.inf))) for c in crossings}
                hit.append(bool((exact if flag == "at_crossing" else below | exact) & {*values}))
        assert sum(hit) > len(hit) // 2


def test_the_borders_of_the_nearest_code_are_halves_and_are_met() -> None:
    for row in arrays("nearest", "bordered_conv2d", n=12):
        assert (row["crossings"] % 1 == 0.5).all()
        assert all(values[0] % 1 == HALF for values in elements(row))


def test_borders_are_near_0_and_near_1_by_turns() -> None:
    for row in arrays("channels", "bordered_conv2d", n=12):
        border = row["crossings"] - np.ceil(row["crossings"]) + 1
        assert {*border.ravel()} == {1 / 64, 63 / 64}
        assert (border == border[:, :1]).all()
