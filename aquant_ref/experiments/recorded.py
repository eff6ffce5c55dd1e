"""The data set that a saved network was quantized on: recorded in its result, and found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aquant_ref import data
from aquant_ref.errors import InputError
from aquant_ref.formats.text import read_json


def record(data_set: str) -> dict[str, str]:
    """Return what a result says of a data set: its place, its division, and what its splits are.

    "at" has an absolute path, "division" says how a set that comes undivided is divided, and each
    split has its identity.

    Raises InputError if the set is not there.
    """
    identities = {split: data.identity(data_set, [split]) for split in data.SPLITS}
    return {"at": data.absolute(data_set), "division": data.division(data_set), **identities}


def set_to_run(result: Path, given: str | None = None) -> tuple[str, dict[str, Any]]:
    """Return the set to run a network on: `given`, or else the one that the file `result` records.

    Beside it what the network was "quantized_on" and whether that has the "same_images"; both are
    None if a set is given and the file records none. Raises InputError if the set is not there.
    """
    if given is not None:
        data.check(given, ["test"])
    try:
        recorded = _read(result)
    except InputError as error:
        if given is None:
            raise InputError(f"{error}; give one as data") from error
        return given, {"quantized_on": None, "same_images": None}
    spec = recorded["at"] if given is None else given
    try:
        same = data.identity(spec, ["test"]) == recorded["test"]
    except InputError as error:
        where = f"{result}: the network was quantized on {spec}"
        raise InputError(f"{where}, but {error}; give another set as data") from error
    return spec, {"quantized_on": recorded["at"], "same_images": same}


def _read(path: Path) -> dict[str, str]:
    result = read_json(path)
    found = result.get("data_set") if isinstance(result, dict) else None
    if not isinstance(found, dict) or not {"at", "test"} <= found.keys():
        raise InputError(f"{path}: does not say which data set the network was quantized on")
    if not all(isinstance(value, str) for value in found.values()):
        raise InputError(f"{path}: data_set needs texts")
    return found
