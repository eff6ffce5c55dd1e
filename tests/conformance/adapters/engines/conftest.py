"""Engines, for the tests that need them; a test is skipped where one is not installed."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.adapters.engines.names import ENGINES


@pytest.fixture
def engine() -> Any:
    """Make an engine's adapter by its name."""

    def make(name: str) -> Any:
        for package in ENGINES[name].packages:
            pytest.importorskip(package)
        adapter = ENGINES[name].make(name)
        adapter.start()
        return adapter

    return make
