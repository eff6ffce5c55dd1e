"""Every function that reads a file of ours or of a stranger, with every kind of hostile file."""

from __future__ import annotations

import io
import json
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_models
from aquant_ref.comparison.recording import Recording
from aquant_ref.conformance.report import deviations
from aquant_ref.conformance.vectors import lint
from aquant_ref.conformance.vectors import load as load_vectors
from aquant_ref.data import Images
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.experiments import artifacts, exactness, fraction_bits
from aquant_ref.experiments import table as results
from aquant_ref.formats import measured, native
from aquant_ref.formats.npy import npy_bytes
from aquant_ref.formats.tensors import read_tensors
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.training.train import Recipe, train
from aquant_ref.ptq import checkpoint
from tests.ptq import small

Door = Callable[[Path], Any]


def resume(path: Path) -> None:
    codes = small.images()
    images = Images(codes, np.zeros(len(codes), np.int64), ("a", "b"), "small")
    train(small.graph(), images, Recipe(1, batch=2), seed=0, checkpoint=path)


def linted(path: Path) -> None:
    for line in lint(path.parent, [path.stem]):
        raise InputError(f"{path.parent}/{line.removeprefix(f'{path.parent}/')}")


NPZ: dict[str, Door] = {
    **{f"native {k}": lambda path, k=k: native.load(path, k) for k in native.KINDS},
    **{f"weights of {n}": lambda p, m=m: m.load(p) for n, m in reference_models.MODELS.items()},
    "model": QuantizedModel.load,
    "program": Program.load,
    "recording": Recording.load,
    "training": resume,
    "first pass": lambda path: checkpoint.load(path, None),
    "tensors": read_tensors,
    "saved model": lambda path: artifacts.Saved.load(path.parent),
}
JSON: dict[str, Door] = {
    "table": results.load,
    "cell": results.load_row,
    "exact": exactness.load,
    "fixed-point": fraction_bits.load,
    "object": measured.read_object,
    "vectors": lambda path: load_vectors(path.stem, path.parent),
    "lint": linted,
}
DOORS: dict[str, tuple[str, Door]] = {
    **{name: ("model.npz", door) for name, door in NPZ.items()},
    **{name: ("clip.json", door) for name, door in JSON.items()},
    "deviations": ("deviations.toml", deviations.load),
    "recording of others": ("f.safetensors", Recording.load),
    "weights of others": ("f.safetensors", reference_models.get("resnet18").load),
}


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)  # the name of a socket has at most 107 bytes
        server.bind(path.name)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 100 << 30)


def claiming(header: str) -> bytes:
    """A `.npy` file whose header this is."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def entries(compression: int = zipfile.ZIP_STORED, **contents: bytes | str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


def ours(header: str) -> bytes:
    """A file of ours whose header this is, for every kind of it."""
    return entries(header__json=header.replace("KIND", '"model"'))


def inflating() -> bytes:
    return entries(zipfile.ZIP_DEFLATED, header__json=bytes(80 << 20))


HEAD = '{"magic": "aquant_ref", "version": 1, "kind": KIND, "meta": {}, "arrays": '
DEEP = "[" * 100_000
FILES: dict[str, Callable[[Path], Any]] = {
    "folder": Path.mkdir,
    "pipe": lambda path: os.mkfifo(path),
    "socket": listening,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "sparse": sparse,
}
CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 8,
    "zeros": bytes(1000),
    "text": b"weights, 1, 2",
    "pickle": b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94.",
    "array": npy_bytes(np.zeros(3)),
    "half of a zip": entries(a__npy=npy_bytes(np.zeros(30)))[:200],
    "zip of nothing": entries(),
    "zip of text": entries(a__txt="text"),
    "inflating": inflating(),
    "bzip2": entries(zipfile.ZIP_BZIP2, a__npy=npy_bytes(np.zeros(3))),
    "odd names": entries(**{"../../a__npy": npy_bytes(np.zeros(3)), "a\n\x1b[31m__npy": b"x"}),
    "parentheses": entries(a__npy=claiming("(" * 5000)),
    "half a token": entries(a__npy=claiming("{'descr': '<f4")),
    "indentation": entries(a__npy=claiming("  1\n 2")),
    "huge array": entries(
        a__npy=claiming("{'descr': '<f4', 'fortran_order': False, 'shape': (10**15,)}")
    ),
    "objects": entries(
        a__npy=claiming("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"\x80\x04."
    ),
    "header of noise": ours("\xff\x00"),
    "header of a list": ours("[]"),
    "deep header": ours(HEAD + DEEP),
    "infinite header": ours(HEAD + '{"a": 1e999}}'),
    "header twice": ours(HEAD + '{}, "arrays": {}}'),
    "surrogates": ours(HEAD + r'{"\ud800": 1}}'),
    "array of a list": ours(HEAD + '{"a": [1]}}'),
    "deep": DEEP.encode(),
    "deep object": b'{"format": 1, "rows": ' + DEEP.encode(),
    "long number": b'{"format": 1, "rows": [' + b"9" * 5000 + b"]}",
    "infinite": b'{"format": 1, "rows": [{"key": 1e999}]}',
    "surrogate": rb'{"format": 1, "rows": [{"key": "\ud800"}]}',
    "odd vectors": b'{"format": "aquant-ref vectors 1", "groups": [[1]], "notes": 5}',
    "deep TOML": b"a = " + DEEP.encode(),
    "dots": b"a." * 9000 + b"a = 1",
    "odd TOML": b"deviation = [[1], {}]",
    "long header": (1 << 62).to_bytes(8, "little") + b"{}",
    "deep safetensors": len(DEEP).to_bytes(8, "little") + DEEP.encode(),
    "not UTF-8": b'{"a": "\xff"}',
}


def one_line(path: Path, door: Door) -> None:
    with pytest.raises(InputError) as caught:
        door(path)
    assert str(caught.value).isprintable()
    assert str(path) in str(caught.value)


each_door = pytest.mark.parametrize("door", DOORS)


@each_door
@pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")
def test_what_is_no_regular_file_is_refused_at_once_by_every_reader(
    tmp_path: Path, door: str
) -> None:
    for kind, make in FILES.items():
        name, read = DOORS[door]
        path = tmp_path / kind / name
        path.parent.mkdir()
        make(path)
        one_line(path, read)


@each_door
def test_what_a_stranger_may_have_written_is_one_line_from_every_reader(
    tmp_path: Path, door: str
) -> None:
    name, read = DOORS[door]
    path = tmp_path / name
    for kind, content in CONTENTS.items():
        if (door, kind) not in ACCEPTED:
            path.write_bytes(content)
            one_line(path, read)


# What is hostile to others, and to these is what they read.
ACCEPTED = {
    ("deviations", "nothing"),
    ("tensors", "zip of nothing"),
    ("recording", "zip of nothing"),
    ("object", "odd vectors"),
}


@each_door
def test_a_missing_file_is_named_by_every_reader(tmp_path: Path, door: str) -> None:
    name, read = DOORS[door]
    if door in ("table", "exact", "fixed-point", "training"):
        return  # which begin then
    one_line(tmp_path / name, read)


def test_the_hostile_files_are_as_hostile_as_they_say() -> None:
    assert len(CONTENTS["inflating"]) < 200_000
    assert json.loads(CONTENTS["infinite"])["rows"][0]["key"] == float("inf")
