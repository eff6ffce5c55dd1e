from __future__ import annotations

import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq.pass_config import ReconstructionPass


def test_a_pass_that_is_none_is_refused() -> None:
    for field, value in (
        ("unit", "image"),
        ("loss", "labels"),
        ("mixing", "mqbench"),
        ("beta_schedule", "step"),
        ("mask", "none"),
    ):
        with pytest.raises(InputError, match=f"unknown {field} '{value}'"):
            ReconstructionPass("a pass", 1, **{field: value})
