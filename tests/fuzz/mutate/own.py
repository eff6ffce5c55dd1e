"""Changes to our own file: its metadata and arrays, with checksums that are right again.

What has a wrong checksum is refused at once; these changes come through to what lies behind.
"""

from __future__ import annotations

import hashlib
import io
import json
from random import Random
from typing import Any

import numpy as np

from aquant_ref.formats.native import HEADER
from tests.fuzz.mutate import npy, values, zips
from tests.fuzz.mutate.raw import raw


def _read(data: bytes) -> tuple[Any, dict[str, np.ndarray]]:
    found = dict(zips.read(data))
    header = json.loads(found.pop(HEADER))
    arrays = {
        name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        for name, content in found.items()
    }
    return header, arrays


def _described(array: np.ndarray) -> dict[str, Any]:
    """What the header says of an array; not taken from the code that is under test."""
    digest = hashlib.sha256(f"{array.dtype.str} {list(array.shape)} ".encode() + array.tobytes())
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest.hexdigest()}


def _write(header: Any, arrays: dict[str, np.ndarray]) -> bytes:
    """A file in which header and arrays fit, but for what the header has otherwise on purpose."""
    entries = [(HEADER, values.written(header))]
    for name, array in arrays.items():
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
        entries.append((f"{name}.npy", stream.getvalue()))
    return zips.write(entries)


def with_source(data: bytes, source: Any) -> bytes:
    """The file of a model, a program or a run with something else as its `source`."""
    header, arrays = _read(data)
    header["meta"]["source"] = source
    return _write(header, arrays)


def meta(rng: Random, data: bytes) -> bytes:
    """Other metadata."""
    header, arrays = _read(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        header["meta"] = values.change(rng, header["meta"])
    return _write(header, arrays)


def top(rng: Random, data: bytes) -> bytes:
    """Something else in the header: its magic, kind, version, the description of an array."""
    header, arrays = _read(data)
    if rng.random() < 0.5:
        header[rng.choice(sorted(header))] = values.odd(rng)
        return _write(header, arrays)
    return _write(values.change(rng, header), arrays)


def array(rng: Random, data: bytes) -> bytes:
    """Another array under a name that is there."""
    header, arrays = _read(data)
    for _ in range(rng.choice((1, 1, 1, 3))):
        name = rng.choice(sorted(arrays))
        arrays[name] = np.asarray(npy.changed(rng, arrays[name]), order="C")
        header["arrays"][name] = _described(arrays[name])
    return _write(header, arrays)


def names(rng: Random, data: bytes) -> bytes:
    """An array more, one less, one under another name, two that are swapped."""
    header, arrays = _read(data)
    name, other = (rng.choice(sorted(arrays)) for _ in range(2))
    which = rng.randrange(4)
    if which == 0:
        del arrays[name]
    elif which == 1:
        arrays[name], arrays[other] = arrays[other], arrays[name]
    else:
        new = rng.choice((*values.TEXTS[:-1], f"{name}/x", name[:-1], name.upper()))
        new = new if new.isascii() and "\x00" not in new else "new"
        arrays[new] = arrays[name] if which == 2 else arrays.pop(name)
    header["arrays"] = {each: _described(arrays[each]) for each in arrays}
    return _write(header, arrays)


def header_text(rng: Random, data: bytes) -> bytes:
    """Something in the text of the header that is no JSON, or hardly."""
    found = zips.read(data)
    found[0] = found[0][0], values.text(rng, found[0][1])
    return zips.write(found)


OWN = (
    *(meta, meta, meta, meta, array, array, array, names, top, header_text),
    *(zips.inside(*npy.NPY), *zips.ZIP, raw),
)
