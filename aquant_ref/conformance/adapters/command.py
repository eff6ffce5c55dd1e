"""Ask a kernel in any language: a command that takes a directory with one case. Spec: AQ-CONF-5."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.adapters.directory import (
    Folders,
    NoAnswer,
    head_of,
    read_result,
    renew,
    write_case,
    write_said,
)
from aquant_ref.conformance.adapters.process import HUNG_BEFORE, Kernel, ProcessAdapter, sweep
from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.conformance.contract import Field, Operation
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_directory
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.capabilities import Capabilities
    from aquant_ref.conformance.cases.selection import Selection

PLACE = "{case}"
REFUSES, UNSUPPORTED = 3, 4  # exit codes, besides 0 for "done"
SMOKE = (Field("x", "i32", ("H", "W")),), (Field("y", "i32", ("H", "W")),)


class CommandAdapter(ProcessAdapter):
    """Run `command` once for each case on tensors; {case} in it stands for the directory.

    `timeout` is the most seconds per case. With `keep`, the directories are made there and kept.
    Raises InputError if the command has no {case}.
    """

    def __init__(
        self,
        command: str,
        *,
        timeout: float = 60,
        capabilities: Capabilities | None = None,
        keep: str | Path | None = None,
    ) -> None:
        super().__init__("exec", command, timeout, capabilities)
        if not any(PLACE in word for word in self.command):
            raise InputError(f"exec: {command!r} has no {PLACE}, which stands for the directory")
        self.folders = None if keep is None else Folders(keep)

    def reaches(self, operation: Operation) -> bool:
        """Refuse scalar operations: a process for each case would take hours."""
        return not operation.scalar

    def start(self) -> None:
        """Ask for the case `smoke`, which copies in_x.npy to out_y.npy.

        Raises InputError, which says what went wrong, if the kernel does not; also if `keep` cannot
        be written to.
        """
        super().start()
        if self.folders is not None:
            check_writable_directory(self.folders.root)
        x = np.arange(-3, 3, dtype=np.int32).reshape(2, 3)
        try:
            (y,) = self._ask({"op": "smoke", "id": "smoke"}, *SMOKE, {"x": x})
        except NoAnswer as error:
            raise InputError(f"smoke: {self.name}: {error.reason}; nothing else is asked") from None
        finally:
            sweep(self.mark)
        if not np.array_equal(x, y):
            raise InputError(
                f"smoke: {self.name}: out_y.npy is not in_x.npy; nothing else is asked"
            )

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Run the command for each case.

        Raises InputError if the command cannot be started or a directory cannot be written.
        """
        if (before := self.not_asked(cases)) is not None:
            return before
        operation = cases.operation
        answered = blank_results(operation, len(cases))
        other: dict[int, tuple[str, str]] = {}
        try:
            for k, name in enumerate(cases.ids):
                head = head_of(selection, cases, k)
                inputs = {f.name: cases.columns[f.name][k] for f in operation.fields}
                try:
                    results = self._ask(head, operation.fields, operation.result, inputs)
                except NoAnswer as error:
                    other[k] = (error.what, error.reason)
                    if error.problem == "hang":
                        self.hangs(cases, f"{name}: {error.reason}")
                        other |= dict.fromkeys(range(k + 1, len(cases)), HUNG_BEFORE)
                        break
                    if error.problem:
                        self.problems.add(error.problem, f"{name}: {error.reason}")
                    continue
                for column, result in zip(answered, results, strict=True):
                    column[k] = result
        finally:
            sweep(self.mark)
        return Answers(answered, other)

    def _ask(
        self,
        head: Mapping[str, Any],
        fields: tuple[Field, ...],
        results: tuple[Field, ...],
        inputs: Mapping[str, Any],
    ) -> list[Array]:
        where = self.folders.root if self.folders is not None else None
        try:
            with TemporaryDirectory(prefix="aquant-ref-", ignore_cleanup_errors=True) as temporary:
                # inside of what is removed, whatever the kernel puts in its place
                where = directory = Path(temporary) / "case"
                if self.folders is not None:
                    where = directory = self.folders.of(head["id"])
                renew(directory)
                write_case(directory, head, fields, results, inputs)
                self._run(directory)
                return [read_result(directory, field) for field in results]
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{where or 'exec'}: cannot be written to ({reason})") from error

    def _run(self, directory: Path) -> None:
        """Run the command; raise NoAnswer unless it ends with exit code 0."""
        command = [word.replace(PLACE, str(directory)) for word in self.command]
        with Kernel(command, self.mark) as kernel:
            try:
                code = kernel.popen.wait(self.timeout)
            except subprocess.TimeoutExpired:
                raise NoAnswer("missing", f"no end after {self.timeout:g} s", "hang") from None
        if self.folders is not None:
            write_said(directory, bytes(kernel.stderr))
        said = f": {kernel.last_words}" if kernel.last_words else ""
        if code == REFUSES:
            raise NoAnswer("error", f"refused{said}")
        if code == UNSUPPORTED:
            raise NoAnswer("skip", f"unsupported{said}")
        if code:
            raise NoAnswer("missing", kernel.ended(code), "crash")
