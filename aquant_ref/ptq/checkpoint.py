"""A learned network as a file, so that several second passes can start from one first pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.observers import WeightScale


def save(path: Path, network: LearnedNetwork, meta: dict[str, Any]) -> None:
    """Write weight codes, scales and tensor quantizers; what a first pass learns.

    Raises ValueError for a network with borders or learned biases, which only later stages make.
    """
    if network.biases or network.windows:
        raise ValueError("checkpoint: holds the result of a first pass alone")
    arrays: dict[str, Any] = {}
    for name, scale in network.scales.items():
        arrays[f"codes/{name}"] = network.codes[name]
        arrays[f"scale/{name}"] = scale.scale
        arrays[f"zero_point/{name}"] = scale.zero_point
    tensors = {}
    for name, tensor in network.tensors.items():
        if tensor.coefficients is not None:
            raise ValueError("checkpoint: holds the result of a first pass alone")
        arrays[f"tensor/{name}"] = np.asarray(tensor.scale, np.float64)
        tensors[name] = [tensor.bits, tensor.zero_point]
    bits = {name: scale.bits for name, scale in network.scales.items()}
    native.save(path, "checkpoint", meta={**meta, "bits": bits, "tensors": tensors}, arrays=arrays)


def load(path: Path, network: LearnedNetwork) -> dict[str, Any]:
    """Read what `save` wrote into `network`, as `methods.observe` makes it; returns the meta.

    Raises InputError, which names the file, if it is damaged or of another network.
    """
    meta, arrays = native.load(path, "checkpoint")
    try:
        for name, bits in meta["bits"].items():
            network.scales[name] = WeightScale(
                arrays[f"scale/{name}"], arrays[f"zero_point/{name}"], bits
            )
            network.codes[name] = arrays[f"codes/{name}"]
        for name, (bits, zero_point) in meta["tensors"].items():
            scale = float(arrays[f"tensor/{name}"])
            network.tensors[name] = replace(
                network.tensors[name], scale=scale, bits=bits, zero_point=zero_point
            )
    except KeyError as error:
        raise InputError(f"{path}: is not the first pass of a network ({error})") from error
    return meta
