"""What may explain wrong answers."""

from __future__ import annotations

import pytest

from aquant_ref.conformance import OPERATIONS, vectors
from aquant_ref.conformance.diagnosis.candidates import Candidate, faults, in_pairs, variations
from aquant_ref.conformance.report.verdict import verdicts


def test_two_names_of_one_rule_are_one_variation() -> None:
    names = [each.name for each in variations("requantize", "tflite_up")]
    assert names == ["exact", "tflite_away", "float32", "float64", "float64_onnx"]
    assert "exact" not in [each.name for each in variations("requantize", "tflite_single")]
    assert variations("clip", "core-int") == []


def test_variations_that_share_a_rule_are_tried_each() -> None:
    """Past bug: of float16 and bfloat16, and of the means of tensors, only the first was."""
    assert "bfloat16" in [each.name for each in variations("quantize", "float16")]
    names = [each.name for each in variations("avg_pool2d", "engine")]
    assert {"tflite", "torch", "onnx", "onnxruntime"} <= {*names}
    names = [each.name for each in variations("requantize_any", "exact")]
    assert names == ["tflite_up", "tflite_away"]
    names = [each.name for each in faults("avg_pool2d", "torch", "onnx")]
    assert "torch, and half away" in names


def test_a_fault_of_another_variation_has_both_names() -> None:
    names = [each.name for each in faults("conv2d", "tflite_up", "exact")]
    assert "tflite_up, and padded with 0" in names
    assert "padded with 0" in [each.name for each in faults("conv2d", "exact", "tflite_single")]


def test_two_faults_are_paired_where_they_replace_different_steps() -> None:
    names = [each.name for each in in_pairs(faults("conv2d", "exact", "exact"))]
    assert "floor, and padded with 0" in names
    assert "half_even, and floor" not in names


@pytest.mark.parametrize(
    ("operation", "profile"),
    [(name, choice) for name, each in OPERATIONS.items() for choice in each.choices],
)
def test_a_variation_gives_the_expected_answers(operation: str, profile: str) -> None:
    candidate = Candidate(operation, profile)
    group = next(g for g in vectors.load(operation) if g.selection.profile == profile)
    chosen = [k for k in range(len(group.cases)) if not group.expected.refused[k]][:5]
    answers = candidate.answer(group.cases.take(chosen))
    expected = group.expected
    low, high = ([column[chosen] for column in each] for each in (expected.low, expected.high))
    right = type(expected)(low, high, expected.refused[chosen])
    assert set(verdicts(right, answers)) == {"pass"}
