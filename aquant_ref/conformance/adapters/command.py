"""A kernel in any language: a command that is given a directory with one case. Spec: AQ-CONF-5.

    desc.json     {"format": "aquant-ref case 1", "op": "conv2d", "id": ..., "profile": "exact",
                   "stride": [1, 2], ..., "x": "in_x.npy", ..., "results": ["q"]}
    in_x.npy      a tensor: <i4, <i8 or <f8, row-major, .npy version 1.0
    out_q.npy     what the command has to write: integers of any type, or reals

A key a line, numbers as they are, so that a kernel without a JSON parser can look for `"stride":`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter, Capabilities, words
from aquant_ref.conformance.adapters.pipe import signal_name
from aquant_ref.conformance.cases.family import DTYPES, Array, Cases, plain
from aquant_ref.conformance.contract import Field, Operation
from aquant_ref.conformance.selection import Selection
from aquant_ref.conformance.verdict import Answers, values
from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_directory, make_directory
from aquant_ref.formats.npy import Truncated, npy_bytes, parse_npy

FORMAT = "aquant-ref case 1"
PLACE = "{case}"
REFUSES, UNSUPPORTED = 3, 4  # exit codes, besides 0 for "done"
STORED = {"i32": "<i4", "i64": "<i8", "f64": "<f8"}
SMOKE = (Field("x", "i32", ("H", "W")),), (Field("y", "i32", ("H", "W")),)


class NoAnswer(Exception):
    """Why there is no value, in the words of `Answers.other`, and what broke the protocol."""

    def __init__(self, what: str, reason: str, problem: str = "") -> None:
        super().__init__(reason)
        self.what, self.reason, self.problem = what, reason, problem


class CommandAdapter(Adapter):
    """Runs `command`, in which {case} stands for the directory, once for each case on tensors.

    `timeout` is the number of seconds that a case may take. With `keep` the directories are made
    there, and stay. Raises InputError where the command has no {case}.
    """

    def __init__(
        self,
        command: str,
        *,
        timeout: float = 60,
        capabilities: Capabilities | None = None,
        keep: str | Path | None = None,
    ) -> None:
        self.name = command
        self.command = words("exec", command)
        if not any(PLACE in word for word in self.command):
            raise InputError(f"exec: {command!r} has no {PLACE}, which stands for the directory")
        self.timeout = timeout
        self._capabilities = capabilities or Capabilities()
        self._keep = None if keep is None else Path(keep)

    def capabilities(self) -> Capabilities:
        """As they were given."""
        return self._capabilities

    def reaches(self, operation: Operation) -> bool:
        """Scalars go through a pipe: a process for each would take hours."""
        return not operation.scalar

    def supports(self, operation: str) -> bool:
        """A kernel says so itself, case by case."""
        return True

    def start(self) -> None:
        """The case `smoke`: to copy in_x.npy to out_y.npy.

        Raises InputError, which says what went wrong, unless the kernel does; also where the
        directories of cases cannot be kept.
        """
        if self._keep is not None:
            check_writable_directory(self._keep)
        x = np.arange(-3, 3, dtype=np.int32).reshape(2, 3)
        try:
            (y,) = self._ask("smoke", "smoke", "", SMOKE, {"x": x})
        except NoAnswer as error:
            raise InputError(f"smoke: {self.name}: {error.reason}; nothing else is asked") from None
        if not np.array_equal(x, y):
            raise InputError(
                f"smoke: {self.name}: out_y.npy is not in_x.npy; nothing else is asked"
            )

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Run the command for each case; raises InputError where it cannot be started."""
        operation = cases.operation
        answered = values(operation, len(cases))
        other: dict[int, tuple[str, str]] = {}
        profile = cases.profile if operation.variations else ""
        fields = operation.fields, operation.result
        for k, name in enumerate(cases.ids):
            inputs = {f.name: cases.columns[f.name][k] for f in operation.fields}
            try:
                results = self._ask(operation.name, name, profile, fields, inputs)
            except NoAnswer as error:
                other[k] = (error.what, error.reason)
                if error.problem:
                    self.problems.add(error.problem, f"{name}: {error.reason}")
                continue
            for column, result in zip(answered, results, strict=True):
                column[k] = result
        return Answers(answered, other)

    def _ask(
        self,
        op: str,
        name: str,
        profile: str,
        fields: tuple[tuple[Field, ...], tuple[Field, ...]],
        inputs: Mapping[str, Any],
    ) -> list[Array]:
        with TemporaryDirectory(prefix="aquant-ref-") as temporary:
            directory = Path(temporary)
            if self._keep is not None:
                directory = self._keep / name.replace("/", "_")
                make_directory(directory)
                for old in directory.glob("out_*.npy"):
                    old.unlink()
            head = {
                "format": FORMAT,
                "op": op,
                "id": name,
                **({"profile": profile} if profile else {}),
            }
            write_case(directory, head, *fields, inputs)
            self._run(directory)
            return [read_result(directory, field) for field in fields[1]]

    def _run(self, directory: Path) -> None:
        """Raises NoAnswer unless the command ends with exit code 0."""
        words = [word.replace(PLACE, str(directory)) for word in self.command]
        with (directory / "stderr.txt").open("w+b") as said:
            try:
                kernel = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise InputError(f"{' '.join(words)}: cannot be started ({error})") from error
            try:
                code = kernel.wait(self.timeout)
            except subprocess.TimeoutExpired:
                raise NoAnswer("missing", f"no end after {self.timeout:g} s", "hang") from None
            finally:
                _end(kernel)
            said.seek(0)
            lines = said.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        words_of_it = f": {lines[-1]}" if lines else ""
        if code == REFUSES:
            raise NoAnswer("error", f"refused{words_of_it}")
        if code == UNSUPPORTED:
            raise NoAnswer("skip", f"unsupported{words_of_it}")
        if code:
            how = signal_name(-code) if code < 0 else f"exit code {code}"
            raise NoAnswer("missing", how + words_of_it, "crash")


def _end(kernel: subprocess.Popen[bytes]) -> None:
    """End it, and what it has started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(kernel.pid, signal.SIGKILL)
    kernel.kill()
    kernel.wait()


def write_case(
    directory: Path,
    head: Mapping[str, Any],
    fields: tuple[Field, ...],
    results: tuple[Field, ...],
    inputs: Mapping[str, Any],
) -> None:
    """Write `desc.json` and the tensors of one case."""
    description = dict(head)
    for field in fields:
        value = inputs[field.name]
        if field.tensor:
            file = description[field.name] = f"in_{field.name}.npy"
            stored = np.asarray(value, STORED[field.type])
            (directory / file).write_bytes(npy_bytes(stored))
        else:
            description[field.name] = plain(value)
    description["results"] = [field.name for field in results]
    lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in description.items())
    (directory / "desc.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def read_result(directory: Path, field: Field) -> Array:
    """A tensor that the kernel wrote; raises NoAnswer, which says what is wrong with it."""
    file = f"out_{field.name}.npy"
    try:
        data = (directory / file).read_bytes()
    except OSError:
        raise NoAnswer("missing", f"{file} is not there", "missing output") from None
    try:
        array = parse_npy(data, foreign=True)
    except Truncated as error:
        raise NoAnswer("error", f"{file} {error}", "truncated output") from None
    except InputError as error:
        raise NoAnswer("error", f"{file} {error}", "unreadable output") from None
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise NoAnswer("error", f"{file} has NaN", "NaN output")
    if array.dtype.kind not in ("iuf" if field.type == "f64" else "iu"):
        raise NoAnswer("error", f"{file} is {array.dtype}, not integers", "wrong dtype")
    if array.ndim != len(field.axes):
        reason = f"{file} has shape {array.shape}, not [{', '.join(field.axes)}]"
        raise NoAnswer("error", reason, "wrong shape")
    return array.astype(DTYPES[field.type])
