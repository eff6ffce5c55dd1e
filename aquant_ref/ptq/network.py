"""Hold a network during learning: float parameters, weight codes, tensor and window quantizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval

from aquant_ref.model.quantized_model import PASSES_CODES, stored_as
from aquant_ref.nn.feedback import Feedback
from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.nn.operations import OPERATIONS, Node
from aquant_ref.nn.straight_through import CodeRange, ste_quantize
from aquant_ref.nn.window_border import bordered_conv2d
from aquant_ref.nn.windows import geometry_of, pair
from aquant_ref.ptq.adaround import dequantized
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS
from aquant_ref.ptq.placement import boundary_layers
from aquant_ref.quant.window import WideCodes
from aquant_ref.typing import Codes, Mask, Reals

if TYPE_CHECKING:
    from aquant_ref.ptq.observers import WeightScale

Arrays = dict[str, Reals]
Keep = Callable[[tuple[int, ...]], Mask]


@dataclass(frozen=True)
class LearnedTensor:
    """Hold a quantizer during learning: codes 0..2^bits - 1 mean scale*(code - zero_point).

    `coefficients` (C or 1, 3) and `squash` define its border; None means nearest. `signed` says how
    codes will be stored; learning always counts them from 0 (AQ-AFFINE-5). `wide` says what wide
    codes hold where readers feed errors back (AQ-FEEDBACK-3).
    """

    scale: float
    bits: int
    zero_point: int = 0
    coefficients: Reals | None = None
    squash: str = "sigmoid"
    signed: bool = False
    wide: WideCodes | None = None

    @property
    def qmax(self) -> int:
        """Return the largest code, 2^bits - 1."""
        return int(2**self.bits - 1)


@dataclass(frozen=True)
class LearnedWindow:
    """Hold the border of a convolution that rounds anew in every window: AQ-WINDOW, AQ-FEEDBACK.

    `coefficients` and `fusion` are (R, C or 1, 3): one border per row or channel of its im2col
    matrix, or one in all. `feedback` counts directions, 0 switches it off; `errors` are those of
    `BorderSpec`.
    """

    coefficients: Reals
    fusion: Reals | None = None
    squash: str = "sigmoid"
    feedback: int = 0
    errors: str = "clipping"


@dataclass
class LearnedNetwork:
    """Hold everything that learning changes in a network.

    `scales` and `codes` describe the quantized weights. `biases` replace float biases. `tensors`
    are the quantizers of stored tensors, `windows` the borders of convolutions that round their
    own input.
    """

    graph: Graph
    parameters: Arrays
    scales: dict[str, WeightScale]
    codes: dict[str, Codes]
    tensors: dict[str, LearnedTensor]
    biases: Arrays = field(default_factory=dict)
    windows: dict[str, LearnedWindow] = field(default_factory=dict)

    def weights(self) -> Arrays:
        """Return the parameters with all quantized weights and learned biases in place."""
        weights = {
            f"{name}.weight": dequantized(
                codes, self.scales[name], self.parameters[f"{name}.weight"].dtype
            )
            for name, codes in self.codes.items()
        }
        biases = {f"{name}.bias": bias for name, bias in self.biases.items()}
        return {**self.parameters, **weights, **biases}

    def source(self, name: str) -> str | None:
        """Return the tensor whose quantizer produced the values of `name`; None for real values."""
        return stored_as(self.graph, self.tensors, name)

    def inner_convolutions(self) -> list[Node]:
        """Return the convolutions that may round in windows: those inside that read codes."""
        boundary = boundary_layers(self.graph)
        return [
            node
            for node in self.graph.nodes
            if node.op == "conv2d"
            and node.name not in boundary
            and self.source(node.inputs[0]) not in (None, INPUT)
        ]

    def read_in_windows(self) -> frozenset[str]:
        """Return the tensors that convolutions in `windows` read; their readers round them."""
        sources = (self.source(self.graph.node(name).inputs[0]) for name in self.windows)
        return frozenset(name for name in sources if name is not None)


@lru_cache
def membership(rows: int, members: int) -> Reals:
    """Return the matrix (rows, members) that is 1 where a row belongs to a member, 0 elsewhere."""
    return np.repeat(np.eye(members, dtype=np.float32), rows // members, axis=0)


def every_row(coefficients: Any, rows: int) -> Any:
    """Expand coefficients of rows, channels or the whole to `rows` rows, traced by autograd."""
    if len(coefficients) == rows:
        return coefficients
    return anp.dot(membership(rows, len(coefficients)), coefficients)


class Quantizers:
    """Quantize a network in floating point: the tensors that it stores, and those that nodes read.

    `variables` replace values of the network under the names "scale/<tensor>", "border/<tensor>",
    "window/<convolution>" and "fusion/<convolution>". `keep` draws the elements that stay quantized
    (QDrop). `mask` is that of `nn.straight_through.CodeRange`.
    """

    def __init__(
        self,
        network: LearnedNetwork,
        variables: Mapping[str, Any] | None = None,
        *,
        keep: Keep | None = None,
        mask: str = "rounded",
    ) -> None:
        self.network, self.variables = network, variables or {}
        self.keep, self.mask = keep, mask
        self._windowed = network.read_in_windows()

    def store(self, name: str, x: Any) -> Any:
        """Return tensor `name` as it is stored: rounded, unless its readers round it.

        The image is not rounded, because it consists of codes times their scale.
        """
        if name not in self.network.tensors or name == INPUT or name in self._windowed:
            return x
        return self._round(name, x)

    def operate(self, node: Node, parameters: Mapping[str, Any], *inputs: Any) -> Any:
        """Compute `node` from its inputs and its own `parameters`."""
        if node.name in self.network.windows:
            return self.in_windows(node, parameters, inputs[0])
        if node.op not in PASSES_CODES:
            inputs = tuple(self.read(name, x) for name, x in zip(node.inputs, inputs, strict=True))
        return OPERATIONS[node.op].apply(node, parameters, *inputs)

    def read(self, name: str, x: Any) -> Any:
        """Return stored tensor `name` for a node that does not round in windows."""
        source = self.network.source(name)
        return self._round(source, x) if source in self._windowed else x

    def _codes(self, tensor: LearnedTensor, squash: str) -> CodeRange:
        return CodeRange(-tensor.zero_point, tensor.qmax - tensor.zero_point, squash, self.mask)

    def _scale(self, name: str) -> Any:
        return self.variables.get(f"scale/{name}", self.network.tensors[name].scale)

    def _round(self, name: str | None, x: Any) -> Any:
        assert name is not None
        tensor = self.network.tensors[name]
        keep = None
        if self.keep is not None and f"scale/{name}" in self.variables:
            keep = self.keep(x.shape)
        learned: tuple[Any, ...] = (self._scale(name),)
        coefficients = self.variables.get(f"border/{name}", tensor.coefficients)
        if coefficients is not None:
            learned += (coefficients,)
        return ste_quantize(x, *learned, codes=self._codes(tensor, tensor.squash), keep=keep)

    def in_windows(
        self, node: Node, parameters: Mapping[str, Any], x: Any, *, fed_back: Any = None
    ) -> Any:
        """Compute a convolution in `windows`; `fed_back` replaces its weight in the feedback."""
        window = self.network.windows[node.name]
        source = self.network.source(node.inputs[0])
        assert source is not None
        a = node.attributes
        kernel = pair(a["kernel"])
        rows = self.network.graph.shapes[node.inputs[0]][0] * kernel[0] * kernel[1]
        learned = [every_row(self.variables.get(f"window/{node.name}", window.coefficients), rows)]
        fusion = self.variables.get(f"fusion/{node.name}", window.fusion)
        if fusion is not None:
            learned.append(every_row(fusion, rows))
        groups = a.get("groups", 1)
        feedback = None
        if window.feedback:
            rank = None if window.feedback == ALL_DIRECTIONS else window.feedback
            weight = getval(parameters["weight"] if fed_back is None else fed_back)
            reach = None
            if window.errors == "clipping":
                tensor = self.network.tensors[source]
                wide = tensor.wide or WideCodes.of(tensor.bits, tensor.zero_point)
                reach = wide.least, wide.end
            feedback = Feedback.of(weight, groups=groups, rank=rank, reach=reach)
        keep = None
        if self.keep is not None and f"scale/{source}" in self.variables:
            keep = self.keep((len(x), rows, *self.network.graph.shapes[node.name][1:]))
        return bordered_conv2d(
            x,
            parameters["weight"],
            parameters["bias"],
            self._scale(source),
            *learned,
            codes=self._codes(self.network.tensors[source], window.squash),
            groups=groups,
            feedback=feedback,
            keep=keep,
            **geometry_of(a),
        )
