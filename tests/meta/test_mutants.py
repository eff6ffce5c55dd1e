"""The kit tested: every wrong implementation is found, no right one is accused."""

from __future__ import annotations

from functools import cache

import pytest

from aquant_ref.conformance import OPERATIONS, verification, verify
from aquant_ref.conformance.cases.sequence import FAMILIES, families_of
from aquant_ref.conformance.faults.catalogue import CATALOGUE
from aquant_ref.conformance.faults.fault import Fault
from aquant_ref.conformance.faults.written import ScalarAdapter, Written
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PASS, Report
from tests.meta import activation_variants, code_variants, peer_variants, variants

VARIANTS = [
    *activation_variants.VARIANTS,
    *variants.VARIANTS,
    *peer_variants.VARIANTS,
    *code_variants.VARIANTS,
]
SCALAR = {name for name, operation in OPERATIONS.items() if operation.scalar}
MUTANTS = [fault for fault in CATALOGUE if fault.operation in SCALAR]


@cache
def report_on(fault: Fault) -> Report:
    """By the stored vectors alone."""
    with pytest.MonkeyPatch.context() as patch:  # test_diagnose.py has what they show
        patch.setattr(verification, "diagnoses", lambda *_: {})
        return verify(fault.adapter(), operations=[fault.operation], generated=0)


def failing_flags(report: Report) -> set[str]:
    return {flag for (_, _, flag, status), _ in report.counts.items() if status == "fail"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_vectors_alone_kill_the_mutant_with_the_flag_that_says_so(mutant: Fault) -> None:
    report = report_on(mutant)
    assert report.exit_code == EXIT_MISMATCH
    assert report.total()["error"] == 0, report.text()  # wrong, and not merely broken
    assert mutant.flag in failing_flags(report)
    kinds = families_of(mutant.operation, mutant.profile)
    (family,) = [f for f in kinds if f.flag == mutant.flag]
    assert mutant.defect in family.catches


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_right_implementation_is_never_accused(variant: Written) -> None:
    report = verify(ScalarAdapter(variant), operations=[variant.operation], generated=300)
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] > 300


def test_each_kind_of_case_that_came_later_finds_what_none_before_it_did() -> None:
    scalar = (family for name in SCALAR for family in FAMILIES[name])
    later = {
        family.flag
        for family in scalar
        if family.edition and not family.rejects and not family.flag.endswith("_without_ties")
    }
    found = [failing_flags(report_on(mutant)) for mutant in MUTANTS]
    alone = set().union(*(flags for flags in found if len(flags) == 1))
    assert len(later) == 8
    assert alone >= later


def test_there_is_a_mutant_of_every_operation() -> None:
    assert {mutant.operation for mutant in MUTANTS} == SCALAR
    assert len({str(mutant) for mutant in MUTANTS}) == len(MUTANTS) >= 60


def test_the_report_names_the_fault_among_the_likeliest() -> None:
    def named(mutant: Fault) -> bool:
        report = report_on(mutant)
        return any(mutant.defect in report.likely(failure) for failure in report.failures)

    missed = [str(mutant) for mutant in MUTANTS if not named(mutant)]
    assert len(missed) <= len(MUTANTS) // 20, missed


@pytest.mark.parametrize(
    ("operation", "alternative"),
    [(name, each) for name in sorted(SCALAR) for each in ("", *OPERATIONS[name].alternatives)],
)
def test_every_kind_of_case_finds_a_mutant(operation: str, alternative: str) -> None:
    """But for those that have to be refused, and those with nothing to see for any mutant here."""
    alternatives = OPERATIONS[operation].alternatives
    asked = [
        m
        for m in MUTANTS
        if m.operation == operation
        and (m.profile if m.profile in alternatives else "") == alternative
    ]
    found = set().union(*(failing_flags(report_on(m)) for m in asked))
    ordinary = {f.flag for f in families_of(operation, alternative) if not f.rejects}
    assert ordinary - found <= {"above_border"}
