"""Our own file: named arrays and JSON metadata in one `.npz`, checked in full before it is used.

The file is a zip archive of plainly stored entries, so any zip or numpy tool can look into it:

    header.json    {"magic": "aquant_ref", "kind": "weights", "version": 1, "meta": {...},
                    "arrays": {name: {"dtype": "<f4", "shape": [...], "sha256": "..."}}}
    <name>.npy     one entry an array, in the order of the names

The sha256 is over dtype, shape and the bytes in row-major order. The same content always gives the
same bytes (no time, no owner, no compression), so a checksum of the file is one of its content.
Nothing is ever unpickled, and no size is believed before it has been compared with the bytes there.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import replacing
from aquant_ref.formats.compressed import open_zip, read_entry
from aquant_ref.formats.npy import DTYPES, npy_bytes, parse_npy
from aquant_ref.formats.text import parse_json
from aquant_ref.formats.untrusted import MOST_BYTES

MAGIC = "aquant_ref"
FORMAT_VERSION = 1
KINDS = ("model", "program", "weights", "checkpoint", "recording")
HEADER = "header.json"
LONGEST_NAME = 1000  # characters: a zip entry takes 65535 bytes, and messages quote it


def save(
    path: str | os.PathLike[str],
    kind: str,
    *,
    meta: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Write `meta` and `arrays` to `path`, whole or not at all.

    `kind` is one of KINDS. `meta` is as `check_meta` says, a name as `check_name` does; an array is
    boolean, integer or float of at most 8 bytes, and comes back little-endian. Raises InputError,
    before anything is written, for what the format does not have, and if `path` cannot be written;
    ValueError for another kind.
    """
    _check_kind(kind)
    check_meta(meta)
    stored = _stored(arrays)
    size = sum(array.nbytes for array in stored.values())
    if size > MOST_BYTES:
        raise InputError(
            f"{path}: would have {size} bytes, more than the {MOST_BYTES} that are read"
        )
    header = {"magic": MAGIC, "kind": kind, "version": FORMAT_VERSION, **_content(meta, stored)}
    text = json.dumps(header, sort_keys=True, indent=1, allow_nan=False)
    parse_json(text, f"{path}: its header")  # what is saved can be read
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(_entry(HEADER), text)
        for name, array in stored.items():
            archive.writestr(_entry(f"{name}.npy"), npy_bytes(array))


def check_name(name: Any, what: str = "array name") -> str:
    """Return a name that an array can have, alone or as a part of such a name.

    It is printable ASCII without a backslash, which every zip tool leaves as it is. Call it where
    the name is given. Raises InputError, which begins with `what`.
    """
    if not isinstance(name, str) or not name or not name.isascii() or not name.isprintable():
        raise InputError(f"{what} {name!r}: needs printable ASCII")
    if "\\" in name or len(name) > LONGEST_NAME:
        raise InputError(f"{what} {name!r}: holds a backslash, or is longer than {LONGEST_NAME}")
    return name


def check_meta(value: Any, what: str = "metadata") -> None:
    """Raise InputError, which begins with `what`, unless JSON gives the value back as it was.

    It is None, boolean, an integer, a finite float, text, or a list, tuple or object of these; a
    tuple comes back as a list, and the keys of an object are text. Call it where the value is
    given.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{what}: cannot be said in JSON ({error})") from error
    if parse_json(text, what) != _with_lists(value):
        raise InputError(f"{what}: does not come back from JSON as it was; keys are text there")


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(inner) for key, inner in value.items()}
    return [_with_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


def digest(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """The sha256 of what a file with this `meta` and these `arrays` holds.

    That of what `load` returns is that of what was saved.
    """
    text = json.dumps(_content(meta, _stored(arrays)), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `save` wrote: `(meta, arrays)`, arrays writable and in the order of their names.

    Raises InputError, one line that names the file, unless all of it is as it was saved: for a
    missing, foreign or truncated file, another kind, a newer format version, an array that is
    absent, unexpected, pickled or without its checksum.
    """
    _check_kind(kind)
    with open_zip(path, form="a file of aquant_ref") as archive:
        return _read(archive, kind)


def source_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What `meta` says of how the content was made; raises ValueError if that is no object."""
    source = meta.get("source")
    if not isinstance(source, dict):
        raise ValueError("its source is not an object")
    return source


def has_header(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a zip archive with our header, whatever else may be wrong with it."""
    try:
        with open_zip(path) as archive:
            return HEADER in archive.namelist()
    except InputError:
        return False


def _read(archive: zipfile.ZipFile, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    entries = {entry.filename: entry for entry in archive.infolist()}
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED:
            raise InputError(f"entry {entry.filename!r} is compressed; this format stores plainly")
    header = _read_header(archive, entries.pop(HEADER, None), kind)
    described = header["arrays"]
    for name in sorted({f"{name}.npy" for name in described} ^ entries.keys()):
        state = "holds an unexpected entry" if name in entries else "lacks the entry"
        raise InputError(f"{state} {name!r}")
    arrays = {}
    for name, description in described.items():
        data = read_entry(archive, entries[f"{name}.npy"])
        try:
            arrays[name] = parse_npy(data)
        except InputError as error:
            raise InputError(f"array {name!r} {error}") from error
        if _describe(arrays[name]) != description:
            raise InputError(f"array {name!r} does not have its checksum; the file is damaged")
    return header["meta"], arrays


def _read_header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo | None, kind: str) -> Any:
    if entry is None:
        raise InputError(f"is not a file of aquant_ref (no {HEADER})")
    data = read_entry(archive, entry)
    try:
        header = parse_json(data, HEADER)
        magic, version = header["magic"], header["version"]
        if magic != MAGIC or type(version) is not int or version < 1:
            raise ValueError(f"magic {magic!r}, version {version!r}")
        # what a later version may have changed is not looked at
        known = version <= FORMAT_VERSION
        if known and not isinstance(header["kind"], str):
            raise ValueError(f"kind {header['kind']!r}")
        if known and not (isinstance(header["meta"], dict) and isinstance(header["arrays"], dict)):
            raise ValueError("meta and arrays are not objects")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is not a file of aquant_ref (its {HEADER} is malformed)") from error
    if not known:
        raise InputError(
            f"was written by a newer version of aquant_ref (format {version}, this one reads up to "
            f"{FORMAT_VERSION}); upgrade aquant_ref"
        )
    if header["kind"] != kind:
        raise InputError(f"holds a {header['kind']} file, not a {kind} file")
    return header


def _stored(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {check_name(name): _portable(name, arrays[name]) for name in sorted(arrays)}


def _content(meta: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {"meta": dict(meta), "arrays": {n: _describe(array) for n, array in stored.items()}}


def _describe(array: NDArray[Any]) -> dict[str, Any]:
    """Dtype, shape and the sha256 over both and the row-major bytes."""
    digest = hashlib.sha256(f"{array.dtype.str} {list(array.shape)} ".encode())
    digest.update(array.tobytes())
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest.hexdigest()}


def _portable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    if array.dtype.str not in DTYPES:
        raise InputError(f"array {name!r} has dtype {array.dtype}, which the format does not have")
    return array


def _entry(filename: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(filename)  # of 1980-01-01; what follows would depend on the platform
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: must be one of {', '.join(KINDS)}")
