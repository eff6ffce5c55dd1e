"""Reading the stored vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.family import DTYPES, Array, Cases, objects
from aquant_ref.conformance.contract import Field, Operation
from aquant_ref.conformance.selection import Selection
from aquant_ref.conformance.verdict import Expected
from aquant_ref.errors import InputError

MAJOR = 1
VERSION = f"{MAJOR}.1"
VECTORS = Path(__file__).parent / f"v{MAJOR}"
FORMAT = "aquant-ref vectors 1"


@dataclass(frozen=True)
class Group:
    """Cases that ask for the same capabilities, and their answers."""

    selection: Selection
    cases: Cases
    expected: Expected


def path_of(directory: Path, operation: str) -> Path:
    """The file of an operation."""
    return directory / f"{operation}.json"


def read(path: Path) -> dict[str, Any]:
    """The file as it is; raises InputError, which names it, if it is no file of vectors."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise InputError(f"{path}: is no file of the format {FORMAT!r}")
    return stored


def load(operation: str, directory: Path = VECTORS) -> list[Group]:
    """The groups of an operation's file.

    Raises InputError where it cannot be read or is not whole.
    """
    path = path_of(directory, operation)
    stored = read(path)
    try:
        return [_group(operation, each) for each in stored["groups"]]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not whole ({type(error).__name__}: {error})") from error


def _group(name: str, group: Mapping[str, Any]) -> Group:
    operation = contract.get(name)
    tests = group["tests"]
    params: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in group["params"].items()
    }
    flags = list(dict.fromkeys(tuple(test["flags"]) for test in tests))
    cases = Cases(
        operation,
        params["profile"],
        [test["id"] for test in tests],
        flags,
        np.array([flags.index(tuple(test["flags"])) for test in tests]),
        {
            f.name: _column(operation, f, [test["in"][f.name] for test in tests])
            for f in operation.fields
        },
    )
    bounds = [
        [_column(operation, f, [_bounds(test, f)[end] for test in tests]) for f in operation.result]
        for end in (0, 1)
    ]
    refused = np.array([test["result"] == "must_reject" for test in tests])
    return Group(Selection(name, **params), cases, Expected(bounds[0], bounds[1], refused))


def _bounds(test: Mapping[str, Any], field: Field) -> Sequence[Any]:
    if test["result"] == "must_reject":
        if field.axes:
            return [None, None]
        return [0, 0] if field.type != "f64" else ["0x0p+0", "0x0p+0"]
    out = test["out"][field.name]
    return out if test["result"] == "bounded" else [out, out]


def _column(operation: Operation, field: Field, values: Sequence[Any]) -> Array:
    if not operation.scalar:
        return objects([_tensor(field, value) for value in values])
    if field.type == "str":
        return np.array(values)
    return np.array(_numbers(field, values), DTYPES[field.type])


def _tensor(field: Field, value: Any) -> Any:
    if field.type == "json" or value is None:
        return value
    numbers = _numbers(field, value)
    return np.array(numbers, DTYPES[field.type]) if field.axes else numbers


def _numbers(field: Field, value: Any) -> Any:
    """Reals from their hexadecimal, in lists of any depth."""
    if field.type != "f64":
        return value
    if isinstance(value, list | tuple):
        return [_numbers(field, each) for each in value]
    return float.fromhex(value)
