from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, Capabilities, verify
from aquant_ref.conformance.adapters import EngineAdapter


class Narrow(EngineAdapter):
    """Declares all, and answers what `has` admits of the keywords of a method."""

    declared = Capabilities(requantization=("exact", "tflite_up"))

    def __init__(self, **has: Any) -> None:
        super().__init__()
        self._has = has

    def capabilities(self) -> Capabilities:
        return self.declared

    def _asked(self, name: str, bits: Any, signed: Any, fields: dict[str, Any]) -> Any:
        given = {"bits": bits, "signed": signed, "operation": name, **fields}
        if any(given[key] not in values for key, values in self._has.items()):
            raise NotImplementedError
        return getattr(super(), name)(**fields)

    def requantize(self, *, bits: Any, signed: Any, **fields: Any) -> Any:
        return self._asked("requantize", bits, signed, fields)

    def quantize(self, *, bits: Any, signed: Any, **fields: Any) -> Any:
        return self._asked("quantize", bits, signed, fields)

    def linear(self, *, bits: Any, signed: Any, **fields: Any) -> Any:
        return self._asked("linear", bits, signed, fields)


def claimed(adapter: Adapter, *operations: str) -> str:
    report = verify(adapter, operations=operations, generated=0)
    assert report.exit_code == 0, report.text()
    return report.claim.partition(", profile ")[2]


def test_what_was_declared_and_not_supported_is_not_claimed() -> None:
    """Past bug: a kernel that supported no layer claimed their variations and sizes.

    Spec: AQ-CONF-13.
    """
    said = claimed(
        Narrow(operation=["requantize"], bits=[8], signed=[True]), "requantize", "linear"
    )
    profile, requantization, bits, count = said.split("; ")
    assert profile == "core-int in part (requantize)"
    assert requantization == "requantization exact tflite_up"
    assert bits == "bits 8 signed"
    assert "unsupported" in count


def test_a_variation_of_which_nothing_passes_is_not_claimed() -> None:
    said = claimed(Narrow(profile=["tflite_up"], operation=["linear"]), "linear")
    assert "; requantization tflite_up; " in said
    assert "exact" not in said


@pytest.mark.parametrize("rule", ["half_even", "floor"])
def test_a_rule_of_rounding_of_which_nothing_passes_is_not_claimed(rule: str) -> None:
    said = claimed(Narrow(rounding=[rule]), "quantize")
    assert f"; rounding {rule}; bits " in said
    assert "requantization" not in said
    assert "sizes" not in said


def test_an_alternative_is_claimed_in_place_of_the_contracts_own_arithmetic() -> None:
    """Past bug: a run of float32_product said "requantization exact"."""
    adapter = EngineAdapter()
    wanted = Capabilities(variations=("linear:float32_product",), sizes=("small",))
    report = verify(adapter, capabilities=wanted, operations=["linear"], generated=0)
    assert "; linear: variations float32_product; " in report.claim
    assert "requantization" not in report.claim
    assert "; sizes small; " in report.claim


def test_operations_that_differ_from_most_have_words_of_their_own() -> None:
    class Two(EngineAdapter):
        def capabilities(self) -> Capabilities:
            own = {"dequantize": {"bits": (8, 16)}, "add": {"bits": (8,), "signs": ("signed",)}}
            return Capabilities(bits=(8,), by_operation=own)

    said = claimed(Two(), "quantize", "dequantize", "avg_pool", "add")
    assert "; bits 8 unsigned signed; dequantize: bits 8 unsigned signed, 16 signed; " in said
    assert "; add: bits 8 signed; " in said


def test_refusals_are_claimed_where_inputs_were_refused() -> None:
    class Refuses(Adapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(rejects=True)

        def clip(self, *, v: Any, low: Any, high: Any) -> Any:
            if (low > high).any():
                raise ValueError("no range")
            return np.clip(v, low, high)

    assert claimed(Refuses(), "clip").split("; ")[1] == "refusals of clip"
