"""Adapters in Python that do whatever a method can: a verdict on the case, or one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.cli import main
from aquant_ref.conformance import Adapter, Capabilities, vectors, verify
from aquant_ref.conformance.adapters import EngineAdapter, load
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.protocol.replies import Problems
from aquant_ref.conformance.report import html, junit
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PROTOCOL, Report
from aquant_ref.conformance.strategies import smallest_failure
from aquant_ref.errors import InputError


def clip_that(raises: BaseException) -> Adapter:
    class Raising(Adapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(rejects=True)

        def clip(self, **fields: Any) -> Any:
            raise raises

    return Raising()


class Base(BaseException):
    pass


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("raises", "said", "refuses"),
    [
        (SystemExit(0), "crash: SystemExit: 0", False),
        (GeneratorExit(), "crash: GeneratorExit", False),
        (Base("x"), "crash: Base: x", False),
        (MemoryError("too much"), "crash: MemoryError: too much", False),
        (RecursionError("deep"), "crash: RecursionError: deep", False),
        (SystemError("bad call"), "crash: SystemError: bad call", False),
        (ValueError("a\nb"), "error: ValueError: a", True),
        (
            ValueError("\n\na\vb\u2028c\x85d\x1ce"),
            r"error: ValueError: a\x0bb\u2028c\x85d\x1ce",
            True,
        ),
        (ValueError("\x1b[31m\u202egnp.exe\ud800"), r"error: ValueError: \x1b[31m\u202egnp.", True),
        (ValueError(), "error: ValueError", True),
        (ValueError("x" * 10**6), "error: ValueError: xxxxx", True),
        (Speechless(), "error: Speechless", True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_exception_is_a_verdict_on_its_case(
    raises: BaseException, said: str, refuses: bool
) -> None:
    """Past bug: SystemExit ended the run, with its own exit code."""
    report = verify(clip_that(raises), operations=["clip"], generated=0)
    assert report.exit_code == (EXIT_MISMATCH if refuses else EXIT_PROTOCOL)
    assert report.total(flag="no_range")["pass"] == (24 if refuses else 0)
    failure = report.failures[0]
    assert failure.got.startswith(said)
    assert len(failure.got) < 250
    assert failure.got.isprintable()


PYTEST_ENDS = [kind.Exception("no GPU") for kind in (pytest.fail, pytest.skip, pytest.exit)]


@pytest.mark.parametrize("raises", [KeyboardInterrupt(), *PYTEST_ENDS])
def test_what_ends_a_run_from_outside_passes_through(raises: BaseException) -> None:
    with pytest.raises(type(raises)):
        verify(clip_that(raises), operations=["clip"], generated=0)


@pytest.mark.parametrize("raises", PYTEST_ENDS)
def test_what_ends_a_test_is_a_verdict_where_there_is_none(
    raises: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past bug: `pytest.skip` of an adapter was a traceback and exit code 1."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    report = verify(clip_that(raises), operations=["clip"], generated=0, only=["clip/inside/1"])
    refuses = isinstance(raises, Exception)
    assert report.exit_code == (EXIT_MISMATCH if refuses else EXIT_PROTOCOL)
    assert report.failures[0].got.endswith(": no GPU")


def test_what_is_not_implemented_may_say_anything() -> None:
    found = verify(clip_that(NotImplementedError("\x00\n")), operations=["clip"], generated=0)
    assert found.total()["unsupported"] == 144


@pytest.mark.parametrize(
    "returned",
    [
        None,
        42,
        Answers([], {}),
        Answers([np.zeros(3)], {}),
        Answers(None, {}),
        Answers([np.zeros(120, np.int64)], {500: ("skip", "")}),
        Answers([np.zeros(120, np.int64)], {0: ("pass", "")}),
        Answers([np.zeros((120, 1), np.int64)], {}),
        Answers([[None] * 120], {}),  # type: ignore[list-item]
        Answers([iter(range(120))], {}),  # type: ignore[list-item]
        *(  # past bugs: True was every case, and others a traceback
            Answers([np.zeros(120, np.int64)], {k: ("error", "")})
            for k in (-1, True, np.True_, 1.0, np.float32(2), "0", None)
        ),
    ],
)
def test_what_an_own_answer_returns_is_looked_at(returned: Any) -> None:
    class Own(EngineAdapter):
        def capabilities(self) -> Capabilities:
            return Capabilities()

        def answer(self, selection: Selection, cases: Cases) -> Answers:
            return returned

    report = verify(Own(), operations=["clip"], generated=0)
    assert report.total()["error"] == 120
    assert report.exit_code == EXIT_PROTOCOL


def test_an_own_answer_may_spoil_its_cases() -> None:
    """Past bug: they were those of the report, which then counted none."""

    class Spoils(EngineAdapter):
        def answer(self, selection: Selection, cases: Cases) -> Answers:
            answers = super().answer(selection, cases)
            for own in (cases.ids, cases.flags, cases.columns):
                own.clear()
            cases.kind[:] = 999
            return Answers([answers.values[0] + 1], {})

    report = verify(Spoils(), operations=["clip"], generated=0)
    assert report.total()["fail"] == 144


def test_an_own_answer_that_raises_is_a_crash() -> None:
    class Own(EngineAdapter):
        def answer(self, selection: Selection, cases: Cases) -> Answers:
            raise SystemExit("no such device")

    report = verify(Own(), operations=["clip"], generated=0)
    assert report.total()["error"] == 144
    assert report.failures[0].got == "crash: SystemExit: no such device"
    assert smallest_failure(Own(), Selection("clip")) is not None


# What an adapter says of itself


def raises(*_: Any) -> Any:
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("attribute", "value", "line"),
    [
        ("capabilities", raises, "adapter: capabilities() raises SystemExit: 0"),
        ("capabilities", lambda self: None, "adapter: capabilities() returns NoneType, not Cap"),
        ("capabilities", lambda self: {"bits": 8}, "adapter: capabilities() returns dict, not"),
        ("capabilities", lambda self: Capabilities(bits=8), "bits: needs a list, got 8"),
        ("capabilities", lambda self: Capabilities(rejects="no"), "rejects: needs True or False"),
        ("capabilities", lambda self: Capabilities(bits=("8",)), "bits: "),
        ("capabilities", lambda self: Capabilities(signs="signed"), "signs: needs a list, got 's"),
        ("capabilities", lambda self: 1 / 0, "adapter: capabilities() raises ZeroDivisionError"),
        ("supports", raises, "adapter: supports('clip') raises SystemExit: 0"),
        ("reaches", raises, "adapter: reaches('clip') raises SystemExit: 0"),
        ("start", raises, "adapter: start() raises SystemExit: 0"),
        ("name", property(raises), "adapter: name raises SystemExit: 0"),
        ("problems", property(raises), "adapter: problems raises SystemExit: 0"),
        ("problems", 5, "adapter: problems is int, not Problems"),
        ("problems", Problems(first=None), "adapter: problems raises TypeError"),
        ("problems", Problems(counts={"x": None}), "adapter: problems raises TypeError"),
    ],
)
def test_nonsense_of_an_adapter_about_itself_is_one_line(
    attribute: str, value: Any, line: str
) -> None:
    odd = type("Odd", (EngineAdapter,), {attribute: value})()
    with pytest.raises(InputError) as raised:
        verify(odd, operations=["clip"], generated=0)
    assert str(raised.value).startswith(line)


@pytest.mark.parametrize("adapter", [None, 5, EngineAdapter, "mine:Adapter", {}], ids=ascii)
def test_what_is_no_adapter_is_one_line(adapter: Any) -> None:
    for ask in (lambda: verify(adapter), lambda: smallest_failure(adapter, Selection("clip"))):
        with pytest.raises(InputError, match="adapter: needs an instance of Adapter, got "):
            ask()


def test_texts_in_place_of_lists_are_one_line() -> None:
    with pytest.raises(InputError, match="operations: needs a list, got 'clip'"):
        verify(EngineAdapter(), operations="clip")
    with pytest.raises(InputError, match="case: needs a list, got"):
        verify(EngineAdapter(), only="clip/inside/3")
    with pytest.raises(InputError, match="generated: needs 0 to 10000000, got -1"):
        verify(EngineAdapter(), generated=-1)


def test_each_case_that_is_asked_for_has_to_be_there() -> None:
    """Past bug: one that is there was enough."""
    with pytest.raises(InputError, match="case: unknown id 'clip/inside/x'"):
        verify(EngineAdapter(), operations=["clip"], only=["clip/inside/3", "clip/inside/x"])


def test_an_operation_that_is_named_twice_counts_once() -> None:
    report = verify(EngineAdapter(), operations=["clip", "clip"], generated=0)
    assert report.total()["total"] == 144


MODULE = """
import sys
import numpy as np
from aquant_ref.conformance import Adapter

print("loading")

class Exits(Adapter):
    def __init__(self):
        sys.exit(0)

class Speaks(Adapter):
    name = "\\x1b[2Jspeaks"
    def clip(self, *, v, low, high):
        print("clipping")
        return np.clip(v, low, high)
    def capabilities(self):
        print("capable")
        return super().capabilities()

class Refuses(Adapter):
    def clip(self, **fields):
        raise ValueError("\\x1b[31m\\x00\\u202e")
"""


@pytest.fixture
def odd_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "odd_adapters.py").write_text(MODULE)
    (tmp_path / "exits_at_once.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "no_python.py").write_text("def :\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_adapters", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "odd_adapters:Exits",
        "exits_at_once:Any",
        "no_python:Any",
        ":",
        "",
        "a:b:c",
        ".:x",
        "odd\x00:x",
    ],
    ids=ascii,
)
def test_an_adapter_that_cannot_be_made_is_one_line(name: str, odd_module: Path) -> None:
    with pytest.raises(InputError, match="^adapter: ") as raised:
        load(name)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("where", [[], ["--in-process"]])
def test_what_an_adapter_prints_is_no_part_of_the_report(
    where: list[str], odd_module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", "clip", "--adapter", "odd_adapters:Speaks", "--n", "0", "--json", *where]
    assert main.main(words) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["implementation"] == r"\x1b[2Jspeaks"
    assert [*dict.fromkeys(captured.err.split())] == ["loading", "capable", "clipping"]


# Inputs


@pytest.mark.parametrize("operation", ["clip", "max_pool2d", "program", "fused_conv2d"])
def test_a_method_may_do_with_its_inputs_as_it_likes(operation: str) -> None:
    """Past bug: arrays of tensors were those of the report, and of what is asked next."""

    def spoil(value: Any) -> None:
        if isinstance(value, np.ndarray):
            value[...] = 77
        elif isinstance(value, dict | list):
            value.clear()

    class Spoils(EngineAdapter):
        def __getattribute__(self, name: str) -> Any:
            own = super().__getattribute__(name)
            if name != operation:
                return own

            def method(**fields: Any) -> Any:
                wrong = own(**fields) + 1
                for value in fields.values():
                    spoil(value)
                return wrong

            return method

    report = verify(Spoils(), operations=[operation], generated=0)
    given = {
        name: group.cases.inputs(k)
        for group in vectors.load(operation)
        for k, name in enumerate(group.cases.ids)
    }
    assert report.failures
    for failure in report.failures:
        assert failure.inputs == given[failure.case]


def test_a_method_may_set_how_numpy_errs() -> None:
    class Strict(EngineAdapter):
        def clip(self, **fields: Any) -> Any:
            np.seterr(all="raise")
            return super().clip(**fields)

    before = np.geterr()
    assert verify(Strict(), operations=["clip", "quantize"], generated=50).exit_code == 0
    assert np.geterr() == before


def test_a_method_may_return_its_inputs_or_one_buffer_for_all_cases() -> None:
    class Same(EngineAdapter):
        buffer = np.zeros((300, 80, 300), np.int64)

        def max_pool2d(self, **fields: Any) -> Any:
            answer = super().max_pool2d(**fields)
            view = self.buffer[tuple(map(slice, answer.shape))]
            view[...] = answer
            return view

    small = Capabilities(sizes=("small",))
    report = verify(Same(), operations=["max_pool2d"], generated=100, capabilities=small)
    assert report.total()["pass"] == report.total()["total"] - report.not_asked()


# What reaches XML, HTML, JSON and a terminal


def parts(report: Report) -> str:
    """All that a report can be, once each has been read as what it is."""
    suite = ET.fromstring(junit.xml(report).encode())
    assert suite.tag == "testsuite"
    page = html.document(report)
    page.encode()
    text = json.dumps(report.as_json(), allow_nan=False)
    assert json.loads(text)
    lines = report.text()
    return "".join(
        [lines, *suite.itertext(), *(v for e in suite.iter() for v in e.attrib.values())]
    )


ANYTHING = st.text(st.characters(), max_size=20)  # surrogates and all
HOSTILE = "]]>&<script>\x00\x0b\x1b[31m\x85\u2028\u202e\ud800\ufffe\uffff\r\n--"


@given(name=ANYTHING, reason=ANYTHING, what=st.sampled_from(["skip", "error", "missing", "crash"]))
def test_any_words_of_an_implementation_can_be_reported(name: str, reason: str, what: str) -> None:
    reported(name, reason, what)


def test_the_worst_words_of_an_implementation_can_be_reported() -> None:
    """Past bug: JUnit that no parser reads, and escape sequences on the terminal."""
    for what in ("skip", "error", "missing", "invalid"):
        reported(HOSTILE, HOSTILE, what)


def reported(name: str, reason: str, what: str) -> None:
    class Says(Adapter):
        def supports(self, operation: str) -> bool:
            return True

        def answer(self, selection: Selection, cases: Cases) -> Answers:
            self.problems.add(reason, f"line {reason}")
            self.problems.first.append(reason)
            self.problems.counts[f"{reason} more"] = 1
            return Answers([np.zeros(len(cases), np.int64)], {0: (what, reason)})

    says = Says()
    says.name = name
    only = ["clip/inside/1", "clip/inside/2"]
    report = verify(says, operations=["clip"], generated=0, only=only, command=f"verify {name}")
    report.stale = report.stale + [only[0]]
    shown = parts(report)
    assert shown.replace("\n", "").isprintable()
    assert html.document(report).count("<script>") == 1  # its own, which filters


def test_inputs_that_json_does_not_have_are_text() -> None:
    """Past bug: NaN and Infinity in the report, which is no JSON then."""

    class Zero(Adapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(rejects=True)

        def round(self, *, t: Any, **fields: Any) -> Any:
            return np.zeros(t.shape, np.int64)

    report = verify(Zero(), operations=["round"], generated=0, only=["round/nan/1"]).as_json()
    (failure,) = json.loads(json.dumps(report, allow_nan=False))["failures"]
    assert failure["inputs"]["t"] == "nan"


def test_a_very_long_reason_is_cut() -> None:
    reason = "y" * 10**6
    report = verify(clip_that(ValueError(reason)), operations=["clip"], generated=0)
    assert len(report.text()) < 20_000
    assert len(parts(report)) < 40_000
