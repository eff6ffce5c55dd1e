"""Generate and check: the two ends of the pipe. Spec: AQ-CONF-2, AQ-CONF-3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.sequence import families
from aquant_ref.conformance.diagnosis.evidence import Collected
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.protocol import streams
from aquant_ref.conformance.protocol.replies import Replies
from aquant_ref.conformance.protocol.streams import BLOCK
from aquant_ref.conformance.report.kept import Kept
from aquant_ref.conformance.report.report import Report
from aquant_ref.conformance.report.run import described
from aquant_ref.conformance.report.verdict import verdicts
from aquant_ref.errors import counted

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection


def gen(selection: Selection, index: Sequence[int], write: Callable[[str], object]) -> None:
    """Write the header and the cases at these places; InputError if there are none."""
    families(selection)
    write(f"{streams.header(selection, len(index))}\n")
    for cases in streams.blocks(selection, index):
        write(streams.lines(cases))


def check(
    selection: Selection,
    index: Sequence[int],
    stream: BinaryIO,
    *,
    timeout: float,
    oracle: bool = False,
    keep: str | Path | None = None,
) -> Report:
    """Read the answers to what `gen` wrote with the same arguments, and report on them.

    Wrong cases are kept in the directory `keep`. Raises InputError as `gen` does, if the stream
    cannot be read, and if `keep` cannot be written to.
    """
    families(selection)
    kept = None if keep is None else Kept(keep)
    arguments = selection.command_line()
    run = described(f"aquant-ref check {arguments}", selection.seed)
    report = Report(f"{counted(len(index), 'generated case')} of {arguments}", "the kernel", run)
    header = streams.header(selection, len(index))
    ids = list(map(str, index))
    replies = Replies(ids, contract.get(selection.operation).result, header)
    report.problems = replies.problems
    replies.receive(stream, timeout)
    replies.finish()
    again, collected = _replay(selection), Collected()
    for start, cases in zip(
        range(0, len(index), BLOCK), streams.blocks(selection, index), strict=True
    ):
        right, answers = expected(cases, oracle=oracle), replies.answers(start, start + len(cases))
        status = verdicts(right, answers)
        report.add(cases, right, answers, status, again)
        report.passed.add(selection, cases, right, status)
        if kept is not None:
            kept.add(selection, cases, right, answers, status)
        collected.add(cases, right, answers, status)
    if report.exit_code:
        from aquant_ref.conformance.diagnosis.diagnose import diagnoses  # loads the catalogue

        report.diagnoses = diagnoses(selection.operation, {selection.profile: collected})
    return report


def _replay(selection: Selection) -> Callable[[str], str]:
    def command(case: str) -> str:
        arguments = f"{selection.command_line()} --only {case}"
        return f"aquant-ref gen {arguments} | ./kernel | aquant-ref check {arguments}"

    return command
