"""What is wrong is named by what reproduces every answer, and nothing else is named."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import permutations
from typing import Any, ClassVar

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, Adapter, Capabilities, vectors, verify
from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.conformance.diagnosis import candidates
from aquant_ref.conformance.diagnosis import diagnose as module
from aquant_ref.conformance.diagnosis.candidates import Candidate
from aquant_ref.conformance.diagnosis.diagnose import diagnose
from aquant_ref.conformance.diagnosis.evidence import Collected, Evidence, size_of
from aquant_ref.conformance.diagnosis.explanation import UNFINISHED, Explanation
from aquant_ref.conformance.expected.results import Expected
from aquant_ref.conformance.faults.arithmetic import even
from aquant_ref.conformance.faults.catalogue import CATALOGUE
from aquant_ref.conformance.faults.fault import Fault, ScalarFault, StepFault
from aquant_ref.conformance.faults.round import instead
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report import html, junit
from aquant_ref.conformance.report.verdict import verdicts

FEW = 2  # cases of each flag of a group
SMALL = 150  # elements


class Remembered(Candidate):
    """A candidate that computes each stored case once, however many tests ask it."""

    known: ClassVar[dict[Any, Any]] = {}

    def answer(self, cases: Cases) -> Answers:
        key = self.operation, self.profile, self.fault and (id(self.fault), self.fault.name)
        known = self.known.setdefault(key, {})
        new = [k for k, name in enumerate(cases.ids) if name not in known]
        if new:
            got = super().answer(cases.take(new))
            rows = zip(*got.values, strict=True)
            for n, (k, row) in enumerate(zip(new, rows, strict=True)):
                known[cases.ids[k]] = row, got.other.get(n)
        values = blank_results(cases.operation, len(cases))
        other = {}
        for k, name in enumerate(cases.ids):
            row, told = known[name]
            for column, value in zip(values, row, strict=True):
                column[k] = value
            other |= {k: told} if told else {}
        return Answers(values, other)


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "Candidate", Remembered)


def evidence_of(
    adapter: Adapter | Candidate,
    operation: str,
    asked: str,
    own: str = "",
    flag: str = "",
    most: int = 0,
) -> Evidence | None:
    """Its answers to the stored vectors of a variation, computed in `own`.

    With a flag, only to those of that flag and of the small others to every fifth; with `most`,
    only to so many small ones of each flag of a group: to be quick.
    """
    found = Collected()
    for group in vectors.load(operation):
        if group.selection.profile == asked and not group.selection.rejects:
            chosen, counts = [], Counter[int]()
            for k, kind in enumerate(group.cases.kind.tolist()):
                meant = flag and flag in group.cases.flags[kind]
                if not meant and flag and (k % 5 or size_of(group.cases, k) > SMALL):
                    continue
                if not most or (counts[kind] < most and size_of(group.cases, k) <= SMALL):
                    counts[kind] += 1
                    chosen.append(k)
            if not chosen:
                continue
            asked_cases, expected = group.cases.take(chosen), taken(group.expected, chosen)
            named = replace(asked_cases, profile=own or asked)
            if isinstance(adapter, Candidate):
                answers = adapter.answer(named)
            else:
                with np.errstate(all="ignore"):
                    answers = adapter.answer(group.selection, named)
            found.add(asked_cases, expected, answers, verdicts(expected, answers))
    return found.evidence()


def taken(expected: Expected, chosen: list[int]) -> Expected:
    low, high = ([column[chosen] for column in each] for each in (expected.low, expected.high))
    return Expected(low, high, expected.refused[chosen])


def explained(
    adapter: Adapter | Candidate,
    operation: str,
    asked: str,
    own: str = "",
    flag: str = "",
    most: int = 0,
) -> list[Explanation]:
    evidence = evidence_of(adapter, operation, asked, own, flag, most)
    assert evidence is not None
    found = diagnose(evidence, seconds=60)
    assert found is not None
    return found


def names_of(fault: Fault) -> list[tuple[str, str]]:
    flag = "" if OPERATIONS[fault.operation].scalar else fault.flag
    wrong = Remembered(fault.operation, fault.profile, fault)
    found = explained(wrong, fault.operation, fault.profile, flag=flag)
    return [(each.kind, each.name) for each in found]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_fault_is_named_nearly_always_first_and_mostly_alone(operation: str) -> None:
    """A fault that is another variation is named after that. Spec: AQ-CONF-8."""
    of_operation = [fault for fault in CATALOGUE if fault.operation == operation]
    if operation in ("depthwise", "linear"):  # nearly all have the steps of conv2d
        of_operation = of_operation[::4]
    named = {fault: names_of(fault) for fault in of_operation}
    assert named
    assert [str(f) for f, names in named.items() if ("fault", f.name) not in names] == []
    first = {f: next(name for kind, name in names if kind == "fault") for f, names in named.items()}
    later = [str(fault) for fault, name in first.items() if name != fault.name]
    assert len(later) <= max(2, len(named) // 20), later
    alone = [fault for fault, names in named.items() if names == [("fault", fault.name)]]
    assert len(alone) >= len(named) * 3 // 5


EXACT = "a power of two is a multiplier of any width, and all of them round half up"
TWO_SCALES = "the cases have two scales or zero points, which it refuses"
MEANT = "real - zero + zero is what torch rounds, in the same way"
HALVES = "quotients of numbers of 11 bits that are no ties are further from them than float32 errs"
# (operation, asked, own): why no case can part them
EQUAL = {
    ("quantize", "float16_to_float32", "core-int"): HALVES,
    ("quantize", "float16_to_float32", "float32"): HALVES,
    ("linear", "power_of_two", "ideal"): EXACT,
    ("linear", "power_of_two", "exact"): EXACT,
    ("linear", "power_of_two", "tflite_16x8"): EXACT,
    **{
        ("avg_pool", asked, own): TWO_SCALES
        for asked in ("core-int", "onnx", "onnxruntime")
        for own in ("tflite", "torch", "qnnpack")
        if (asked, own) != ("core-int", "qnnpack")
    },
    **{
        ("avg_pool2d", asked, own): TWO_SCALES
        for asked in ("onnx", "onnxruntime")
        for own in ("tflite", "torch", "qnnpack")
    },
    ("avg_pool", "torch", "onnxruntime"): MEANT,
    ("avg_pool2d", "torch", "onnxruntime"): MEANT,
    ("activation", "float32", "engine"): "the code that is rounded exactly is one of those allowed",
}
# what differs beside ties that no stored case has yet
TO_PART = {
    ("avg_pool2d", "qnnpack", "onnx"),  # at windows of which a float32 reciprocal misses ties
}
TAKEN = [
    name
    for name, operation in OPERATIONS.items()
    # convolutions scale as linear layers do
    if len(operation.choices) > 1 and name not in ("conv2d", "depthwise")
]


@pytest.mark.parametrize("operation", TAKEN)
def test_a_variation_that_is_taken_for_another_is_named(operation: str) -> None:
    """It comes first, before any fault; of those that are equal no case is wrong."""
    # tflite_single is exact under another name
    choices = [each for each in OPERATIONS[operation].choices if each != "tflite_single"]
    wrong: list[tuple[tuple[str, str, str], list[str]]] = []
    alike = {*EQUAL, *TO_PART}  # until a case parts them
    for asked, own in permutations(choices, 2):
        pair, adapter = (operation, asked, own), Remembered(operation, own)
        evidence = evidence_of(adapter, operation, asked, own, most=FEW)
        if evidence is None:
            evidence = evidence_of(adapter, operation, asked, own)
        if evidence is None:
            wrong += [(pair, ["no case parts them"])] * (pair not in alike)
            continue
        found = diagnose(evidence, seconds=60)
        named = [each.name for each in found or [] if each.kind == "variation"]
        first = found[0].kind if found else ""
        wrong += [(pair, named)] * (pair in alike or first != "variation" or own not in named)
    assert not wrong


@pytest.mark.parametrize("variation", ["tflite_up", "tflite_away", "float32", "float64_onnx"])
def test_a_fault_in_another_variation_is_named_with_it(variation: str) -> None:
    """Past wish: an engine of one variation, asked in another, that pads with code 0."""
    padded = step_fault("conv2d: padded with 0")
    found = explained(padded.adapter(variation), "conv2d", "exact", variation, most=FEW)
    assert found[0].name == f"{variation}, and padded with 0"
    assert found[0].variation == variation
    assert found[0].explained == found[0].asked


def step_fault(name: str) -> StepFault:
    (found,) = (f for f in CATALOGUE if str(f) == name)
    assert isinstance(found, StepFault)
    return found


def test_two_faults_at_once_are_named_both() -> None:
    first, second = step_fault("conv2d: padded with 0"), step_fault("conv2d: dilation ignored")
    both = Layers("both", **first.steps, **second.steps)
    found = explained(both, "conv2d", "ideal", most=FEW)
    named = ", ".join(each.name for each in found)
    assert first.name in named
    assert second.name in named
    assert len(found) <= 2


def test_faults_of_one_step_that_are_wrong_together_explain_nothing() -> None:
    """No pair of the catalogue does both; a name would be wrong."""

    def clip(steps: np.ndarray, zero: int, low: int, high: int) -> np.ndarray:
        return np.clip(np.clip(steps, low, high) + 2 * zero, low, high + 1)

    assert explained(Layers("both", clip=clip), "conv2d", "ideal", most=FEW) == []


def test_what_is_in_no_catalogue_has_no_explanation() -> None:
    def function(v: int, low: int, high: int) -> int:
        return min(max(v, low), high) ^ (v & 1)

    unknown = ScalarFault("clip", "unknown", "clamp.wrap", "random", function=function)
    assert explained(unknown.adapter(), "clip", "core-int") == []


def test_each_flag_may_have_a_fault_of_its_own() -> None:
    """Two bugs that no case shows at once."""
    both = ScalarFault(
        *("round", "both", "round.rule", "tie"),
        function=instead(half_up=even, ceil=lambda t: math.floor(t) + 1),
    )
    found = explained(both.adapter(), "round", "core-int")
    assert {each.kind for each in found} == {"part"}
    assert {each.name for each in found} == {"half_even for half_up", "floor + 1 for ceil"}
    assert sum(each.explained for each in found) == found[0].asked


def test_answers_that_two_faults_share_by_chance_are_not_explained_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half down goes wrong at every tie, half_even and another rule at every second one."""
    half_down = next(f for f in CATALOGUE if str(f) == "requantize: half down")
    without = tuple(f for f in candidates.EVERY if f is not half_down)
    monkeypatch.setattr(candidates, "EVERY", without)
    assert explained(half_down.adapter(), "requantize", "exact") == []


def test_a_right_implementation_has_no_diagnosis() -> None:
    for name, operation in OPERATIONS.items():
        assert (
            evidence_of(
                Remembered(name, operation.choices[0]), name, operation.choices[0], most=FEW
            )
            is None
        )


def test_without_time_every_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past bug: a diagnosis that ran out of time was silent. Spec: AQ-CONF-8."""
    padded = step_fault("conv2d: padded with 0").adapter()
    evidence = evidence_of(padded, "conv2d", "ideal", most=FEW)
    assert evidence is not None
    assert diagnose(evidence, seconds=-1) is None
    monkeypatch.setattr(module, "SECONDS", -1.0)
    (found,) = module.diagnoses("conv2d", {"ideal": Collected([evidence])}).values()
    assert [each.kind for each in found] == ["unfinished"]
    report = verify(
        padded,
        operations=["conv2d"],
        generated=0,
        capabilities=Capabilities(requantization=("ideal",), sizes=("small",), bits=(8,)),
    )
    assert report.diagnoses["conv2d", "ideal"][0].kind == "unfinished"
    for text in (report.text(), html.document(report), junit.xml(report)):
        assert UNFINISHED in text.replace("Not", "not")
    assert report.as_json()["diagnoses"][0]["explanations"][0]["kind"] == "unfinished"
    assert report.likely(report.failures[0])  # by vote, since nothing explains them
