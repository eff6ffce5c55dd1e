"""A quantized network: the folded graph with integer weights and the quantizers of its tensors.

What the numbers mean (the ideal semantics, SPEC.md AQ-IDEAL) is exact: every float here is a dyadic
rational. A layer reads codes x and gives, in output channel o,

    unit[o] * sum of (weight code - zero point) * x  +  bias[o],

a quantized tensor turns a real value r into a code by comparing t = r/scale with its crossings.
So `unit` is a parameter and the scale of the weights, unit/scale of the input, is derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.nn.operations import Node
from aquant_ref.nn.windows import pair

Array = NDArray[Any]

PASSES_CODES = ("flatten", "max_pool")  # ops that move codes and leave scale and quantizer alone


@dataclass(frozen=True)
class QuantizedLayer:
    """A convolution or linear layer: codes (O, ...) of `bits` bits, unsigned, 0..2^bits - 1.

    `zero_point` (O,) int32, `unit` (O,) and `bias` (O,) float64.
    """

    codes: Array
    zero_point: Array
    bits: int
    unit: Array
    bias: Array

    def integers(self) -> Array:
        """The weights as the integers that meet the input's codes: codes - zero_point, int32."""
        zero_point = self.zero_point.reshape(-1, *(1,) * (self.codes.ndim - 1))
        return self.codes.astype(np.int32) - zero_point.astype(np.int32)


@dataclass(frozen=True)
class QuantizedTensor:
    """The quantizer of a tensor: codes 0..2^bits - 1 of value scale*code (AQ-BORDER).

    `crossings` (C or 1, 2^bits - 1) float64: t = r/scale goes from code k to k + 1 where it reaches
    crossings[c, k], which is in (k, k + 1].
    """

    scale: float
    bits: int
    crossings: Array


@dataclass(frozen=True)
class QuantizedGraph:
    """`graph` has no batch norm; `layers` and `tensors` are by node name, the image among the
    latter.

    `source` says how it was made: plain JSON values, stored in the file.
    """

    graph: Graph
    layers: Mapping[str, QuantizedLayer]
    tensors: Mapping[str, QuantizedTensor]
    source: Mapping[str, Any] = field(default_factory=dict)

    def code_source(self, name: str) -> str:
        """The quantized tensor whose scale the codes of tensor `name` have; raises ValueError."""
        if name in self.tensors:
            return name
        node = self.graph.node(name)
        if node.op not in PASSES_CODES:
            raise ValueError(f"{name}: is read as codes but has no quantizer")
        return self.code_source(node.inputs[0])

    def input_scale(self, layer: str) -> float:
        """The scale of the codes that `layer` reads."""
        return self.tensors[self.code_source(self.graph.node(layer).inputs[0])].scale

    def weight_scale(self, layer: str) -> Array:
        """Unit / input scale, (O,) float64: what one step of a weight code is worth, to half an
        ulp.
        """
        return np.asarray(self.layers[layer].unit / self.input_scale(layer))

    def plain(self) -> list[dict[str, Any]]:
        """The model in plain Python, every number exact, as `oracle.network` reads it."""

        def exact(values: Array) -> list[Fraction]:
            return [Fraction(v) for v in values.tolist()]

        nodes: list[dict[str, Any]] = [
            {"name": INPUT, "op": "image", "scale": Fraction(self.tensors[INPUT].scale)}
        ]
        for node in self.graph.nodes:
            plain: dict[str, Any] = {"name": node.name, "op": node.op, "inputs": node.inputs}
            attributes = {**node.attributes, "groups": node.attributes.get("groups", 1)}
            default = {"stride": attributes.get("kernel", 1) if node.op == "max_pool" else 1}
            for key in ("kernel", "stride", "padding"):
                plain[key] = pair(attributes.get(key, default.get(key, 0)))
            plain["groups"] = attributes["groups"]
            if node.name in self.layers:
                layer = self.layers[node.name]
                plain["weight"] = layer.integers().tolist()
                plain["unit"], plain["bias"] = exact(layer.unit), exact(layer.bias)
                plain["input_scale"] = Fraction(self.input_scale(node.name))
            if node.name in self.tensors:
                tensor = self.tensors[node.name]
                channels = self.graph.shapes[node.name][0]
                rows = np.broadcast_to(tensor.crossings, (channels, tensor.crossings.shape[1]))
                plain["scale"] = Fraction(tensor.scale)
                plain["crossings"] = [exact(row) for row in rows]
            nodes.append(plain)
        return nodes

    def save(self, path: str | Path) -> None:
        """Write the model file; raises InputError if `path` cannot be written."""
        meta = {
            "input_shape": list(self.graph.shapes[INPUT]),
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op,
                    "inputs": list(node.inputs),
                    "block": node.block,
                    "attributes": dict(node.attributes),
                }
                for node in self.graph.nodes
            ],
            "layer_bits": {name: layer.bits for name, layer in self.layers.items()},
            "tensor_bits": {name: tensor.bits for name, tensor in self.tensors.items()},
            "source": dict(self.source),
        }
        arrays: dict[str, Array] = {}
        for name, layer in self.layers.items():
            for part in ("codes", "zero_point", "unit", "bias"):
                arrays[f"layers/{name}/{part}"] = getattr(layer, part)
        for name, tensor in self.tensors.items():
            arrays[f"tensors/{name}/scale"] = np.asarray(tensor.scale, np.float64)
            arrays[f"tensors/{name}/crossings"] = tensor.crossings
        native.save(path, "model", meta=meta, arrays=arrays)

    @classmethod
    def load(cls, path: str | Path) -> QuantizedGraph:
        """Read what `save` wrote; raises InputError, which names the file."""
        meta, arrays = native.load(path, "model")
        try:
            nodes = [Node(**{**node, "inputs": tuple(node["inputs"])}) for node in meta["nodes"]]
            graph = Graph(tuple(meta["input_shape"]), nodes)
            layers = {
                name: QuantizedLayer(
                    bits=bits,
                    **{
                        part: arrays[f"layers/{name}/{part}"]
                        for part in ("codes", "zero_point", "unit", "bias")
                    },
                )
                for name, bits in meta["layer_bits"].items()
            }
            tensors = {
                name: QuantizedTensor(
                    float(arrays[f"tensors/{name}/scale"]),
                    bits,
                    arrays[f"tensors/{name}/crossings"],
                )
                for name, bits in meta["tensor_bits"].items()
            }
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: is not a quantized model ({error})") from error
        return cls(graph, layers, tensors, meta["source"])
