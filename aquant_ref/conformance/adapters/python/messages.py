"""Send values between two processes: a line of JSON, and the bytes of the arrays in it.

Nothing is unpickled. Arrays are int64 or float64, which is all that the contract has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import prod
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.family import Cases, objects, plain
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import get
from aquant_ref.errors import InputError
from aquant_ref.formats.text import parse_json
from aquant_ref.typing import Array

KINDS = {"integers": "<i8", "reals": "<f8"}
MOST_ELEMENTS = 1 << 26  # of an array; those of the contract's cases are below a hundredth
Read = Callable[[int], bytearray]


def message(value: Any) -> list[Any]:
    """Return the parts to write, one after the other."""
    arrays: list[Array] = []
    line = json.dumps(_packed(value, arrays)).encode() + b"\n"
    return [line, *(a.reshape(-1).view(np.uint8).data for a in arrays if a.size)]


def received(line: bytes, read: Read) -> Any:
    """Return the value of a line and the bytes after it; InputError or EOFError if it is none."""
    return _unpacked(parse_json(line, "message"), read)


def _packed(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        kind = "reals" if value.dtype.kind == "f" else "integers"
        arrays.append(np.ascontiguousarray(value, KINDS[kind]))
        return {f"<{kind}>": list(value.shape)}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return {"<objects>": [_packed(each, arrays) for each in value]}
    value = plain(value)
    if isinstance(value, float):
        return {"<real>": value.hex()}
    if isinstance(value, Mapping):
        return {key: _packed(each, arrays) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(each, arrays) for each in value]
    return value


def _unpacked(value: Any, read: Read) -> Any:
    if isinstance(value, list):
        return [_unpacked(each, read) for each in value]
    if not isinstance(value, dict):
        return value
    for kind, dtype in KINDS.items():
        if f"<{kind}>" in value:
            shape = value[f"<{kind}>"]
            if min(shape, default=0) < 0 or prod(shape) > MOST_ELEMENTS:
                raise InputError(f"message: an array of shape {shape} is too large")
            return np.frombuffer(read(prod(shape) * 8), dtype).reshape(shape)
    if "<objects>" in value:
        return objects(_unpacked(value["<objects>"], read))
    if "<real>" in value:
        return float.fromhex(value["<real>"])
    return {key: _unpacked(each, read) for key, each in value.items()}


def of_cases(selection: Selection, cases: Cases) -> dict[str, Any]:
    """Return cases as values that can be sent."""
    return {
        "selection": asdict(selection),
        "profile": cases.profile,
        "ids": list(cases.ids),
        "flags": list(cases.flags),
        "kind": cases.kind,
        "columns": cases.columns,
    }


def cases_of(sent: Mapping[str, Any]) -> tuple[Selection, Cases]:
    """Return the cases that were sent."""
    selection = Selection(**sent["selection"])
    operation = get(selection.operation)
    columns = {
        f.name: np.array(sent["columns"][f.name], str) if f.type == "str" else column
        for f in operation.fields
        for column in [sent["columns"][f.name]]
    }
    flags = [tuple(each) for each in sent["flags"]]
    return selection, Cases(operation, sent["profile"], sent["ids"], flags, sent["kind"], columns)
