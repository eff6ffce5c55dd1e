"""Every engine agrees with the oracle in the arithmetic that it declares."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance import verify
from aquant_ref.conformance.adapters.engines.names import ENGINES, known

ENOUGH = 20  # that pass, so that a skip of everything is no success


@pytest.mark.parametrize("name", [name for name in ENGINES if not name.startswith("torch")])
def test_layers_agree_in_every_case_that_the_engine_takes(name: str, engine: Any) -> None:
    layers = ["conv2d", "depthwise", "linear"]
    report = verify(engine(name), operations=layers, generated=10, deviations=known(name))
    assert report.total()["pass"] > 2 * ENOUGH
    assert not report.total()["fail"] + report.total()["error"], report.text()
