"""Mutants of the C kernel for tensors: some are killed on every run, survivors have reasons."""

from __future__ import annotations

import re

from tests.conftest import CLONE
from tests.meta import mutation, tensor_mutation
from tests.meta.libraries import Compiled

MUTANTS = {each.name: each for each in tensor_mutation.mutants()}


def test_every_survivor_is_a_mutant_and_has_a_reason() -> None:
    known = mutation.known(tensor_mutation.SURVIVORS)
    assert known.keys() <= MUTANTS.keys(), "run `python -m tests.meta.tensor_mutation`"
    assert {kind for kind, _ in known.values()} == {"equal"}
    assert all(reason.endswith(".") for _, reason in known.values())


def test_the_page_counts_all_mutants_and_none_is_unexplained() -> None:
    (counts,) = re.findall(r"^\| all \| (.*) \|$", tensor_mutation.PAGE.read_text(), re.M)
    *found, unexplained = map(int, counts.split(" | "))
    assert sum(found) == len(MUTANTS)
    assert unexplained == 0
    _, killed, equal, gaps = found
    said = " ".join((CLONE / "aquant_ref/conformance/README.md").read_text().split())
    assert f"kill {killed} of {killed + equal + gaps} that compile; {equal} are equal" in said
    assert gaps == 0


def test_the_vectors_of_sums_kill_mutants_of_sums(library: Compiled) -> None:
    library("kernel_library.c")  # or there is no compiler
    chosen = [
        next(each for name, each in MUTANTS.items() if name.startswith("add: ") and change in name)
        for change in ("=> double low = ceil(t)", "k++) { => for (k = 1", "steps = t - low > 0.5")
    ]
    found = tensor_mutation.killers(chosen, 1, ["add_tensors"])
    assert list(found.values()) == ["vectors"] * 3
