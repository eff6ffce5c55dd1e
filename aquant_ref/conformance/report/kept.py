"""Keep wrong cases as directories: the input, the answer, and what is expected. Spec: AQ-CONF-5.

desc.json, in_x.npy     the case, as a command gets it (AQ-CONF-5)
verdict.json            {"status": "fail", "said": "", "got": {"q": "out_q.npy"},
                         "expected": {"q": "expected_q.npy"}, "rules": "AQ-INT-4, AQ-FIXED-2"}
out_q.npy               the answer; expected_q.npy: the right one
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.directory import (
    VERDICT,
    Folders,
    head_of,
    renew,
    stored,
    write_case,
    write_lines,
)
from aquant_ref.conformance.report.verdict import ERROR, FAIL, MISSING
from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_directory
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.expected.results import Expected
    from aquant_ref.conformance.protocol.answers import Answers

MOST_KEPT = 100  # of an operation


class Kept:
    """Keep the first wrong cases of each operation in a directory each.

    `folders` is that of a command, which has them already. Raises InputError if `root` cannot be
    written to.
    """

    def __init__(self, root: str | Path, folders: Folders | None = None) -> None:
        self._written = folders is not None
        self._folders = folders or Folders(root)
        self._count = Counter[str]()
        check_writable_directory(self._folders.root)

    def add(
        self,
        selection: Selection,
        cases: Cases,
        expected: Expected,
        answers: Answers,
        status: Array,
    ) -> None:
        """Keep those of these cases that failed, had no valid answer, or none at all."""
        name = cases.operation.name
        for k in np.flatnonzero(np.isin(status, (FAIL, ERROR, MISSING))).tolist():
            if self._count[name] >= MOST_KEPT:
                return
            if not answers.asked(k):
                continue
            self._count[name] += 1
            directory = self._folders.of(cases.ids[k])
            try:
                if not self._written:
                    _write(directory, selection, cases, k)
                told = self._verdict(directory, cases, expected, answers, k)
                verdict = {"status": str(status[k]), **told}
                verdict["rules"] = contract.rules(cases.operation, cases.profile)
                (directory / VERDICT).unlink(missing_ok=True)
                write_lines(directory / VERDICT, verdict)
            except OSError as error:
                reason = error.strerror or error
                raise InputError(f"{directory}: cannot be written to ({reason})") from error

    def _verdict(
        self, directory: Path, cases: Cases, expected: Expected, answers: Answers, k: int
    ) -> dict[str, Any]:
        what, said = answers.other.get(k, ("", ""))
        verdict: dict[str, Any] = {"said": ": ".join(filter(None, (what, said)))}
        if not what:
            kind = "" if self._written else "out"
            verdict["got"] = _values(directory, kind, cases.operation, answers.values, k)
        verdict["expected"] = "a refusal"
        if not expected.refused[k]:
            right = _values(directory, "expected", cases.operation, expected.low, k)
            verdict["expected"] = right
        return verdict


def _write(directory: Path, selection: Selection, cases: Cases, k: int) -> None:
    """Write the case as a command would get it."""
    operation = cases.operation
    renew(directory)
    inputs = {f.name: cases.columns[f.name][k] for f in operation.fields}
    head = head_of(selection, cases, k)
    write_case(directory, head, operation.fields, operation.result, inputs)


def _values(
    directory: Path, kind: str, operation: contract.Operation, columns: Any, k: int
) -> dict[str, Any]:
    """Return the values of the result fields; `kind` "" names the files that a command wrote."""
    if not kind:
        return {f.name: f"out_{f.name}.npy" for f in operation.result}
    pairs = zip(operation.result, columns, strict=True)
    return {f.name: stored(directory, kind, f, column[k]) for f, column in pairs}
