"""A network while it is learned: float parameters, weight codes and tensor quantizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.nn.ste import ste_quantize
from aquant_ref.ptq.adaround import dequantized
from aquant_ref.ptq.observers import WeightScale

Array = NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class LearnedTensor:
    """A quantizer while it is learned: scale, bits and, with a border, coefficients (C, 3)."""

    scale: float
    bits: int
    coefficients: Array | None = None

    @property
    def qmax(self) -> int:
        """The largest code, 2^bits - 1."""
        return int(2**self.bits - 1)


@dataclass
class LearnedNetwork:
    """A network on its way to integers: float parameters, weight codes, tensor quantizers."""

    graph: Graph
    parameters: Arrays
    scales: dict[str, WeightScale]
    codes: Arrays
    tensors: dict[str, LearnedTensor]

    def weights(self) -> Arrays:
        """The parameters with every weight replaced by its dequantized codes."""
        weights = {
            f"{name}.weight": dequantized(
                codes, self.scales[name], self.parameters[f"{name}.weight"].dtype
            )
            for name, codes in self.codes.items()
        }
        return {**self.parameters, **weights}

    def quantize(self, name: str, x: Any) -> Any:
        """Fake-quantized tensor `name`; the image and unquantized tensors as they are."""
        tensor = self.tensors.get(name)
        if tensor is None or name == INPUT:  # the image is exactly its codes times its scale
            return x
        if tensor.coefficients is None:
            return ste_quantize(x, tensor.scale, qmax=tensor.qmax)
        return ste_quantize(x, tensor.scale, tensor.coefficients, qmax=tensor.qmax)
