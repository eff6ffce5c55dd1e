"""Which variation is computed: found for every operation, by answers alone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.cli import main
from aquant_ref.conformance import OPERATIONS, Adapter, Capabilities
from aquant_ref.conformance.adapters import EngineAdapter, LibraryAdapter
from aquant_ref.conformance.diagnosis.candidates import right
from aquant_ref.conformance.faults.catalogue import CATALOGUE
from aquant_ref.conformance.faults.written import ScalarAdapter
from aquant_ref.conformance.identification.identify import Identified, identify
from aquant_ref.conformance.report.report import (
    EXIT_MISMATCH,
    EXIT_NOTHING,
    EXIT_PASS,
    EXIT_PROTOCOL,
)
from tests.meta.libraries import Compiled
from tests.meta.test_mutants import VARIANTS

SMALL = Capabilities(sizes=("small",))


class Hidden(Adapter):
    """A kernel with one operation, which it computes in one variation, whatever it is asked."""

    one_array = True

    def __init__(self, operation: str, profile: str, computes: Callable[..., Any]) -> None:
        known = OPERATIONS[operation]
        settings = known.settings(profile) if profile else {}

        def method(profile: str = "", **fields: Any) -> Any:
            with np.errstate(all="ignore"):
                return computes(**fields, **settings)

        setattr(self, operation, method)


def hidden(operation: str, profile: str) -> Hidden:
    """The kernel as the tests wrote it apart from the kit, if they did."""
    written = [v for v in VARIANTS if (v.operation, v.profile or "") == (operation, profile)]
    if not written:
        return Hidden(operation, profile, getattr(right(operation, profile), operation))
    return Hidden(operation, profile, getattr(ScalarAdapter(written[0]), operation))


def found(adapter: Adapter, **more: Any) -> Identified:
    capabilities = more.pop("capabilities", SMALL)
    (one,) = identify(adapter, capabilities=capabilities, generated=0, **more).found
    return one


# one of each operation, which is not its first if it has several
CHOSEN = {
    "quantize": "float32_reciprocal",
    "dequantize": "float32",
    "requantize": "tflite_away",
    "requantize_any": "tflite_up",
    "add": "xnnpack",
    "avg_pool": "onnx",
    "rescale_codes": "tflite",
    "mul": "onnxruntime",
    "activation_range": "tflite",
    "conv2d": "tflite_up",
    "depthwise": "tflite_away",
    "linear": "float32",
    "add_tensors": "tflite",
    "avg_pool2d": "torch",
    "matmul": "float64",
    "activation": "float32",
    "concat": "tflite",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_hidden_variation_of_each_operation_is_identified(operation: str) -> None:
    """Spec: AQ-CONF-14."""
    profile = CHOSEN.get(operation, OPERATIONS[operation].choices[0])
    assert (len(OPERATIONS[operation].choices) > 1) == (operation in CHOSEN)
    one = found(hidden(operation, profile))
    assert profile in [one.fits[0], *one.alike]
    assert not one.limits


def of(fault: str, profile: str = "") -> Adapter:
    (known,) = (f for f in CATALOGUE if str(f) == fault)
    return Hidden(known.operation, profile, getattr(known.adapter(profile), known.operation))


def test_what_computes_as_it_is_asked_has_several_variations() -> None:
    one = found(EngineAdapter(), operations=["requantize"])
    assert one.fits[0] == "exact"
    assert set(one.as_asked) == {"tflite_up", "tflite_away", "float32", "float64", "float64_onnx"}
    assert "as asked also tflite_up" in one.text


def test_a_wrong_one_fits_none_and_its_nearest_is_explained() -> None:
    one = found(of("requantize: half down"), operations=["requantize"])
    assert one.fits == []
    assert "explained by: " in one.text
    assert "half down" in one.text
    one = found(of("conv2d: padded with 0", "float32"), operations=["conv2d"])
    assert (one.fits, one.nearest) == ([], "float32")
    assert "explained by: padded with 0" in one.text


def test_a_kernel_for_some_codes_is_identified_with_limits() -> None:
    class OfBytes(Adapter):
        one_array = True

        def requantize(self, *, qmin: Any, qmax: Any, **f: Any) -> Any:
            q = right("requantize", "float32").requantize(
                **{**f, "profile": "float32"}, qmin=qmin, qmax=qmax
            )
            return np.clip(q[0], -128, 127)

    one = found(OfBytes())
    assert one.fits == ["float32"]
    assert one.limits["signs"] == ("signed",)
    assert set(one.limits["bits"]) == {2, 4, 8}


def test_one_rule_of_rounding_is_named() -> None:
    class HalfEven(Adapter):
        one_array = True

        def quantize(self, *, r: Any, scale: Any, zero_point: Any, qmin: Any, qmax: Any) -> Any:
            with np.errstate(all="ignore"):
                steps = np.rint(np.float32(r) / np.float32(scale)).astype(float)
            return np.clip(steps + zero_point, qmin, qmax).astype(int)

    one = found(HalfEven())
    assert one.fits == ["float16_to_float32"]  # of which no case has another quotient
    assert one.limited["float32"] == {"rounding": ("half_even",)}
    assert "with rounding half_even also float32" in one.text


KERNEL = """
from aquant_ref.conformance import Adapter
from aquant_ref.conformance.diagnosis.candidates import right
import numpy as np


class Up(Adapter):
    def requantize(self, *, profile, **f):
        return right("requantize", "tflite_up").requantize(profile="tflite_up", **f)

    def clip(self, *, v, low, high):
        return np.clip(v, low, high)


class Wrong(Up):
    def clip(self, *, v, low, high):
        return np.clip(v, low, high + 1)


class Crashes(Up):
    def clip(self, **f):
        raise SystemExit(3)


class Silent(Adapter):
    def clip(self, **f):
        raise NotImplementedError
"""


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    (tmp_path / "hidden_kernel.py").write_text(KERNEL)
    monkeypatch.chdir(tmp_path)

    def command(kernel: str, *words: str) -> tuple[int, str]:
        adapter = ["--adapter", f"hidden_kernel:{kernel}"] * bool(kernel)
        code = main.main(["identify", *adapter, "--n", "0", *words])
        captured = capsys.readouterr()
        return code, captured.out if code != EXIT_PROTOCOL or captured.out else captured.err

    return command


def test_the_last_line_verifies_what_fits(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run("Up", "--in-process")
    assert code == EXIT_PASS
    last = text.splitlines()[-1]
    assert last == (
        "to verify what fits: aquant-ref verify --adapter hidden_kernel:Up --profile tflite_up "
        "--in-process"
    )
    words = shlex.split(last.partition("aquant-ref ")[2])
    assert main.main([*words, "--n", "0"]) == EXIT_PASS
    capsys.readouterr()


def test_json_has_the_same(run: Any) -> None:
    code, text = run("Wrong", "--json", "--in-process")
    assert code == EXIT_MISMATCH
    told = json.loads(text)
    assert told["options"] == {"profile": "tflite_up"}
    assert told["verify"].endswith("--in-process requantize")
    requantize, clip = told["operations"]
    assert requantize["fits"] == ["tflite_up"]
    assert requantize["tried"]["tflite_up"]["right"] == requantize["tried"]["tflite_up"]["answered"]
    assert (clip["fits"], clip["nearest"]) == ([], "core-int")
    assert "2^bits levels" in " ".join(clip["explained"]) or "explained by" in clip["explained"][0]


def test_exit_codes_are_those_of_verify(run: Any) -> None:
    code, text = run("Crashes", "clip", "--in-process")
    assert code == EXIT_PROTOCOL
    assert "crash" in text
    code, text = run("Silent", "clip", "--in-process")
    assert code == EXIT_NOTHING
    assert "no answer: clip" in text


@pytest.mark.parametrize(
    "words",
    [
        ["Up", "claip"],
        ["Up", "--bits", "9x"],
        ["Up", "--timeout", "-1"],
        ["Up", "--n", "-1"],
        ["Missing"],
        ["", "clip", "--timeout", "3"],
    ],
)
def test_bad_input_is_one_line(run: Any, words: list[str]) -> None:
    code, text = run(*words)
    assert code == EXIT_PROTOCOL
    assert text.startswith("aquant-ref: error: ")
    assert text.count("\n") == 1


def test_a_library_is_identified_by_the_functions_that_it_exports(library: Compiled) -> None:
    """Past bug: it was asked what it has before it was loaded, and so had nothing."""
    found = identify(
        LibraryAdapter(library("hostile_library.c")),
        operations=["clip", "round"],
        generated=20,
        capabilities=SMALL,
    )
    assert [each.operation for each in found.found] == ["clip"]
    assert found.exit_code == EXIT_PASS


def test_an_adapter_without_an_operation_ends_with_the_code_of_nothing() -> None:
    class Slips(Adapter):
        def requantise(self, **_: Any) -> Any: ...

    found = identify(Slips(), generated=20)
    assert found.exit_code == EXIT_NOTHING
    assert "nothing is identified: it has no operation that is asked" in found.text()
    assert "requantise is no operation (did you mean 'requantize'?)" in found.text()
