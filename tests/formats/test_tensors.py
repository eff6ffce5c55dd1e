from __future__ import annotations

import io
import os
import re
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from aquant_ref.errors import InputError
from aquant_ref.formats.tensors import DTYPES, check_tensors, read_tensors

TENSORS = {
    "conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 7,
    "bn1.num_batches_tracked": np.array(5, np.int64),
    "fc.bias": np.array([0.5, -0.0], np.float64),
}
both = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])


def write(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """The tensors in the format that the file's name says."""
    if path.suffix == ".npz":
        np.savez(path, **tensors)
    else:
        save_file(tensors, path)
    return path


def refusal(path: Path) -> str:
    """Why `read_tensors` refuses the file: one line, without the file's name before it."""
    with pytest.raises(InputError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def npy(array: np.ndarray, **options: Any) -> bytes:
    """The bytes that numpy saves."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def write_entries(path: Path, entries: dict[str, bytes], compression: int = 0) -> Path:
    """A zip archive of just these entries."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def write_safetensors(path: Path, header: str, data: bytes) -> Path:
    """A `.safetensors` file written by hand: length of the header, header, bytes."""
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + data)
    return path


# What is in the file comes back


@both
def test_tensors_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    loaded = read_tensors(write(tmp_path / f"f{suffix}", TENSORS))
    assert loaded.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()


def test_a_compressed_npz_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez_compressed(path, **TENSORS)
    loaded = read_tensors(path)
    assert {n: a.tolist() for n, a in loaded.items()} == {n: a.tolist() for n, a in TENSORS.items()}


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_an_npz_in_another_order_of_bytes_and_axes_is_read(
    tmp_path: Path, version: tuple[int, int]
) -> None:
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    path = write_entries(tmp_path / "f.npz", {"w.npy": npy(array, version=version)})
    loaded = read_tensors(path)["w"]
    assert loaded.dtype == np.dtype(np.float32)
    assert loaded.flags.c_contiguous
    assert loaded.tolist() == array.tolist()


@both
def test_half_precision_becomes_float32(tmp_path: Path, suffix: str) -> None:
    half = np.array([1.5, -6e-8, 65504], np.float16)
    loaded = read_tensors(write(tmp_path / f"f{suffix}", {"w": half}))["w"]
    assert loaded.dtype == np.dtype(np.float32)
    assert loaded.tolist() == half.astype(np.float32).tolist()


def test_a_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path) -> None:
    values = np.array([[1.0, -2.5], [3.140625, 2.0**-120]], np.float32)  # all have 8 digits
    header = '{"w":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}'
    data = (values.view(np.uint32) >> np.uint32(16)).astype("<u2").tobytes()
    loaded = read_tensors(write_safetensors(tmp_path / "f.safetensors", header, data))["w"]
    assert loaded.dtype == np.dtype(np.float32)
    assert loaded.tolist() == values.tolist()


@pytest.mark.parametrize(("name", "dtype"), DTYPES.items())
def test_every_dtype_of_numpy_has_its_name_in_safetensors(
    tmp_path: Path, name: str, dtype: str
) -> None:
    array = np.array([0, 1], dtype)
    path = tmp_path / "f.safetensors"
    path.write_bytes(save({"w": array}))
    assert f'"{name}"'.encode() in path.read_bytes()
    assert read_tensors(path)["w"].tolist() == array.tolist()


# What is not in order is refused by name


@pytest.mark.parametrize("name", ["resnet18.pth", "model.PT", "pytorch_model.bin"])
def test_a_pickle_is_refused_unread_with_the_line_that_converts_it(
    tmp_path: Path, name: str
) -> None:
    reason = refusal(tmp_path / name)  # which is not there: nothing was read
    assert "pickle, which can execute code" in reason
    assert f"safetensors.torch.save_file(torch.load('{name}', weights_only=True)" in reason


@pytest.mark.parametrize("name", ["f", "f.onnx", "f.npy"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name) == "must be a .npz or .safetensors file"


@both
def test_a_file_that_is_missing_or_empty_or_a_directory_is_refused(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"f{suffix}"
    assert refusal(path) == "no such file"
    path.touch()
    assert refusal(path) == "is empty"
    path.unlink()
    path.mkdir()
    assert refusal(path) == "is a directory, not a file"


def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "f.safetensors", TENSORS)

    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    assert refusal(path) == "cannot be read (Permission denied)"


@both
def test_a_file_of_something_else_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f{suffix}"
    path.write_text("weights, 1, 2, 3")
    assert "is damaged" in refusal(path)


@both
def test_every_truncation_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"f{suffix}", TENSORS)
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert "is damaged" in refusal(path)


@both
@given(data=st.data())
def test_a_flipped_bit_gives_tensors_or_a_refusal_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    """A safetensors file has no checksum: there it may give other tensors."""
    path = write(tmp_path_factory.mktemp("tensors") / f"f{suffix}", TENSORS)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        loaded = read_tensors(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert all(np.isfinite(array).all() for array in loaded.values())


@both
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite_is_refused_by_name(
    tmp_path: Path, suffix: str, value: float
) -> None:
    path = write(tmp_path / f"f{suffix}", {**TENSORS, "fc.bias": np.array([0, value], np.float16)})
    assert refusal(path) == "tensor 'fc.bias' holds NaN or infinity"


@pytest.mark.parametrize(
    "array", [np.array(["text"]), np.array([1j]), np.zeros(2, [("a", "<f4")]), np.zeros(1, "M8[D]")]
)
def test_a_tensor_that_is_no_number_is_refused_by_name(tmp_path: Path, array: np.ndarray) -> None:
    assert "tensor 'w' has dtype " in refusal(write(tmp_path / "f.npz", {"w": array}))


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_a_dtype_that_numpy_does_not_have_is_refused_by_name(tmp_path: Path, dtype: str) -> None:
    header = f'{{"w":{{"dtype":"{dtype}","shape":[2],"data_offsets":[0,2]}}}}'
    path = write_safetensors(tmp_path / "f.safetensors", header, b"ab")
    # an early version of the package does not have it either
    assert re.match(
        f"tensor 'w' has dtype {dtype}|is damaged or not a safetensors file", refusal(path)
    )


def test_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    path = write(tmp_path / "f.npz", {"w": np.array([Path], dtype=object)})
    assert refusal(path) == "tensor 'w' holds pickled objects, which are never loaded"


def test_a_pickle_under_another_name_is_refused(tmp_path: Path) -> None:
    """Such a zip archive is what torch writes."""
    path = write_entries(tmp_path / "f.npz", {"archive/data.pkl": b"\x80\x02}q\x00."})
    assert refusal(path) == "entry 'archive/data.pkl' is not an array"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "f.npz", TENSORS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("fc.bias.npy", npy(np.zeros(1)))
    assert refusal(path) == "holds two entries of one name, 'fc.bias.npy'"


@pytest.mark.parametrize("shape", [(10**18,), (-6, -1), (7,), (2**62, 4)])
def test_a_shape_that_its_data_does_not_fill_is_refused(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    path = write_entries(tmp_path / "f.npz", {"w.npy": stream.getvalue() + bytes(24)})
    assert f"tensor 'w' claims shape {shape}" in refusal(path)
    text = f'{{"w":{{"dtype":"F32","shape":{list(shape)},"data_offsets":[0,24]}}}}'
    assert "is damaged" in refusal(write_safetensors(tmp_path / "f.safetensors", text, bytes(24)))


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x02\x00{}", b"\x80\x02."])
def test_an_entry_that_is_not_an_array_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "tensor 'w'" in refusal(write_entries(tmp_path / "f.npz", {"w.npy": data}))


def test_advice_of_numpy_does_not_make_a_second_line(tmp_path: Path) -> None:
    stream = io.BytesIO()
    names = [(f"field{number}", "<f4") for number in range(1000)]
    np.lib.format.write_array(stream, np.zeros(1, names))
    assert "tensor 'w'" in refusal(write_entries(tmp_path / "f.npz", {"w.npy": stream.getvalue()}))


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "f.safetensors", TENSORS)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert "pip install 'aquant-ref[safetensors]'" in refusal(path)
    assert read_tensors(write(tmp_path / "f.npz", TENSORS)).keys() == TENSORS.keys()


@pytest.mark.parametrize(
    "header",
    [
        "[" * 5000,
        '{"w":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}',
        '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}}',
        '{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}',
        '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
        '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,999999999999]}}',
        '{"w":{"dtype":"F32","shape":[0,4611686018427387904,8],"data_offsets":[0,0]}}',
        '{"w":{"dtype":"F32","shape":[%s2],"data_offsets":[0,8]}}' % ("1," * 99),
        '{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        '"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        '{"w":7}',
        r'{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        "[]",
    ],
)
def test_a_header_of_safetensors_that_lies_is_refused(tmp_path: Path, header: str) -> None:
    refusal(write_safetensors(tmp_path / "f.safetensors", header, bytes(8)))


def test_a_header_of_safetensors_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    path.write_bytes(struct.pack("<Q", 3 << 30))
    os.truncate(path, 4 << 30)
    assert "is damaged or not a safetensors file (a header of" in refusal(path)


# Names and shapes


def test_tensors_of_the_right_names_and_shapes_pass() -> None:
    check_tensors({"w": np.zeros((2, 3)), "b": np.zeros(2)}, {"b": (2,), "w": (2, 3)})


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({}, "tensor 'w' is missing"),
        ({"w": np.zeros((2, 3)), "v": np.zeros(2)}, "tensor 'v' is unexpected"),
        ({"w": np.zeros((3, 2))}, "tensor 'w' has shape (3, 2), needs (2, 3)"),
        ({"w": np.zeros((2, 3), np.int64)}, "tensor 'w' is int64, needs a float dtype"),
    ],
)
def test_other_names_shapes_and_dtypes_are_refused_by_name(
    tensors: dict[str, np.ndarray], reason: str
) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(reason)}$"):
        check_tensors(tensors, {"w": (2, 3)})
