"""Every variation of a layer is told from every other by a stored case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, vectors
from aquant_ref.conformance.adapters.engine_layers import requantized
from aquant_ref.conformance.cases.layer_apart import RIVALS
from aquant_ref.conformance.cases.layer_large import accumulators
from aquant_ref.conformance.contract import LAYER_VARIATIONS
from aquant_ref.errors import InputError
from aquant_ref.typing import Array
from tests.conformance.cases.rows import arrays

LAYERS = ("conv2d", "depthwise", "linear")
ENDS = ("x_scale", "weight_scale", "bias", "scale", "zero_point", "qmin", "qmax")
# They refuse what others are asked: zero points and codes of 8 bits, or scales of any bits.
REFUSING = {"tflite_16x8", "power_of_two"}
# AQ-FIXED-2: one arithmetic under two names; AQ-LAYER-8: a shift has the exact multiplier.
EQUAL = {"exact", "tflite_single"}, {"power_of_two", "ideal", "exact", "tflite_single"}


def codes(fields: dict[str, Any], acc: Array, profile: str) -> Array | None:
    """None if they are refused."""
    try:
        return requantized(acc, profile=profile, **{name: fields[name] for name in ENDS})
    except InputError:
        return None


def small_cases(operation: str, own: str) -> Iterator[tuple[dict[str, Any], Array]]:
    """With their answers, those made to part variations first."""
    groups = [g for g in vectors.load(operation) if g.selection.profile == own]
    groups = [g for g in groups if not g.selection.rejects and g.selection.size == "small"]
    for group in sorted(groups, key=lambda g: -g.selection.edition):
        for k in range(len(group.cases)):
            fields = {name: column[k] for name, column in group.cases.columns.items()}
            yield fields, group.expected.low[0][k]


def same_answers(operation: str, own: str, others: set[str]) -> set[str]:
    """Those of the others that give every answer of `own`, or refuse the case."""
    for fields, right in small_cases(operation, own):
        if not others:
            break
        acc = accumulators({k: np.asarray(v) for k, v in fields.items()})
        of_case = {each: codes(fields, acc, each) for each in others}
        flat = right.reshape(acc.shape)
        others = {k for k, q in of_case.items() if q is None or np.array_equal(q, flat)}
    return others


@pytest.mark.parametrize("operation", LAYERS)
def test_no_variation_has_all_the_answers_of_another(operation: str) -> None:
    """Past bug: every stored case of `float32` had the multiplier of `float32_product`."""
    for own in OPERATIONS[operation].choices:
        equal = set().union(*(each for each in EQUAL if own in each), {own})
        others = {*OPERATIONS[operation].choices} - equal - REFUSING
        if own == "tflite_16x8":
            others -= {"fbgemm_tensor"}  # which has codes of 8 bits and one scale for all
        assert same_answers(operation, own, others) == set(), own


@pytest.mark.parametrize("operation", LAYERS)
def test_each_channel_parts_its_rival(operation: str) -> None:
    chosen: dict[str, Any] = {"bits": (8,), "granularity": ("tensor",), "edition": 4, "n": 1}
    for own, rivals in RIVALS.items():
        for fields in arrays("apart", operation, own, **chosen):
            acc = accumulators(fields)
            assert acc.shape == (len(rivals), 1)
            right = codes(fields, acc, own)
            assert right is not None
            for k, rival in enumerate(rivals):
                if rival in OPERATIONS[operation].choices:
                    other = codes(fields, acc, rival)
                    assert other is None or other[k] != right[k]
    assert {*LAYER_VARIATIONS} < {*RIVALS}
