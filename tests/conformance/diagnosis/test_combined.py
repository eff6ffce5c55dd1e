"""Faults together with another variation, two at once, and faults with a parameter not listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, Capabilities, verify
from aquant_ref.conformance.diagnosis import diagnose as module
from aquant_ref.conformance.faults import siblings
from aquant_ref.conformance.faults.layers import relu_at_zero, wrapped
from aquant_ref.conformance.faults.steps import RIGHT, Layers
from aquant_ref.typing import Array

Steps = dict[str, Callable[..., Any]]


def diagnosis(operation: str, own: str, asked: str, **steps: Callable[..., Any]) -> str:
    """What a report says of a kernel with these steps, of the variation `own`."""
    layers = Layers("", own, **steps)

    class Kernel(Adapter):
        def capabilities(self) -> Capabilities:
            sizes = ("small", "large") if "product" in steps else ("small",)
            return Capabilities(
                requantization=(asked,), granularity=("channel",), bits=(8,), sizes=sizes
            )

    def method(**f: Any) -> Any:
        return getattr(layers, operation)(**{**f, "profile": own})

    kernel = Kernel()
    setattr(kernel, operation, method)
    report = verify(kernel, operations=[operation], generated=0)
    return " ".join(report.diagnosis(operation, asked))


def as_zero(x: Array, zero: int, padding: Any) -> Array:
    return RIGHT.pad(x, 0, padding)


def floored(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    steps = total.astype(np.float32) * (unit / f["scale"]).astype(np.float32)[:, None]
    return np.floor(steps + np.float32(0.5)).astype(np.int64)


def of_18_bits(weight: Array, columns: Array) -> Array:
    return wrapped(weight @ columns, 18)


def without_tail_of_4(weight: Array, columns: Array) -> Array:
    whole = len(columns) // 4 * 4 or len(columns)
    return weight[:, :whole] @ columns[:whole]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 120.0)


# (what the kernel does, its variation, the one asked, what is said)
ROWS: list[tuple[Steps, str, str, str]] = [
    (
        {"centre": lambda q, z: q, "pad": as_zero},
        *("exact", "exact", "explained by: the zero point of the input taken for 0 ("),
    ),
    (
        {"centre": lambda q, z: q, "pad": as_zero},
        *("float32", "exact", "explained by: float32, and the zero point of the input taken for 0"),
    ),
    ({"rescale": floored}, "float32", "float32", "1/2 added there, then floored"),
    ({"product": of_18_bits}, "exact", "exact", "explained by: a sum of 18 bits wraps"),
    (
        {"product": of_18_bits},
        *("tflite_away", "exact", "explained by: tflite_away, and a sum of 18 bits wraps"),
    ),
    (
        {"product": without_tail_of_4},
        *("exact", "exact", "explained by: products after the last 4 left out"),
    ),
]


def bias_later(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    m, later = unit / f["scale"], np.rint(f["bias"] / f["scale"])
    steps = np.rint(total.astype(np.float32) * m.astype(np.float32)[:, None])
    return (steps + later[:, None]).astype(np.int64)


ROWS.append(
    (
        {"bias": lambda b, x, w: np.zeros(len(b), np.int64), "rescale": bias_later},
        *("float32", "float32", "explained by: bias added to the rounded result"),
    )
)


@pytest.mark.parametrize(("steps", "own", "asked", "said"), ROWS)
def test_a_layer_is_explained_by_a_fault_in_a_variation(
    steps: Steps, own: str, asked: str, said: str
) -> None:
    """Spec: AQ-CONF-8."""
    assert said in diagnosis("conv2d", own, asked, **steps)


def test_two_faults_that_are_wrong_in_the_same_cases_are_named_both() -> None:
    said = diagnosis("linear", "exact", "exact", clip=relu_at_zero, centre=lambda q, z: q)
    assert "explained by: no zero point of the input, and ReLU at code 0" in said


@pytest.mark.parametrize("operation", ["linear", "depthwise"])
def test_siblings_of_the_catalogue_are_named(operation: str) -> None:
    own = [f for f in siblings.WRONG if f.operation == operation and not f.flag]
    for fault in own[3::14]:
        said = diagnosis(operation, "exact", "exact", **fault.steps)
        assert not said or "explained by" in said or "your answers" in said
        assert fault.name in said or "..." in said or not said
