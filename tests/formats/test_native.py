from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.formats.npy import DTYPES

META = {"layers": ["conv1", "fc"], "scale": 0.1, "bits": None, "name": "é"}
ARRAYS: dict[str, np.ndarray] = {
    "fc/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bits": np.array(2, np.uint8),
}

printable = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\")
names = st.text(printable, min_size=1)
numbers = st.sampled_from(sorted(DTYPES)).map(np.dtype)
arrays = npst.arrays(numbers, npst.array_shapes(min_dims=0, min_side=0, max_side=4))
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A good file of kind "weights"."""
    path = tmp_path / "good.npz"
    native.save(path, "weights", meta=META, arrays=ARRAYS)
    return path


def rewrite(path: Path, change: Callable[[dict[str, bytes]], Any], *, compression: int = 0) -> None:
    """Apply `change` to the entries of the zip file, whose own checksums become right again."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def rewrite_header(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Apply `change` to the JSON header of the file."""

    def edit(entries: dict[str, bytes]) -> None:
        header = json.loads(entries["header.json"])
        change(header)
        entries["header.json"] = json.dumps(header).encode()

    rewrite(path, edit)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """The bytes numpy saves, which are a pickle for an array of objects."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def assert_refused(path: Path, reason: str) -> None:
    """`load` says, in one line, that it is this file and that it is for this reason."""
    with pytest.raises(InputError, match=reason) as caught:
        native.load(path, "weights")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


# What is saved comes back


@given(
    meta=st.dictionaries(st.text(), json_values, max_size=4),
    content=st.dictionaries(names, arrays, max_size=3),
)
def test_load_returns_what_was_saved(
    tmp_path_factory: pytest.TempPathFactory, meta: dict[str, Any], content: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("native") / "file.npz"
    native.save(path, "model", meta=meta, arrays=content)
    loaded_meta, loaded = native.load(path, "model")
    assert loaded_meta == meta
    assert list(loaded) == sorted(content)
    for name, array in content.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()  # NaN and -0.0 as well
        assert loaded[name].flags.writeable


def test_numpy_alone_can_read_the_arrays(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["fc/weight"], ARRAYS["fc/weight"])


def test_checksum_can_be_recomputed_from_its_description(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        described = json.loads(archive.read("header.json"))["arrays"]["fc/weight"]
    data = np.arange(6, dtype="<f4").tobytes()
    assert described["sha256"] == hashlib.sha256(b"<f4 [2, 3] " + data).hexdigest()


def test_the_same_content_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    strided = np.arange(12, dtype=">f4").reshape(2, 6)[:, ::2] / 2
    content = {"bits": ARRAYS["bits"], "fc/weight": np.asfortranarray(strided)}
    native.save(again, "weights", meta=dict(reversed(META.items())), arrays=content)
    assert again.read_bytes() == saved.read_bytes()


def test_the_bytes_of_a_file_are_pinned(saved: Path) -> None:
    """On every platform, Python and numpy: a difference here is a new format version."""
    digest = hashlib.sha256(saved.read_bytes()).hexdigest()
    assert digest == "e51d8e35e5f1653cd8155975f589018d3655bf3bc3044301d307c4fef731589f"


# What the format does not have is refused before anything is written


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["text"]),
        np.array([1j]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(2, [("a", "<f4")]),
    ],
    ids=["object", "text", "complex", "date", "record"],
)
def test_save_refuses_a_dtype_that_is_not_a_plain_number(
    tmp_path: Path, array: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(InputError, match="'w' has dtype"):
        native.save(tmp_path / "f.npz", "model", meta={}, arrays={"w": array})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a\\b", "a\nb", "é", "n" * 70_000, 7, None])
def test_save_refuses_an_array_name_that_zip_could_change(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="array name"):
        native.save(tmp_path / "f.npz", "model", meta={}, arrays={name: np.zeros(1)})
    assert list(tmp_path.iterdir()) == []


nested: list[Any] = []
nested.append(nested)
deep: list[Any] = []
for _ in range(100):
    deep = [deep]


@pytest.mark.parametrize(
    "value",
    [float("nan"), np.int64(1), {1: 2}, {"a": {None: 1}}, {(1, 2): 3}, b"a", {1, 2}, nested, deep,
     10**400, "\ud800", {"\udfff": 1}, Path("a"), [" " * (17 << 20)]],
    ids=lambda value: str(type(value)),
)  # fmt: skip
def test_save_refuses_metadata_that_would_not_come_back(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError):
        native.save(tmp_path / "f.npz", "model", meta={"a": value}, arrays={})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"^conv1: stride"):
        native.check_meta(value, "conv1: stride")


def test_save_refuses_what_load_would_find_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = np.broadcast_to(np.zeros(1), (1 << 31,))
    monkeypatch.setattr(native, "_stored", lambda arrays: arrays)
    with pytest.raises(InputError, match="f.npz: would have 17179869184 bytes"):
        native.save(tmp_path / "f.npz", "model", meta={}, arrays={"w": huge})
    assert list(tmp_path.iterdir()) == []


def test_save_and_load_refuse_an_unknown_kind(saved: Path) -> None:
    with pytest.raises(ValueError, match="kind 'weight'"):
        native.save(saved, "weight", meta={}, arrays={})
    with pytest.raises(ValueError, match="kind 'weight'"):
        native.load(saved, "weight")


# A file that is not in order is refused with its name


def test_load_refuses_a_missing_file(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.npz", "no such file")


def test_load_refuses_a_directory(tmp_path: Path) -> None:
    assert_refused(tmp_path, "is a directory")


def test_load_refuses_an_empty_file(saved: Path) -> None:
    saved.write_bytes(b"")
    assert_refused(saved, "is empty")


def test_load_refuses_a_file_that_is_not_a_zip_archive(saved: Path) -> None:
    saved.write_text("weights")
    assert_refused(saved, "not a file of aquant_ref")


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_load_says_which_file_it_wants_in_place_of_one_that_numpy_wrote(
    saved: Path, write: Callable[..., None]
) -> None:
    """Past bug: of the compressed one only that an entry is compressed."""
    write(saved, w=np.zeros(3))
    assert_refused(saved, "is not a weights file of aquant_ref: it has no header.json")


def test_load_refuses_a_file_that_cannot_be_read(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    assert_refused(saved, "cannot be read .Permission denied")


def test_load_refuses_every_truncation(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(len(whole)):
        saved.write_bytes(whole[:length])
        assert_refused(saved, "is truncated|is damaged|is empty|not a file of aquant_ref")


@given(data=st.data())
def test_a_flipped_bit_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("native") / "file.npz"
    native.save(path, "weights", meta=META, arrays=ARRAYS)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        meta, loaded = native.load(path, "weights")
    except InputError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right
    else:
        assert meta == META
        assert {name: array.tolist() for name, array in loaded.items()} == {
            name: array.tolist() for name, array in ARRAYS.items()
        }


def test_load_refuses_another_kind(saved: Path) -> None:
    with pytest.raises(InputError, match="holds a weights file, not a program file"):
        native.load(saved, "program")


def test_load_refuses_a_newer_format_version_before_it_reads_on(saved: Path) -> None:
    def upgrade(header: dict[str, Any]) -> None:
        header.update(version=native.FORMAT_VERSION + 1, arrays="elsewhere")

    rewrite_header(saved, upgrade)
    assert_refused(saved, "newer version of aquant_ref .*upgrade")


@pytest.mark.parametrize(
    "change",
    [
        {"magic": "other"},
        {"version": "1"},
        {"version": 0},
        {"version": True},
        {"meta": []},
        {"arrays": []},
    ],
    ids=str,
)
def test_load_refuses_a_malformed_header(saved: Path, change: dict[str, Any]) -> None:
    rewrite_header(saved, lambda header: header.update(change))
    assert_refused(saved, "header.json is malformed")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}"])
def test_load_refuses_a_header_that_is_not_ours(saved: Path, text: bytes) -> None:
    rewrite(saved, lambda entries: entries.update({"header.json": text}))
    assert_refused(saved, "header.json is malformed")


def test_load_refuses_an_array_without_its_checksum_and_names_it(saved: Path) -> None:
    other = npy(ARRAYS["fc/weight"] + 1)
    rewrite(saved, lambda entries: entries.update({"fc/weight.npy": other}))
    assert_refused(saved, "array 'fc/weight' does not match its checksum")


def test_load_refuses_the_right_bytes_in_another_shape(saved: Path) -> None:
    other = npy(ARRAYS["fc/weight"].reshape(3, 2))
    rewrite(saved, lambda entries: entries.update({"fc/weight.npy": other}))
    assert_refused(saved, "array 'fc/weight' does not match its checksum")


def test_load_refuses_a_missing_array(saved: Path) -> None:
    rewrite(saved, lambda entries: entries.pop("bits.npy"))
    assert_refused(saved, "lacks the entry 'bits.npy'")


def test_load_refuses_an_unexpected_array(saved: Path) -> None:
    rewrite(saved, lambda entries: entries.update({"extra.npy": npy(np.zeros(1))}))
    assert_refused(saved, "unexpected entry 'extra.npy'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_load_refuses_two_entries_of_one_name(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("bits.npy", npy(np.zeros(1)))
    assert_refused(saved, "two entries of one name")


def test_load_never_unpickles(saved: Path) -> None:
    pickled = npy(np.array([Path], dtype=object))
    rewrite(saved, lambda entries: entries.update({"bits.npy": pickled}))
    assert_refused(saved, "array 'bits' holds pickled objects, which are never loaded")


def test_load_refuses_compressed_entries(saved: Path) -> None:
    rewrite(saved, lambda entries: None, compression=zipfile.ZIP_DEFLATED)
    assert_refused(saved, "is compressed")


@pytest.mark.parametrize("shape", [(10**18,), (-6, -1), (7,), (2**62, 4)])
def test_load_refuses_a_shape_that_its_data_does_not_fill(
    saved: Path, shape: tuple[int, ...]
) -> None:
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    claim = stream.getvalue() + bytes(24)
    rewrite(saved, lambda entries: entries.update({"fc/weight.npy": claim}))
    assert_refused(saved, re.escape(f"array 'fc/weight' claims shape {shape}"))


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x02\x00{}"])
def test_load_refuses_an_entry_that_is_not_an_array(saved: Path, data: bytes) -> None:
    rewrite(saved, lambda entries: entries.update({"bits.npy": data}))
    assert_refused(saved, "array 'bits'")


def test_load_refuses_entries_that_share_their_bytes(saved: Path) -> None:
    """Overlapping entries are how a small zip file without compression claims much."""
    with zipfile.ZipFile(saved, "a") as archive:
        first = archive.infolist()[0]
        for number in range(3):
            twin = zipfile.ZipInfo(f"twin{number}.npy")
            for field in ("header_offset", "CRC", "file_size", "compress_size"):
                setattr(twin, field, getattr(first, field))
            archive.filelist.append(twin)
        archive.writestr("last.npy", b"")  # makes zipfile write the table of contents again
    assert_refused(saved, "claim more bytes than the file has")


def test_a_digest_is_that_of_what_is_loaded_again_and_sees_every_change(tmp_path: Path) -> None:
    meta, arrays = {"bits": 2, "shape": (1, 2)}, {"w": np.arange(3.0), "b": np.zeros(2, ">i4")}
    native.save(tmp_path / "a.npz", "model", meta=meta, arrays=arrays)
    digest = native.digest(meta, arrays)
    assert native.digest(*native.load(tmp_path / "a.npz", "model")) == digest
    others = [
        ({**meta, "bits": 3}, arrays),
        (meta, {**arrays, "w": np.array([0, 1, 2.5])}),
        (meta, {"v": arrays["w"], "b": arrays["b"]}),
        (meta, {**arrays, "w": np.arange(3.0)[None]}),
    ]
    assert len({digest, *(native.digest(m, a) for m, a in others)}) == 5
