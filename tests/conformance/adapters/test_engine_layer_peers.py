"""The engine's own arithmetic in the alternatives of layers, against the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, verify
from aquant_ref.conformance.adapters import Capabilities, EngineAdapter
from aquant_ref.conformance.adapters.engine_layer_peers import requantized
from aquant_ref.errors import InputError

LAYERS = ("conv2d", "depthwise", "linear")
FIELDS: dict[str, Any] = {
    "x_scale": 0.5,
    "weight_scale": np.array([0.5, 0.5]),
    "bias": np.array([0.0, 0.0]),
    "scale": 0.5,
    "zero_point": 0,
    "qmin": 0,
    "qmax": 255,
}
ACC = np.array([[3], [5]])


class Engine(EngineAdapter):
    def capabilities(self) -> Capabilities:
        names = [f"{name}:{each}" for name in LAYERS for each in OPERATIONS[name].alternatives]
        return Capabilities(variations=tuple(names), rejects=True)


def test_the_engine_agrees_with_the_oracle_in_every_alternative() -> None:
    """Spec: AQ-LAYER-1 to AQ-LAYER-6."""
    report = verify(Engine(), operations=LAYERS, generated=150)
    assert report.exit_code == 0, report.text()
    assert report.total()["unsupported"] == 0


@pytest.mark.parametrize(
    ("profile", "change", "message"),
    [
        ("fbgemm_tensor", {"weight_scale": np.array([0.5, 0.25])}, "weight_scale: needs one"),
        ("float32_product", {"bias": np.array([0.3, 0.0])}, "bias: is not a whole number"),
        ("float32_zero_first", {"bias": np.array([2.0**29, 0])}, "accumulator: overflows int32"),
        ("fbgemm", {"x_scale": 2.0**-120, "weight_scale": np.array([2.0**-20] * 2)}, "scale: a pr"),
        ("qnnpack", {"scale": 2.0**-35}, "scale: makes more steps"),
    ],
)
def test_what_the_contract_refuses_is_refused(profile: str, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        requantized(ACC, **{**FIELDS, **change}, profile=profile)
