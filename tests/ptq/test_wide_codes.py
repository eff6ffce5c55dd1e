"""What wide codes hold is chosen from the calibration images (AQ-FEEDBACK-3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aquant_ref.ptq import wide_codes
from aquant_ref.ptq.network import LearnedTensor
from aquant_ref.quant.window import WideCodes


def best(t: np.ndarray, tensor: LearnedTensor) -> WideCodes:
    errors = dict.fromkeys(wide_codes._candidates(tensor), 0.0)
    wide_codes._add_errors(errors, t * tensor.scale, tensor)
    return min(errors, key=lambda wide: errors[wide])


@pytest.mark.parametrize("zero_point", [0, 1, 3])
@pytest.mark.parametrize("bits", [1, 2, 5, 7])
def test_candidates_hold_every_code_and_are_all_there(bits: int, zero_point: int) -> None:
    tensor = LearnedTensor(0.5, bits, min(zero_point, 2**bits - 1))
    found = wide_codes._candidates(tensor)
    low, high = -tensor.zero_point, tensor.qmax - tensor.zero_point
    wanted = {
        WideCodes(f, least)
        for f in range(1, 9 - bits)
        for least in range(low - 256, low + 1)
        if least + 255 / 2**f >= high and (low < 0 or least == 0)
    }
    assert set(found) == wanted
    assert found[0] == WideCodes(8 - bits, low)
    for each in found:
        each.check(bits, tensor.zero_point)


def test_what_lies_beyond_the_codes_takes_fraction_bits() -> None:
    """Spec: AQ-FEEDBACK-3."""
    inside = np.linspace(0, 3, 4001)
    tensor = LearnedTensor(0.25, 2)
    assert best(inside, tensor) == WideCodes(6, 0)
    assert best(np.append(inside, 7.5), tensor) == WideCodes(5, 0)
    assert best(np.append(inside, [15, 13]), tensor) == WideCodes(4, 0)


def test_steps_beyond_lie_where_the_activations_are() -> None:
    tensor = LearnedTensor(0.25, 2, 1)
    inside = np.linspace(-1, 2, 4001)
    assert best(np.append(inside, -4.5), tensor) == WideCodes(5, -5)
    assert best(np.append(inside, 6.5), tensor) == WideCodes(5, -1)


def test_a_sample_meets_every_column_and_channel() -> None:
    x = np.zeros((32, 16, 64, 64))
    x[..., 0] = 7.5
    tensor = LearnedTensor(1.0, 2)
    errors = {WideCodes(6, 0): 0.0}
    wide_codes._add_errors(errors, x, tensor)
    share = errors[WideCodes(6, 0)] / (7.5 - 255 / 64) ** 2
    assert share == pytest.approx(wide_codes.SAMPLES / 64, rel=0.1)
    assert replace(tensor, wide=WideCodes(6, 0)).wide == WideCodes(6, 0)
