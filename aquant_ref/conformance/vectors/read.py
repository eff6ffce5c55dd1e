"""Read the stored vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases import recipe
from aquant_ref.conformance.cases.family import DTYPES, Cases, objects
from aquant_ref.conformance.cases.recipe import digest
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import families_of
from aquant_ref.conformance.expected.results import Expected, expected
from aquant_ref.errors import InputError
from aquant_ref.formats.kinds import Each, ListOf, fits
from aquant_ref.formats.text import read_json
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Field, Operation

MAJOR = 1
# the minor version that added the families of each edition
MINOR_OF_EDITION = (0, 1, 3, 3, 3, 3, 3, 3, 3)
VERSION = f"{MAJOR}.{MINOR_OF_EDITION[-1]}"
VECTORS = Path(__file__).parent / f"v{MAJOR}"
FORMAT = "aquant-ref vectors 1"


@dataclass(frozen=True)
class Group:
    """Hold cases that need the same capabilities, and their answers."""

    selection: Selection
    cases: Cases
    expected: Expected


# Enough for reading to be safe; `lint` checks the contents.
FORM: dict[str, Any] = {
    "fields": dict,
    "source": Each((str, int)),
    "notes": Each({"description": str, "catches": ListOf(str)}),
    "groups": ListOf(
        {
            "params": dict,
            "tests": ListOf({"id": str, "flags": ListOf(str), "in": dict, "result": str}),
        }
    ),
}
INTEGERS = ("i32", "i64")
MOST_PADDING = 64  # the oracle visits every place of a window


def path_of(directory: Path, operation: str, alternative: str = "") -> Path:
    """Return the file of an operation, or of one of its alternatives."""
    return directory / ("-".join(filter(None, [operation, alternative])) + ".json")


def version_of(operation: str, alternative: str = "") -> str:
    """Return the version of a file: that which last added to it."""
    of_operation = contract.get(operation)
    since = of_operation.alternatives[alternative].since if alternative else of_operation.since
    kinds = families_of(operation, alternative)
    return f"{MAJOR}.{max(since, *(MINOR_OF_EDITION[f.edition] for f in kinds))}"


def read(path: Path) -> dict[str, Any]:
    """Read a file of vectors as JSON, and check its form.

    Raises InputError, which names the file, if it is no file of vectors.
    """
    stored = read_json(path)
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise InputError(f"{path}: is not a file of the format {FORMAT!r}")
    for key, kind in FORM.items():
        if key in stored and not fits(stored[key], kind):
            raise InputError(f"{path}: is damaged ({key!r} does not have the form of vectors)")
    return stored


def load(operation: str, directory: Path = VECTORS) -> list[Group]:
    """Return the groups of an operation, those of its alternatives last; do not change them.

    The groups of the package's own vectors are read only once.

    Raises InputError if the file cannot be read or is not complete.
    """
    return [*_shipped(operation)] if directory == VECTORS else _load(operation, directory)


@cache
def _shipped(operation: str) -> Sequence[Group]:
    return _load(operation, VECTORS)


def _load(operation: str, directory: Path) -> list[Group]:
    names = ("", *contract.get(operation).alternatives)
    return [group for name in names for group in load_file(operation, name, directory)]


def load_file(operation: str, alternative: str, directory: Path) -> list[Group]:
    """Return the groups of one file; raises InputError as `load` does."""
    path = path_of(directory, operation, alternative)
    stored = read(path)
    try:
        return [_group(operation, each) for each in stored["groups"]]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({type(error).__name__}: {error})") from error


def _group(name: str, group: Mapping[str, Any]) -> Group:
    operation = contract.get(name)
    tests = group["tests"]
    for test in tests:
        _check_padding(test["in"])
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
    hashed = [k for k, test in enumerate(tests) if _hashed(test)]
    known = _recomputed(cases, tests, hashed)
    bounds = [
        [
            _column(
                operation,
                f,
                [None if k in known else _bounds(test, f)[end] for k, test in enumerate(tests)],
            )
            for f in operation.result
        ]
        for end in (0, 1)
    ]
    for k, values in known.items():
        for low, high, value in zip(*bounds, values, strict=True):
            low[k] = high[k] = value
    refused = np.array([test["result"] == "must_reject" for test in tests], bool)
    return Group(Selection(name, **params), cases, Expected(bounds[0], bounds[1], refused))


def _hashed(test: Mapping[str, Any]) -> bool:
    return any(isinstance(value, dict) for value in test.get("out", {}).values())


def _recomputed(
    cases: Cases, tests: Sequence[Mapping[str, Any]], places: Sequence[int]
) -> dict[int, list[Array]]:
    """Compute the results of which only the sha256 is stored; ValueError if it is another."""
    if not places:
        return {}
    right = expected(cases.take(places))
    known = {}
    for n, k in enumerate(places):
        known[k] = [column[n] for column in right.low]
        for field, value in zip(cases.operation.result, known[k], strict=True):
            stored = tests[k]["out"][field.name]
            if value is None or [*value.shape] != stored["shape"]:
                raise ValueError(f"{tests[k]['id']}: {field.name} has another shape")
            if digest(value, field.type) != stored["sha256"]:
                raise ValueError(f"{tests[k]['id']}: {field.name} has another sha256")
    return known


def _bounds(test: Mapping[str, Any], field: Field) -> Sequence[Any]:
    if test["result"] == "must_reject":
        if field.axes:
            return [None, None]
        return [0, 0] if field.type != "f64" else ["0x0p+0", "0x0p+0"]
    out = test["out"][field.name]
    ends: Sequence[Any] = out if test["result"] == "bounded" else [out, out]
    if any(end is None for end in ends):
        raise TypeError(f"{field.name} is None")
    return ends


def _column(operation: Operation, field: Field, values: Sequence[Any]) -> Array:
    if not operation.scalar:
        return objects([_tensor(field, value) for value in values])
    if field.type == "str":
        return np.array([_number(field, value) for value in values], str)
    return np.array(_numbers(field, values, 1), DTYPES[field.type])


def _tensor(field: Field, value: Any) -> Any:
    if field.type == "json" or value is None:
        return value
    if field.tensor and isinstance(value, dict):
        return recipe.read(value, field.type, len(field.axes))
    numbers = _numbers(field, value, len(field.axes))
    return np.array(numbers, DTYPES[field.type]) if field.axes else numbers


def _numbers(field: Field, value: Any, axes: int) -> Any:
    """Check the numbers of a field in lists of `axes` levels; TypeError for any other value."""
    if axes:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{field.name} is {value!r}, not a list")
        if axes == 1 and field.type in INTEGERS and set(map(type, value)) == {int}:
            return value  # nearly all are: a tenth of the time
        return [_numbers(field, inner, axes - 1) for inner in value]
    return _number(field, value)


def _number(field: Field, value: Any) -> Any:
    if not fits(value, int if field.type in INTEGERS else str):
        raise TypeError(f"{field.name} is {value!r}, which is no {field.type}")
    return float.fromhex(value) if field.type == "f64" else value


def _check_padding(value: Any, key: str = "") -> None:
    """Raise ValueError if a field, or an attribute of a program, pads more than any vector."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_padding(inner, name)
    elif isinstance(value, list) and key in ("padding", "program"):
        for inner in value:
            _check_padding(inner, key)
    elif key == "padding" and isinstance(value, int) and abs(value) > MOST_PADDING:
        raise ValueError(f"padding is {value}")
