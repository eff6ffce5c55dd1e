"""Save and load a network after its first pass, so that several second passes can start from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.model.quantizers import QuantizedLayer
from aquant_ref.ptq.observers import WeightScale, check_single
from aquant_ref.typing import Array, Codes, Reals

if TYPE_CHECKING:
    from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor


def save(path: Path, network: LearnedNetwork, meta: dict[str, Any]) -> None:
    """Write weight codes, scales and tensor quantizers, the results of a first pass.

    Raise ValueError for a network with borders or learned biases, the results of later stages.
    """
    if network.biases or network.windows:
        raise ValueError("checkpoint: stores the result of a first pass only")
    arrays: dict[str, Any] = {}
    for name, scale in network.scales.items():
        arrays[f"codes/{name}"] = network.codes[name]
        arrays[f"scale/{name}"] = scale.scale
        arrays[f"zero_point/{name}"] = scale.zero_point
    tensors = {}
    for name, tensor in network.tensors.items():
        if tensor.coefficients is not None:
            raise ValueError("checkpoint: stores the result of a first pass only")
        arrays[f"tensor/{name}"] = np.asarray(tensor.scale, np.float64)
        tensors[name] = [tensor.bits, tensor.zero_point]
    bits = {name: scale.bits for name, scale in network.scales.items()}
    native.save(path, "checkpoint", meta={**meta, "bits": bits, "tensors": tensors}, arrays=arrays)


def load(path: Path, network: LearnedNetwork) -> dict[str, Any]:
    """Read a checkpoint into `network`, the result of `pipeline.observe`; return its metadata.

    Raise InputError, which names the file, if the file is damaged or belongs to another network;
    `network` then stays unchanged.
    """
    meta, arrays = native.load(path, "checkpoint")
    try:
        bits, numbers = dict(meta["bits"]), dict(meta["tensors"])
        for stored, expected in ((bits, network.scales), (numbers, network.tensors)):
            for name in sorted(stored.keys() ^ expected.keys()):
                raise ValueError(f"{name} is {'unexpected' if name in stored else 'missing'}")
        layers = {name: _layer(name, network, arrays, each) for name, each in bits.items()}
        tensors = {name: _tensor(name, network, arrays, each) for name, each in numbers.items()}
        if arrays:
            raise ValueError(f"array {min(arrays)!r} belongs to no layer or tensor")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not the first pass of a network ({error})") from error
    for name, (scale, codes) in layers.items():
        network.scales[name], network.codes[name] = scale, codes
    network.tensors.update(tensors)
    return meta


def _layer(
    name: str, network: LearnedNetwork, arrays: dict[str, Array], bits: Any
) -> tuple[WeightScale, Codes]:
    """Take scale and codes of a layer out of `arrays`; raise KeyError or ValueError."""
    codes, scale, zero_point = (
        arrays.pop(f"{kind}/{name}") for kind in ("codes", "scale", "zero_point")
    )
    _check_bits(name, bits, network.scales[name].bits)
    QuantizedLayer(codes, zero_point, bits, scale, scale).check(network.codes[name].shape)
    weight_scale = WeightScale(scale, zero_point, bits)
    _check_scale(name, scale, weight_scale.qmax)
    return weight_scale, codes


def _tensor(
    name: str, network: LearnedNetwork, arrays: dict[str, Array], numbers: Any
) -> LearnedTensor:
    """Take the quantizer of a tensor out of `arrays`; `numbers` are its bits and zero point."""
    bits, zero_point = numbers
    stored = arrays.pop(f"tensor/{name}")
    tensor = network.tensors[name]
    _check_bits(name, bits, tensor.bits)
    if type(zero_point) is not int or not 0 <= zero_point <= tensor.qmax:
        raise ValueError(f"{name}: zero point {zero_point} is not a code of {bits} bits")
    if stored.shape != () or stored.dtype != np.float64 or not stored > 0:
        raise ValueError(f"{name}: the scale is not a float64 above 0")
    _check_scale(name, stored, tensor.qmax)
    return replace(tensor, scale=float(stored), bits=bits, zero_point=zero_point)


def _check_bits(name: str, bits: Any, needed: int) -> None:
    if type(bits) is not int or bits != needed:
        raise ValueError(f"{name}: has {bits!r} bits, needs {needed}")


def _check_scale(name: str, scale: Reals, qmax: int) -> None:
    """Raise InputError unless the scale, and its product with the largest code, fit float32."""
    check_single(name, scale)
    check_single(name, scale * qmax)
