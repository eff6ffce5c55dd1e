"""What the tables of evidence are tested with."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.inputs import Inputs
from tests.evidence import networks


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The inputs of the small network in place of a model's; how often they were loaded."""
    made: list[Any] = []

    def load(*args: Any, **options: Any) -> Any:
        made.append(args)
        return networks.inputs(5)

    monkeypatch.setattr(Inputs, "load", load)
    return made
