"""Read and write the project's own file: named arrays and JSON metadata in one `.npz`.

The file is an uncompressed zip archive, so any zip or numpy tool can open it:

    header.json    {"magic": "aquant_ref", "kind": "weights", "version": 1, "meta": {...},
                    "arrays": {name: {"dtype": "<f4", "shape": [...], "sha256": "..."}}}
    <name>.npy     one entry per array, in the order of the names

The sha256 covers dtype, shape and the bytes in row-major order. The same content always gives the
same bytes (no time, no owner, no compression), so a checksum of the file identifies its content.
A file is checked in full before anything is returned. Nothing is ever unpickled, and no claimed
size is used before it is compared with the bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from aquant_ref.errors import MOST_QUOTED, InputError, printable
from aquant_ref.formats.atomic import replacing
from aquant_ref.formats.compressed import open_zip, read_entry
from aquant_ref.formats.npy import DTYPES, npy_bytes, parse_npy
from aquant_ref.formats.text import parse_json
from aquant_ref.formats.untrusted import MOST_BYTES, PathLike
from aquant_ref.typing import Array

MAGIC = "aquant_ref"
FORMAT_VERSION = 2  # the latest; a file has the first version that can say what it says
KINDS = ("model", "program", "weights", "checkpoint", "recording")
HEADER = "header.json"
LONGEST_NAME = 1000  # characters: a zip entry allows 65535 bytes, and messages quote the name


def save(
    path: PathLike,
    kind: str,
    *,
    meta: Mapping[str, Any],
    arrays: Mapping[str, Array],
    version: int = 1,
) -> None:
    """Write `meta` and `arrays` to `path`, whole or not at all.

    `kind` is one of KINDS. `check_meta` says what `meta` may hold, `check_name` what a name may be.
    An array is boolean, integer or float of at most 8 bytes; `load` returns it little-endian.
    `version` is the first format that has what `meta` says. Raises InputError, before anything is
    written, if the format cannot hold a value, and if `path` cannot be written; ValueError for an
    unknown kind.
    """
    _check_kind(kind)
    check_meta(meta)
    stored = _stored(arrays)
    size = sum(array.nbytes for array in stored.values())
    if size > MOST_BYTES:
        raise InputError(
            f"{path}: would have {size} bytes, more than the {MOST_BYTES} that are read"
        )
    header = {"magic": MAGIC, "kind": kind, "version": version, **_content(meta, stored)}
    text = json.dumps(header, sort_keys=True, indent=1, allow_nan=False)
    parse_json(text, f"{path}: its header")  # so that every saved file can be read
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(_entry(HEADER), text)
        for name, array in stored.items():
            archive.writestr(_entry(f"{name}.npy"), npy_bytes(array))


def check_name(name: Any, what: str = "array name") -> str:
    """Return `name` if it can be an array's name, or a part of one.

    It must be printable ASCII without a backslash, which every zip tool leaves unchanged. Call this
    function as soon as the name is known. Raises InputError, which begins with `what`.
    """
    if not isinstance(name, str):
        raise InputError(f"{what}: needs a name, got {printable(repr(name), MOST_QUOTED)}")
    if not name or not name.isascii() or not name.isprintable():
        raise InputError(f"{what} {name!r}: needs printable ASCII")
    if "\\" in name or len(name) > LONGEST_NAME:
        raise InputError(f"{what} {name!r}: holds a backslash, or is longer than {LONGEST_NAME}")
    return name


def check_meta(value: Any, what: str = "metadata") -> None:
    """Raise InputError, which begins with `what`, unless JSON gives `value` back unchanged.

    It must be None, a boolean, an integer, a finite float, text, or a list, tuple or dict of these,
    with text as the keys of a dict; a tuple comes back as a list. Call this function as soon as the
    value is known.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{what}: cannot be written as JSON ({error})") from error
    if parse_json(text, what) != _with_lists(value):
        raise InputError(f"{what}: changes in JSON, where keys are text")


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(inner) for key, inner in value.items()}
    return [_with_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


def digest(meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    """Return the sha256 of the content of a file with this `meta` and these `arrays`.

    It is the same before `save` and after `load`.
    """
    text = json.dumps(_content(meta, _stored(arrays)), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: PathLike, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read a file that `save` wrote: `(meta, arrays)`, arrays writable and ordered by name.

    Raises InputError, one line that names the file, unless everything is as saved: for a missing,
    foreign or truncated file, another kind, a newer format version, or an array that is missing,
    unexpected, pickled or does not match its checksum.
    """
    _check_kind(kind)
    with open_zip(path, form="a file of aquant_ref") as archive:
        return _read(archive, kind)


def source_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the content was made, `meta["source"]`; raise ValueError if it is no dict."""
    source = meta.get("source")
    if not isinstance(source, dict):
        raise ValueError("its source is not an object")
    return source


def has_header(path: PathLike) -> bool:
    """Return whether `path` is a zip archive with our header, even if it is damaged."""
    try:
        with open_zip(path) as archive:
            return HEADER in archive.namelist()
    except InputError:
        return False


def _read(archive: zipfile.ZipFile, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if HEADER not in entries:
        raise InputError(
            f"is not a {kind} file of aquant_ref: it has no {HEADER}, which np.savez does not write"
        )
    for entry in entries.values():
        if entry.compress_type != zipfile.ZIP_STORED:
            raise InputError(
                f"entry {entry.filename!r} is compressed; a file of aquant_ref is an uncompressed "
                "zip archive"
            )
    header = _read_header(archive, entries.pop(HEADER), kind)
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
            raise InputError(f"array {name!r} does not match its checksum; the file is damaged")
    return header["meta"], arrays


def _read_header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, kind: str) -> Any:
    data = read_entry(archive, entry)
    try:
        header = parse_json(data, HEADER)
        magic, version = header["magic"], header["version"]
        if magic != MAGIC or type(version) is not int or version < 1:
            raise ValueError(f"magic {magic!r}, version {version!r}")
        known = version <= FORMAT_VERSION  # a later version may have changed the rest
        if known and not isinstance(header["kind"], str):
            raise ValueError(f"kind {header['kind']!r}")
        if known and not (isinstance(header["meta"], dict) and isinstance(header["arrays"], dict)):
            raise ValueError("meta and arrays are not objects")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is not a file of aquant_ref (its {HEADER} is malformed)") from error
    if not known:
        raise InputError(
            f"was written by a newer version of aquant_ref (format {version}, this version reads "
            f"up to {FORMAT_VERSION}); upgrade aquant_ref"
        )
    if header["kind"] != kind:
        raise InputError(f"holds a {header['kind']} file, not a {kind} file")
    return header


def _stored(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {check_name(name): _portable(name, arrays[name]) for name in sorted(arrays)}


def _content(meta: Mapping[str, Any], stored: Mapping[str, Array]) -> dict[str, Any]:
    return {"meta": dict(meta), "arrays": {n: _describe(array) for n, array in stored.items()}}


def _describe(array: Array) -> dict[str, Any]:
    """Return dtype, shape and the sha256 of both and the row-major bytes."""
    digest = hashlib.sha256(f"{array.dtype.str} {list(array.shape)} ".encode())
    digest.update(array.tobytes())
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest.hexdigest()}


def _portable(name: str, array: Array) -> Array:
    array = np.asarray(array)
    array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    if array.dtype.str not in DTYPES:
        raise InputError(f"array {name!r} has dtype {array.dtype}, which the format cannot hold")
    return array


def _entry(filename: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(filename)  # of 1980-01-01; these defaults depend on the platform
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: must be one of {', '.join(KINDS)}")
