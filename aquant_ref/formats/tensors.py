"""Named tensors from elsewhere: `.npz` of numpy, and `.safetensors`.

Both hold data and nothing else. The `.pth` of PyTorch is a pickle, a program that runs when it is
read, so it is refused, with the line that converts it. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError

Array = NDArray[Any]

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
    try:
        return {name: _plain(name, array) for name, array in _read(path).items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error.__cause__
    except MemoryError as error:
        raise InputError(f"{path}: is damaged (it claims more than fits the memory)") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def check_tensors(tensors: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError, which names the tensor, unless `tensors` are floats of these shapes."""
    for name in sorted(shapes.keys() ^ tensors.keys()):
        raise InputError(f"tensor {name!r} is {'unexpected' if name in tensors else 'missing'}")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise InputError(f"tensor {name!r} has shape {tensors[name].shape}, needs {shape}")
        if tensors[name].dtype.kind != "f":
            raise InputError(f"tensor {name!r} is {tensors[name].dtype}, needs a float dtype")


def _read(path: Path) -> dict[str, Array]:
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise InputError(
            "is a pickle, which can execute code, and is not read; convert it where torch is: "
            f"safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), "
            f"{path.stem + '.safetensors'!r})"
        )
    if suffix not in (".npz", ".safetensors"):
        raise InputError("needs to be a .npz or .safetensors file")
    if not path.exists():
        raise InputError("no such file")
    if path.is_dir():
        raise InputError("is a directory, not a file")
    if not path.stat().st_size:
        raise InputError("is empty")
    return _read_npz(path) if suffix == ".npz" else _read_safetensors(path)


def _plain(name: str, array: Array) -> Array:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise InputError(f"tensor {name!r} is {array.dtype}, which is not a plain number")
    half = array.dtype.kind == "f" and array.dtype.itemsize == 2
    array = np.asarray(array, np.float32 if half else array.dtype.newbyteorder("="), order="C")
    if not np.isfinite(array).all():
        raise InputError(f"tensor {name!r} holds NaN or infinity")
    return array


def _read_npz(path: Path) -> dict[str, Array]:
    """The entries as stored. Each is unpacked first and parsed then, so that no claim of a header
    goes unchecked.
    """
    tensors: dict[str, Array] = {}
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("it is not a whole zip archive")
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name == entry.filename:
                    raise InputError(f"entry {name!r} is not an array")
                if name in tensors:
                    raise InputError(f"holds two tensors called {name!r}")
                tensors[name] = _parse_npy(name, archive.read(entry))
    except (zipfile.BadZipFile, EOFError, RuntimeError, UnicodeError) as error:
        raise InputError(f"is damaged ({error or 'it ends too soon'})") from error
    except (zlib.error, lzma.LZMAError) as error:
        raise InputError(f"is damaged ({error})") from error
    return tensors


def _parse_npy(name: str, data: bytes) -> Array:
    try:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        reason = str(error).partition("\n")[0]  # numpy may go on with advice
        raise InputError(f"tensor {name!r} is damaged or no plain array ({reason})") from error


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise InputError(
            "needs a package to be read: pip install 'aquant-ref[safetensors]'"
        ) from error
    try:
        stored = deserialize(path.read_bytes())
    except SafetensorError as error:
        raise InputError(f"is damaged or not a safetensors file ({error})") from error
    return {name: _from_bytes(name, **tensor) for name, tensor in stored}


def _from_bytes(name: str, dtype: str, shape: list[int], data: bytes) -> Array:
    if dtype == "BF16":
        halves = np.frombuffer(data, "<u2").astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32).reshape(shape)
    if dtype not in DTYPES:
        raise InputError(f"tensor {name!r} is {dtype}, which numpy does not have")
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)
