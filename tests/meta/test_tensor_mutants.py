"""The kit tested on tensors: every wrong implementation is found, no right one is accused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from aquant_ref.conformance import OPERATIONS, Adapter, verification, verify
from aquant_ref.conformance.cases.sequence import families_of
from aquant_ref.conformance.contract import LAYER_VARIATIONS
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.faults.catalogue import CATALOGUE
from aquant_ref.conformance.faults.fault import Fault
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PASS
from tests.meta.tensor_variants import TENSOR_VARIANTS
from tests.meta.test_mutants import failing_flags, report_on

TENSORS = {name for name, operation in OPERATIONS.items() if not operation.scalar}
TENSOR_MUTANTS = [fault for fault in CATALOGUE if fault.operation in TENSORS]


@pytest.mark.parametrize("mutant", TENSOR_MUTANTS, ids=str)
def test_the_vectors_alone_kill_the_mutant_with_the_flag_that_says_so(mutant: Fault) -> None:
    report = report_on(mutant)
    assert report.exit_code == EXIT_MISMATCH
    assert report.total()["error"] == 0, report.text()  # wrong, and not merely broken
    assert mutant.flag in failing_flags(report)
    kinds = families_of(mutant.operation, mutant.profile)
    (family,) = [f for f in kinds if f.flag == mutant.flag]
    assert mutant.defect in family.catches


@pytest.fixture(scope="module")
def generated_once() -> Iterator[None]:
    """Every implementation is asked the same, and the oracle once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_generated", cache(verification._generated))
        yield


@pytest.mark.usefixtures("generated_once")
@pytest.mark.parametrize("variant", TENSOR_VARIANTS, ids=lambda each: each.name)
def test_a_right_implementation_is_never_accused(variant: Adapter) -> None:
    report = verify(variant, operations=sorted(TENSORS), generated=300)
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] > 20


OF_LAYERS = [*LAYER_VARIATIONS, *OPERATIONS["conv2d"].alternatives]


@pytest.mark.parametrize("variation", OF_LAYERS)
def test_steps_are_right_in_every_variation_of_requantization(variation: str) -> None:
    layers = ["conv2d", "depthwise", "linear"]
    asked = [*layers, "matmul"] if variation in LAYER_VARIATIONS else layers
    generated = 0 if variation in LAYER_VARIATIONS else 200
    report = verify(Layers("steps", variation), operations=asked, generated=generated)
    assert report.exit_code == EXIT_PASS, report.text()
    assert {profile for _, profile, _, status in report.counts if status == "pass"} == {variation}


def test_there_is_a_mutant_of_every_operation_and_defect() -> None:
    assert {mutant.operation for mutant in TENSOR_MUTANTS} == TENSORS
    assert len({str(mutant) for mutant in TENSOR_MUTANTS}) == len(TENSOR_MUTANTS) >= 90
    found = {mutant.defect for mutant in CATALOGUE}
    assert found == {*FAULTS} - {"input.accepted", "size.lane"}


def test_the_report_names_the_fault_among_the_likeliest() -> None:
    def named(mutant: Fault) -> bool:
        report = report_on(mutant)
        return any(mutant.defect in report.likely(failure) for failure in report.failures)

    missed = [str(mutant) for mutant in TENSOR_MUTANTS if not named(mutant)]
    assert len(missed) <= len(TENSOR_MUTANTS) // 10, missed
