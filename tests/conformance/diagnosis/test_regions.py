"""A kernel that no known fault reproduces, and that is wrong in one place alone."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import verify
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.typing import Array


class Spoilt(EngineAdapter):
    """Right, but for what is there at a place of the result."""

    def __init__(self, place: Any) -> None:
        self.place = place

    def conv2d(self, **fields: Any) -> Array:
        return self.spoilt(super().conv2d(**fields))

    def max_pool2d(self, **fields: Any) -> Array:
        return self.spoilt(super().max_pool2d(**fields))

    def matmul(self, **fields: Any) -> Array:
        return self.spoilt(super().matmul(**fields))

    def spoilt(self, right: Array) -> Array:
        codes = right.astype(np.int64)
        codes[self.place] ^= 1
        return codes


def said(operation: str, place: Any) -> str:
    with pytest.MonkeyPatch.context() as patch:  # nothing known gives these answers
        module = sys.modules[verify.__module__]
        patch.setattr(sys.modules[module.diagnoses.__module__], "diagnose", lambda *_: [])
        report = verify(Spoilt(place), operations=[operation], generated=0)
    return report.text()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (np.s_[:, 31::32], "row 31 of every 32"),
        (np.s_[:, :, 23::24], "column 23 of every 24"),
        (np.s_[33:], "channel 33 and those after it"),
        (np.s_[7::8], "channel 7 of every 8"),
    ],
)
def test_rows_columns_and_channels_are_named(place: Any, words: str) -> None:
    """Spec: AQ-CONF-8."""
    assert f"wrong in one place alone: {words} (" in said("max_pool2d", place)


def test_what_is_wrong_everywhere_is_in_no_place() -> None:
    text = said("max_pool2d", np.s_[:])
    assert "wrong in one place alone" not in text
    assert "no known fault explains these" in text


def test_a_matrix_of_a_batch_is_named() -> None:
    assert "wrong in one place alone: matrix 2 and those after it (" in said("matmul", np.s_[2:])
