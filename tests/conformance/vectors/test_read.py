from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aquant_ref.conformance.cases.sequence import FAMILIES, families_of
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.vectors import load
from aquant_ref.errors import InputError


def test_no_case_of_vectors_1_0_was_renumbered() -> None:
    groups = [group for name in FAMILIES for group in load(name)]
    first = [
        g
        for g in groups
        if g.selection.profile not in g.cases.operation.alternatives
        and g.cases.operation.since == 1
    ]
    ids = [case for g in first if not g.selection.edition for case in g.cases.ids]
    assert len(ids) == 4503
    assert hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16] == "11261cfa8379e2bf"


def test_every_flag_of_every_operation_has_vectors() -> None:
    for name, operation in OPERATIONS.items():
        for profile in operation.choices:
            of_file = operation.own if profile in operation.own else (profile,)
            groups = [g for g in load(name) if g.selection.profile in of_file]
            flags = {flag for group in groups for each in group.cases.flags for flag in each}
            assert flags == {family.flag for family in families_of(name, profile)}


def test_a_file_that_is_none_of_ours_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "clip.json").write_text("{}")
    with pytest.raises(InputError, match=r"clip.json: is not a file of the format"):
        load("clip", tmp_path)
