"""Whether two models, or two programs, are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import aquant_ref as aq
from tests.test_api import model, program


@pytest.mark.parametrize("made", [model, program])
def test_what_is_reloaded_is_equal_and_what_is_other_is_not(
    made: Callable[[], aq.QuantizedModel | aq.Program], tmp_path: Path
) -> None:
    first = made()
    first.save(tmp_path / "x.npz")
    again = type(first).load(tmp_path / "x.npz")
    assert again is not first
    assert again == first
    assert len({again, first}) == 1
    assert first != replace(first, source={"made": "otherwise"})
    assert first != "x.npz"


def test_a_model_and_its_program_are_two_things() -> None:
    assert {model(): 1, program(): 2} == {program(): 2, model(): 1}
    assert model() != program()
