"""Write the directory of one case, and read the results in it. Spec: AQ-CONF-5.

    desc.json     {"format": "aquant-ref case 1", "op": "conv2d", "id": ..., "profile": "exact",
                   "stride": [1, 2], ..., "x": "in_x.npy", ..., "results": ["q"]}
    in_x.npy      a tensor: <i4, <i8 or <f8, row-major, .npy version 1.0
    out_q.npy     what the command has to write: integers of any type, or reals

One key per line, so that a kernel without a JSON parser can search for `"stride":`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.adapters.offered import BIAS, Offered
from aquant_ref.conformance.cases.family import DTYPES, plain
from aquant_ref.conformance.contract import Field
from aquant_ref.conformance.protocol.admission import Inadmissible, admit
from aquant_ref.errors import InputError, printable
from aquant_ref.formats.atomic import make_directory
from aquant_ref.formats.npy import Truncated, npy_bytes, parse_npy
from aquant_ref.formats.untrusted import read_file
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection

FORMAT = "aquant-ref case 1"
STORED = {"i32": "<i4", "i64": "<i8", "f64": "<f8"}
SAID = "stderr.txt"
VERDICT = "verdict.json"
BIAS_FIELD = Field(BIAS, "i64", ("O",))
OURS = re.compile(rf"desc\.json|{re.escape(SAID)}|{re.escape(VERDICT)}|(in|out|expected)_.*\.npy")
MOST_NAME = 200  # characters of the name of a directory
MOST_OUTPUT = 64 << 20  # bytes of a result; those of the contract's cases are below a thousandth


class NoAnswer(Exception):
    """Say why there is no value, as in `Answers.other`, and what broke the protocol."""

    def __init__(self, what: str, reason: str, problem: str = "") -> None:
        super().__init__(reason)
        self.what, self.reason, self.problem = what, printable(reason), problem


def head_of(selection: Selection, cases: Cases, k: int) -> dict[str, Any]:
    """Return what `desc.json` says of the k-th case besides its fields; `bias_int` is an array."""
    operation, offered = cases.operation, Offered(selection, cases.take([k])).of(0)
    return {
        "op": operation.name,
        "id": cases.ids[k],
        **operation.settings(cases.profile),
        **{name: value for name, value in offered.items() if value is not None},
    }


class Folders:
    """Name a directory for each case under `root`; no two cases share one, whatever their ids."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._case_of: dict[str, str] = {}

    def of(self, case: str) -> Path:
        """Return the directory of this case, always the same one."""
        plain_name = re.sub(r"^\.|[^A-Za-z0-9_.-]", "_", case)[:MOST_NAME] or "_"
        name, number = plain_name, 1
        while self._case_of.setdefault(name.lower(), case) != case:
            number += 1
            name = f"{plain_name}-{number}"
        return self.root / name


def renew(directory: Path) -> None:
    """Make the directory, or remove an earlier run's files from it.

    Raises InputError, which names the directory, if it is a link, is no directory, or has files
    that cannot be removed.
    """
    if os.path.islink(directory):
        raise InputError(f"{directory}: is a link, not a directory")
    make_directory(directory)
    for path in directory.iterdir():
        if OURS.fullmatch(path.name):
            path.unlink()  # of a link or a pipe the name, whatever it leads to


def write_case(
    directory: Path,
    head: Mapping[str, Any],
    fields: tuple[Field, ...],
    results: tuple[Field, ...],
    inputs: Mapping[str, Any],
) -> None:
    """Write `desc.json` and the tensors of one case; none of these files may exist."""
    described = {"format": FORMAT, **head}
    if BIAS in head:
        described[BIAS] = stored(directory, "in", BIAS_FIELD, head[BIAS])
    description = {
        **described,
        **{field.name: stored(directory, "in", field, inputs[field.name]) for field in fields},
        "results": [field.name for field in results],
    }
    write_lines(directory / "desc.json", description)


def stored(directory: Path, kind: str, field: Field, value: Any) -> Any:
    """Return what JSON says of a value; a tensor is written to a file `kind`_NAME.npy.

    Reals that JSON does not have are texts: nan, inf, -inf. Answers may be beyond their type.
    """
    if value is None or not field.tensor:
        number = plain(value)
        return str(number) if isinstance(number, float) and not isfinite(number) else number
    file = f"{kind}_{field.name}.npy"
    dtype = STORED[field.type] if kind == "in" else DTYPES[field.type]
    _write(directory / file, npy_bytes(np.asarray(value, dtype)))
    return file


def write_lines(path: Path, values: Mapping[str, Any]) -> None:
    """Write an object as JSON, one key a line; the file may not exist."""
    lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in values.items())
    _write(path, f"{{\n{lines}\n}}\n".encode())


def write_said(directory: Path, said: bytes) -> None:
    """Keep what a kernel wrote on standard error, if that file can be made."""
    with suppress(OSError):
        _write(directory / SAID, said)


def _write(path: Path, data: bytes) -> None:
    with open(path, "xb") as stream:  # "x": through no link
        stream.write(data)


def read_result(directory: Path, field: Field) -> Array:
    """Read a tensor that the kernel wrote; NoAnswer says what is wrong with it."""
    file = f"out_{field.name}.npy"
    path = directory / file
    if not os.path.lexists(path):
        raise NoAnswer("missing", f"{file} is not there", "missing output")
    try:
        array = parse_npy(read_file(path, most=MOST_OUTPUT), foreign=True)
    except Truncated as error:
        raise NoAnswer("invalid", f"{file} {error}", "truncated output") from None
    except InputError as error:
        reason = str(error).removeprefix(printable(f"{path}: "))
        raise NoAnswer("invalid", f"{file} {reason}", "unreadable output") from None
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise NoAnswer("invalid", f"{file} has NaN", "NaN output")
    try:
        admitted = admit(field, array)
    except Inadmissible as error:
        reason = str(error).replace(f"{field.name}: returned", f"{file} has")
        raise NoAnswer("invalid", reason, "wrong dtype") from None
    if admitted.ndim != len(field.axes):
        reason = f"{file} has shape {array.shape}, not [{', '.join(field.axes)}]"
        raise NoAnswer("invalid", reason, "wrong shape")
    return admitted
