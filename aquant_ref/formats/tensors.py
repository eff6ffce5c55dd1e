"""Named tensors from elsewhere: `.npz` of numpy, and `.safetensors`.

Both hold data and nothing else. The `.pth` of PyTorch is a pickle, a program that runs when it is
read, so it is refused, with the line that converts it. Nothing is ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.formats.compressed import open_zip, read_entry
from aquant_ref.formats.npy import parse_npy
from aquant_ref.formats.text import parse_json
from aquant_ref.formats.untrusted import MOST_TEXT, open_file

Array = NDArray[Any]

# What wrappers put before every name of a network: of PyTorch's DataParallel, of its compiler, of
# Lightning, and of training programs that keep more than the network.
PREFIXES = ("module.", "_orig_mod.", "model.", "state_dict.")

PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")

# What safetensors calls the dtypes that numpy has as well. BF16 is the upper half of a float32.
DTYPES = {
    "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "I32": "<i4",
    "U32": "<u4", "I64": "<i8", "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The tensors of a `.npz` or `.safetensors` file by their names, half precision as float32.

    A tensor is boolean, integer, float32 or float64, in the byte order of the machine. Raises
    InputError, one line that names the file and, where it is one tensor's fault, the tensor: for a
    missing, foreign or damaged file, a pickle, NaN or infinity, a dtype that is no plain number, or
    a `.safetensors` where the package of that name is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise InputError(
            f"{path}: is a pickle, which can execute code, and is not read; convert it where torch "
            f"is: safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), "
            f"{path.stem + '.safetensors'!r})"
        )
    if suffix not in (".npz", ".safetensors"):
        raise InputError(f"{path}: needs to be a .npz or .safetensors file")
    read = _read_npz if suffix == ".npz" else _read_safetensors
    return read(path)


def without_prefix(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """The tensors under shorter names, and what is left out: one of PREFIXES, or some in a row,
    with which every name begins.

    >>> without_prefix({"module.fc.bias": 1, "module.fc.weight": 2})
    ({'fc.bias': 1, 'fc.weight': 2}, 'module.')
    """
    shared = os.path.commonprefix(list(tensors))
    left_out = ""
    while more := next((p for p in PREFIXES if shared.startswith(left_out + p)), ""):
        left_out += more
    return {name.removeprefix(left_out): array for name, array in tensors.items()}, left_out


def check_tensors(tensors: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError, which names the tensor, unless `tensors` are floats of these shapes."""
    for name in sorted(shapes.keys() ^ tensors.keys()):
        raise InputError(f"tensor {name!r} is {'unexpected' if name in tensors else 'missing'}")
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
        raise InputError(
            f"{path}: needs a package to be read: pip install 'aquant-ref[safetensors]'"
        ) from error
    tensors: dict[str, Array] = {}
    with open_file(path) as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if not start:
            raise InputError("is empty")
        if length > MOST_TEXT:  # and the rest is not read
            raise InputError(f"is damaged or no safetensors file (a header of {length} bytes)")
        header = stream.read(length)
        parse_json(header, "is damaged or no safetensors file; its header")
        try:
            for name, tensor in deserialize(start + header + stream.read()):
                tensors[name] = _from_bytes(name, **tensor)
        except SafetensorError as error:
            raise InputError(f"is damaged or not a safetensors file ({error})") from error
    return tensors


def _from_bytes(name: str, dtype: str, shape: list[int], data: bytes) -> Array:
    if dtype != "BF16" and dtype not in DTYPES:
        raise InputError(f"tensor {name!r} is {dtype}, which numpy does not have")
    try:
        array = np.frombuffer(data, DTYPES.get(dtype, "<u2")).reshape(shape)
    except ValueError as error:  # more axes than numpy has, or a huge one beside one of 0
        raise InputError(f"tensor {name!r} has a shape that numpy does not have") from error
    if dtype == "BF16":
        array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return _plain(name, array)
