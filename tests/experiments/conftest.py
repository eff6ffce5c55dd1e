"""Fixtures of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aquant_ref.experiments.origin import Origin
from tests.claims import networks


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The inputs of the small network in place of a model's; how often they were loaded."""
    made: list[Any] = []

    def find(model: str, data_set: str, weights: str | None = None) -> Origin:
        of = (data_set.partition(":")[0], Path("tiny.npz"), f"{weights}" * 3, data_set * 3)
        return Origin(model, data_set, *of)

    def load(self: Origin, **options: Any) -> Any:
        made.append(options)
        return networks.inputs(5)

    monkeypatch.setattr(Origin, "find", find)
    monkeypatch.setattr(Origin, "load", load)
    return made
