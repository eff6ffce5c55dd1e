"""A learned network as a file, so that several second passes can start from one first pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.model.quantizers import QuantizedLayer
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor
from aquant_ref.ptq.observers import WeightScale, check_single

Array = NDArray[Any]


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
    """Read what `save` wrote into `network`, as `pipeline.observe` makes it; returns the meta.

    Raises InputError, which names the file, if it is damaged or of another network, which then
    stays as it was.
    """
    meta, arrays = native.load(path, "checkpoint")
    try:
        bits, numbers = dict(meta["bits"]), dict(meta["tensors"])
        for given, own in ((bits, network.scales), (numbers, network.tensors)):
            for name in sorted(given.keys() ^ own.keys()):
                raise ValueError(f"{name} is {'unexpected' if name in given else 'missing'}")
        layers = {name: _layer(name, network, arrays, each) for name, each in bits.items()}
        tensors = {name: _tensor(name, network, arrays, each) for name, each in numbers.items()}
        if arrays:
            raise ValueError(f"nothing has the array {min(arrays)!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not the first pass of a network ({error})") from error
    for name, (scale, codes) in layers.items():
        network.scales[name], network.codes[name] = scale, codes
    network.tensors.update(tensors)
    return meta


def _layer(
    name: str, network: LearnedNetwork, arrays: dict[str, Array], bits: Any
) -> tuple[WeightScale, Array]:
    """The scale and the codes of a layer, taken out of `arrays`; raises KeyError or ValueError."""
    codes, scale, zero_point = (
        arrays.pop(f"{part}/{name}") for part in ("codes", "scale", "zero_point")
    )
    _check_bits(name, bits, network.scales[name].bits)
    QuantizedLayer(codes, zero_point, bits, scale, scale).check(network.codes[name].shape)
    found = WeightScale(scale, zero_point, bits)
    _check_scale(name, scale, found.qmax)
    return found, codes


def _tensor(
    name: str, network: LearnedNetwork, arrays: dict[str, Array], numbers: Any
) -> LearnedTensor:
    """The quantizer of a tensor; `numbers` are its bits and zero point."""
    bits, zero_point = numbers
    stored = arrays.pop(f"tensor/{name}")
    own = network.tensors[name]
    _check_bits(name, bits, own.bits)
    if type(zero_point) is not int or not 0 <= zero_point <= own.qmax:
        raise ValueError(f"{name}: zero point {zero_point} is no code of {bits} bits")
    if stored.shape != () or stored.dtype != np.float64 or not stored > 0:
        raise ValueError(f"{name}: its scale is not a float64 above 0")
    _check_scale(name, stored, own.qmax)
    return replace(own, scale=float(stored), bits=bits, zero_point=zero_point)


def _check_bits(name: str, bits: Any, needed: int) -> None:
    if type(bits) is not int or bits != needed:
        raise ValueError(f"{name}: has {bits!r} bits, needs {needed}")


def _check_scale(name: str, scale: Array, qmax: int) -> None:
    """Neither the scale nor what it makes of the largest code is beyond float32."""
    check_single(name, scale)
    check_single(name, scale * qmax)
