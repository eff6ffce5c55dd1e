"""Mutants of the C kernel: a few are killed on every run, and no survivor is unexplained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aquant_ref.conformance.proof.prove import Chosen, Counterexample
from tests.conformance.proof.test_prove import FIXED, attempt, of_words, provable
from tests.conftest import CLONE
from tests.meta import mutation
from tests.meta.libraries import Compiled

MUTANTS = {each.name: each for each in mutation.mutants()}
QUICK = (  # of operations with few and small vectors
    ("aquant_clip", "k <= cases"),
    ("aquant_threshold", "(acc[k] > t0[k])"),
    ("multiplier", "31) - 0.5"),
)
WIDE = "count=1,x_scale=0x1p-25,x_zero=0,scale=1,zero_point=0,qmin=-8,qmax=7"


def test_every_survivor_is_a_mutant_and_has_a_reason() -> None:
    known = mutation.known()
    assert known.keys() <= MUTANTS.keys(), "run `python -m tests.meta.mutation`"
    assert {kind for kind, _ in known.values()} == {"equal"}
    assert all(reason.endswith(".") for _, reason in known.values())


def test_the_page_counts_all_mutants_and_none_is_unexplained() -> None:
    (counts,) = re.findall(r"^\| all \| (.*) \|$", mutation.PAGE.read_text(), re.M)
    *found, unexplained = map(int, counts.split(" | "))
    assert sum(found) == len(MUTANTS)
    assert unexplained == 0
    _, killed, equal, gaps = found
    assert gaps == 0
    said = " ".join((CLONE / "aquant_ref/conformance/README.md").read_text().split())
    assert (
        f"of {killed + equal} mutants that compile the vectors kill {killed}, and {equal}" in said
    )


def test_the_vectors_kill_a_few(library: Compiled) -> None:
    library("kernel_library.c")  # or there is no compiler
    chosen = [
        next(m for name, m in MUTANTS.items() if name.startswith(function) and change in name)
        for function, change in QUICK
    ]
    assert list(mutation.killers(chosen).values()) == ["clip", "threshold", "multiplier"]


@pytest.mark.parametrize(
    ("start", "operation", "variation", "text", "ends"),
    [
        (
            r"aquant_avg_pool: .*=> double t = \(float\)",
            "avg_pool",
            "core-int",
            WIDE,
            (3 * 2**24 - 9, 3 * 2**24),
        ),
        ("scale_accumulator: .*high = half_away", "requantize", "tflite_up", FIXED[0], (-9, 9)),
    ],
)
def test_a_proof_refutes_what_few_vectors_kill(
    start: str,
    operation: str,
    variation: str,
    text: str,
    ends: tuple[int, int],
    library: Compiled,
    tmp_path: Path,
) -> None:
    library("kernel_library.c")
    (mutant,) = [each for name, each in MUTANTS.items() if re.match(start, name)]
    path = mutation.compiled(mutant, tmp_path)
    assert path is not None
    setting = of_words(provable(operation), variation, text)
    assert isinstance(attempt(path, [setting], Chosen(ends)), Counterexample)
