from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, Adapter, Capabilities, verify
from aquant_ref.conformance.adapters import (
    CommandAdapter,
    EngineAdapter,
    OracleAdapter,
    PipeAdapter,
    SimulationAdapter,
    load,
)
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PASS
from aquant_ref.errors import InputError


@pytest.mark.parametrize("adapter", [EngineAdapter(), OracleAdapter()], ids=lambda a: a.name)
def test_the_kits_own_implementations_pass_everything(adapter: Adapter) -> None:
    """Spec: AQ-CONF-1."""
    report = verify(adapter, generated=60)
    assert report.exit_code == EXIT_PASS, report.text()
    found = report.total()
    assert found["pass"] == found["total"] > 7000
    assert "profile core-int, border, engine;" in report.claim


def test_the_simulation_agrees_wherever_it_computes() -> None:
    report = verify(SimulationAdapter(), generated=60)
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["unsupported"] > 0
    core, engine = (re.findall(rf"{part} in part \(([^)]*)\)", report.claim)[0].split(", ")
                    for part in ("core-int", "engine"))  # fmt: skip
    assert {"round", "quantize", "dequantize", "add", "avg_pool"} <= {*core}
    assert {"conv2d", "depthwise", "linear", "add_tensors", "max_pool2d"} <= {*engine}
    assert "requantize" not in core


def test_the_simulation_agrees_on_layers_that_are_rounded_once() -> None:
    """Each decision is farther from its threshold than float64 errs (AQ-LOWER-5)."""
    report = verify(SimulationAdapter(), operations=["conv2d", "bordered_conv2d"], generated=2000)
    assert report.total(operation="conv2d", profile="ideal")["pass"] > 240
    assert report.total(operation="bordered_conv2d")["pass"] > 240


class Pools(Adapter):
    """A method on tensors gets one case."""

    def max_pool2d(
        self, *, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
    ) -> np.ndarray:
        assert x.dtype == np.int64
        assert isinstance(padding, tuple)
        assert type(padding[0]) is int
        return x[:, : x.shape[1] // kernel[0], : x.shape[2] // kernel[1]]


def test_a_wrong_tensor_is_told_by_its_first_element_or_its_shape() -> None:
    report = verify(Pools(), operations=["max_pool2d"], generated=0)
    assert report.exit_code == EXIT_MISMATCH
    assert report.total()["error"] == 0
    texts = [failure.got for failure in report.failures]
    assert any(text.startswith("shape (") for text in texts)
    assert any(" at [0, 0, 0] (" in text and "differ)" in text for text in texts)
    assert "x=[...] of " in report.text()
    assert isinstance(report.as_json()["failures"][0]["inputs"]["x"], list)


def test_a_method_on_tensors_that_raises_is_about_its_case_alone() -> None:
    class OneChannel(Pools):
        def max_pool2d(self, *, x: Any, **rest: Any) -> Any:
            if len(x) > 1:
                raise ValueError("one channel only")
            return EngineAdapter().max_pool2d(x=x, **rest)

    report = verify(OneChannel(), operations=["max_pool2d"], generated=0)
    found = report.total()
    assert found["pass"] > 20
    assert found["error"] > 20
    assert found["fail"] == 0


class Clips(Adapter):
    """One operation, of two that it knows of."""

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        return np.clip(v, low, high)

    def threshold(self, **fields: Any) -> Any:
        raise NotImplementedError("next year")


def test_a_method_that_is_missing_or_not_implemented_is_unsupported_and_never_passed() -> None:
    report = verify(Clips(), generated=50)
    for name in OPERATIONS:
        found = report.total(operation=name)
        assert (found["pass"] > 0) == (name == "clip")
        assert found["pass"] + found["unsupported"] == found["total"]
    assert "core-int in part (clip);" in report.claim
    assert f"{report.total()['unsupported']} unsupported" in report.claim


def test_only_what_is_declared_is_asked_and_claimed() -> None:
    """Spec: AQ-CONF-4."""

    class Narrow(EngineAdapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(bits=(8,), signs=("signed",), rounding=("half_even",))

    report = verify(Narrow(), generated=100)
    assert report.exit_code == EXIT_PASS
    assert "rounding half_even; requantization exact; bits 8 signed; granularity" in report.claim
    assert report.total(operation="requantize", profile="float32")["pass"] == 0


class Fragile(Adapter):
    """Fails on single cases of a batch."""

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        if (v == 0).any():
            raise ZeroDivisionError("v is 0")
        return np.clip(v, low, high)


def test_the_cases_that_an_exception_is_about_are_found() -> None:
    report = verify(Fragile(), operations=["clip"], generated=0)
    wrong = [failure for failure in report.failures if failure.operation == "clip"]
    assert wrong
    assert all(failure.inputs["v"] == 0 for failure in wrong)
    assert all(failure.got == "error: ZeroDivisionError: v is 0" for failure in wrong)
    assert "likely" not in report.text()  # an exception says more than a guess


def test_what_has_to_be_refused_and_is_not_fails() -> None:
    class Careless(Clips):
        def capabilities(self) -> Capabilities:
            return Capabilities(rejects=True)

    report = verify(Careless(), operations=["clip"], generated=0)
    assert {failure.flags for failure in report.failures} == {("no_range",)}
    assert all(failure.expected == "a refusal" for failure in report.failures)
    assert report.likely(report.failures[0]) == ["input.accepted"]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda v: v[:-1], "shape"),
        (lambda v: v.astype(float), "not integers"),
        (lambda v: (v, v), "2 results"),
    ],
)
def test_what_is_no_answer_is_an_error_that_says_why(returned: Any, words: str) -> None:
    """Spec: AQ-CONF-3."""

    class Odd(Adapter):
        def clip(self, *, v: Any, low: Any, high: Any) -> Any:
            return returned(np.clip(v, low, high))

    report = verify(Odd(), operations=["clip"], generated=0)
    assert report.total()["error"] == 120
    assert words in report.failures[0].got


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        (["clip"], "20 generated cases of each, profile"),
        (["thresholds"], "2 generated cases of each, profile"),
        (["thresholds", "clip"], "20 generated cases of each, 2 of each on tensors, profile"),
    ],
)
def test_a_claim_says_how_many_cases_there_were(operations: list[str], words: str) -> None:
    """Past bug: as many on tensors as of numbers, which are ten times more."""
    report = verify(EngineAdapter(), operations=operations, generated=20)
    assert words in report.claim


def test_one_case_can_be_run_again_by_its_id() -> None:
    report = verify(Clips(), operations=["clip"], only=["clip/inside/3"])
    assert report.total()["total"] == 1
    with pytest.raises(InputError, match="case: unknown id 'clip/inside/x'"):
        verify(Clips(), only=["clip/inside/x"])


def test_an_adapter_is_found_by_name() -> None:
    assert load("aquant_ref.conformance.adapters:OracleAdapter").name == "oracle"
    for name in ("no_such_module:A", "aquant_ref.oracle:Nothing", "aquant_ref", "builtins:dict"):
        with pytest.raises(InputError, match="adapter: "):
            load(name)


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ({"seed": "a"}, "seed: needs an integer, got 'a'"),
        ({"seed": 1.5}, "seed: needs an integer, got 1.5"),
        ({"generated": True}, "generated: needs an integer, got True"),
        ({"generated": 10**12}, "generated: needs 0 to 10000000, got 1000000000000"),
        ({"operations": [["clip"]]}, "unknown operation ['clip']; choose from round"),
        ({"operations": [None]}, "unknown operation None; choose from round"),
        ({"operations": []}, "operations: needs at least one"),
        ({"only": [1, "a"]}, "case: unknown id 1"),
        ({"only": [[]]}, "case: unknown id []"),
        ({"deviations": "deviations.toml"}, "deviations: needs the result of `load`, got 'dev"),
    ],
)
def test_what_verify_cannot_take_is_one_line(chosen: dict[str, Any], line: str) -> None:
    """Past bugs: a traceback, or taken for something else."""
    with pytest.raises(InputError) as raised:
        verify(Clips(), **{"operations": ["clip"], **chosen})
    assert str(raised.value).startswith(line)


def test_an_unknown_operation_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="unknown operation 'softmax'"):
        verify(Clips(), operations=["softmax"])


def test_a_kernel_with_one_scale_a_tensor_is_asked_for_that() -> None:
    class OneScale(EngineAdapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(granularity=("tensor",), bits=(8,))

        def linear(self, *, weight_scale: Any, **fields: Any) -> Any:
            (scale,) = set(weight_scale.tolist())
            return super().linear(weight_scale=np.full(len(weight_scale), scale), **fields)

    report = verify(OneScale(), operations=["linear"])
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] > 100
    assert "granularity tensor;" in report.claim


def test_what_cannot_be_asked_in_a_way_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="conv2d: a stream has no tensors"):
        verify(PipeAdapter("./kernel"), operations=["conv2d"])
    with pytest.raises(InputError, match="clip: is scalar"):
        verify(CommandAdapter("./kernel {case}"), operations=["clip"])
    assert not OPERATIONS["conv2d"].scalar


def test_generated_cases_are_of_one_width_and_sign_at_a_time() -> None:
    """So that the first line of a stream, or a method, can say which (AQ-CONF-11)."""
    seen = []

    class Watches(EngineAdapter):
        def answer(self, selection: Selection, cases: Cases) -> Answers:
            seen.append((selection.code_types, len(cases)))
            return super().answer(selection, cases)

    declared = Capabilities(bits=(4, 8), sizes=("small",))
    verify(Watches(), operations=["add"], generated=0, capabilities=declared)
    stored = len(seen)
    verify(Watches(), operations=["add"], generated=50, capabilities=declared)
    assert all(len(types) == 1 for types, _ in seen)
    once = seen[2 * stored : 2 * stored + 8 : 2]  # then each at other places
    assert sum(count for _, count in once) == 50
    assert {types[0] for types, _ in seen} == {(b, s) for b in (4, 8) for s in (True, False)}


def test_each_operation_is_asked_what_it_declares() -> None:
    """As LiteRT's reference kernels: fully connected in float64, convolutions in fixed point."""

    class Reference(EngineAdapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(
                bits=(8,),
                requantization=("tflite_away",),
                by_operation={
                    "linear": {"requantization": ("float64",)},
                    "quantize": {"bits": (8, 16)},
                },
            )

    operations = ["conv2d", "linear", "quantize"]
    report = verify(Reference(), operations=operations, generated=50)
    assert report.exit_code == EXIT_PASS, report.text()
    for name, way, other in (
        ("conv2d", "tflite_away", "float64"),
        ("linear", "float64", "tflite_away"),
    ):
        assert report.total(operation=name, profile=way)["pass"] > 20
        assert report.total(operation=name, profile=other)["pass"] == 0
    assert report.total(operation="quantize")["pass"] > report.total(operation="linear")["pass"]
    assert "; linear: requantization float64; " in report.claim
