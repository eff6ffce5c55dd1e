"""Read named tensors of other programs: numpy's `.npz`, and `.safetensors`.

Both formats hold only data. PyTorch's `.pth` is a pickle, a program that runs when it is read, so
it is refused with a message that says how to convert it. Nothing is ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aquant_ref.checks import check_names
from aquant_ref.errors import InputError, install
from aquant_ref.formats.compressed import open_zip, read_entry
from aquant_ref.formats.npy import parse_npy
from aquant_ref.formats.text import parse_json
from aquant_ref.formats.untrusted import MOST_TEXT, open_file
from aquant_ref.typing import Array

# What wrappers put before every name of a network: PyTorch's DataParallel, its compiler, Lightning,
# and training programs that store more than the network.
PREFIXES = ("module.", "_orig_mod.", "model.", "state_dict.")

PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")

# numpy's dtypes under their names in safetensors. numpy lacks BF16, the upper half of a float32.
DTYPES = {
    "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "I32": "<i4",
    "U32": "<u4", "I64": "<i8", "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the tensors of a `.npz` or `.safetensors` file by name, half precision as float32.

    A tensor is boolean, integer, float32 or float64, in the byte order of the machine. Raises
    InputError, one line that names the file and, if one tensor is at fault, the tensor: for a
    missing, foreign or damaged file, a pickle, NaN, infinity or an unsupported dtype; and for a
    `.safetensors` file if the package of that name is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise InputError(
            f"{path}: is a pickle, which can execute code, and is not read; convert it with torch: "
            f"safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), "
            f"{path.stem + '.safetensors'!r})"
        )
    if suffix not in (".npz", ".safetensors"):
        raise InputError(f"{path}: must be a .npz or .safetensors file")
    read = _read_npz if suffix == ".npz" else _read_safetensors
    return read(path)


def without_prefix(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """Remove the PREFIXES with which every name begins; return the tensors and what was removed.

    >>> without_prefix({"module.fc.bias": 1, "module.fc.weight": 2})
    ({'fc.bias': 1, 'fc.weight': 2}, 'module.')
    """
    shared = os.path.commonprefix(list(tensors))
    removed = ""
    while prefix := next((p for p in PREFIXES if shared.startswith(removed + p)), ""):
        removed += prefix
    return {name.removeprefix(removed): array for name, array in tensors.items()}, removed


def check_tensors(tensors: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError, which names the tensor, unless `tensors` are floats of these `shapes`."""
    check_names("tensor", tensors, shapes)
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise InputError(f"tensor {name!r} has shape {tensors[name].shape}, needs {shape}")
        if tensors[name].dtype.kind != "f":
            raise InputError(f"tensor {name!r} is {tensors[name].dtype}, needs a float dtype")


def _plain(name: str, array: Array) -> Array:
    half = array.dtype.kind == "f" and array.dtype.itemsize == 2
    array = np.asarray(array, np.float32 if half else array.dtype.newbyteorder("="), order="C")
    if not np.isfinite(array).all():
        raise InputError(f"tensor {name!r} holds NaN or infinity")
    return array


def _read_npz(path: Path) -> dict[str, Array]:
    tensors: dict[str, Array] = {}
    with open_zip(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename:
                raise InputError(f"entry {name!r} is not an array")
            data = read_entry(archive, entry)
            try:
                array = parse_npy(data, foreign=True)
            except InputError as error:
                raise InputError(f"tensor {name!r} {error}") from error
            tensors[name] = _plain(name, array)
    return tensors


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise InputError(f"{path}: to read it, {install('safetensors')}") from error
    tensors: dict[str, Array] = {}
    with open_file(path) as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if not start:
            raise InputError("is empty")
        if length > MOST_TEXT:
            raise InputError(f"is damaged or not a safetensors file (a header of {length} bytes)")
        header = stream.read(length)
        parse_json(header, "is damaged or not a safetensors file; its header")
        try:
            for name, tensor in deserialize(start + header + stream.read()):
                tensors[name] = _from_bytes(name, **tensor)
        except SafetensorError as error:
            raise InputError(f"is damaged or not a safetensors file ({error})") from error
    return tensors


def _from_bytes(name: str, dtype: str, shape: list[int], data: bytes) -> Array:
    if dtype != "BF16" and dtype not in DTYPES:
        raise InputError(f"tensor {name!r} has dtype {dtype}, which numpy lacks")
    try:
        array = np.frombuffer(data, DTYPES.get(dtype, "<u2")).reshape(shape)
    except ValueError as error:  # too many axes, or a huge axis beside one of size 0
        raise InputError(f"tensor {name!r} has a shape that numpy cannot represent") from error
    if dtype == "BF16":
        array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return _plain(name, array)
