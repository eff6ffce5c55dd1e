"""A quantized network: the folded graph with integer weights and the quantizers of its tensors.

What the numbers mean (the ideal semantics, SPEC.md AQ-IDEAL) is exact: every float here is a dyadic
rational. A layer reads codes x and gives, in output channel o,

    unit[o] * sum of (weight code - zero point) * x  +  bias[o],

a quantized tensor turns a real value r into a code by comparing t = r/scale with its crossings.
So `unit` is a parameter and the scale of the weights, unit/scale of the input, is derived from it.
A layer of `windows` rounds its input itself, in every window (AQ-WINDOW): the tensor that it reads
is stored with wide codes.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.checks import instance, shown
from aquant_ref.errors import InputError, counted
from aquant_ref.formats import native
from aquant_ref.formats.stored import Stored
from aquant_ref.model.quantizers import (
    FeedbackBorder,
    QuantizedLayer,
    QuantizedTensor,
    Window,
    check_window,
)
from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.nn.operations import ACTIVATIONS, Node, windows
from aquant_ref.nn.structure import check_structure
from aquant_ref.nn.windows import pair
from aquant_ref.quant.feedback import FeedbackTables
from aquant_ref.quant.window import WideCodes, WindowBorder, nearest_window
from aquant_ref.rows import Row, Tabular
from aquant_ref.typing import Array, Codes, Reals

PASSES_CODES = ("flatten", "max_pool")  # ops that move codes and leave scale and quantizer alone
READS_CODES = ("max_pool", "avg_pool", "global_avg_pool", "mul")  # beside the layers
LATER_META = ("wide", "errors", "error_bits")  # of format 2
NO_INTEGER_FORM = (
    "a border with feedback of AQ-FEEDBACK-1, or of float weights, has no integer form"
)
SLIDING = ("conv2d", "max_pool", "avg_pool", "global_avg_pool")


def stored_as(graph: Graph, stored: Container[str], name: str) -> str | None:
    """Find which of the `stored` tensors has the codes of tensor `name`; None for a real one."""
    while name not in stored:
        node = graph.node(name)
        if node.op not in PASSES_CODES:
            return None
        name = node.inputs[0]
    return name


@dataclass(frozen=True, repr=False, eq=False)
class QuantizedModel(Stored, Tabular):
    """`graph` has no batch norm; `layers` and `tensors` are by node name, the image among the
    latter.

    `windows` are the borders of the layers that round in every window. `floats` holds the
    parameters, "<layer>.weight" and so on, of layers that stay in floating point. `source` says how
    it was made: plain JSON values, stored in the file.

    Spec: AQ-IDEAL-1, AQ-IDEAL-3.
    """

    graph: Graph
    layers: Mapping[str, QuantizedLayer]
    tensors: Mapping[str, QuantizedTensor]
    source: Mapping[str, Any] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    floats: Mapping[str, Reals] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """Return a row a tensor that is a layer or has codes: its bits, scale and border."""
        rows = []
        for name in (INPUT, *(node.name for node in self.graph.nodes)):
            layer, tensor = self.layers.get(name), self.tensors.get(name)
            if layer is None and tensor is None and f"{name}.weight" not in self.floats:
                continue
            border = "" if tensor is None or tensor.coefficients is None else tensor.squash
            rows.append(
                {
                    "tensor": name,
                    "operation": "" if name == INPUT else self.graph.node(name).op,
                    "weight bits": None if layer is None else layer.bits,
                    "activation bits": None if tensor is None else tensor.bits,
                    "scale": None if tensor is None else float(tensor.scale),
                    "zero point": None if tensor is None else int(tensor.zero_point),
                    "border": "window" if name in self.windows else border,
                }
            )
        return rows

    def title(self) -> str:
        """Say how large the network is and how it was quantized."""
        shapes = self.graph.shapes
        sizes = ("x".join(map(str, shapes[name])) for name in (INPUT, self.graph.output))
        return (
            f"QuantizedModel {' to '.join(sizes)}: {counted(len(self.layers), 'layer')}, "
            f"{counted(len(self.tensors), 'quantized tensor')}{self._made_by()}"
        )

    def _made_by(self) -> str:
        """Name the method and the bits, if `source` says them."""
        config = self.source.get("config")
        keys = ("method", "weight_bits", "act_bits")
        if not isinstance(config, Mapping) or not all(key in config for key in keys):
            return ""
        method, weight_bits, act_bits = (config[key] for key in keys)
        return f", {shown(method)[1:-1]} W{shown(weight_bits)}A{shown(act_bits)}"

    def stored_as(self, name: str) -> str | None:
        """Find the quantized tensor with the codes of tensor `name`; None for a real tensor."""
        return stored_as(self.graph, self.tensors, name)

    def code_source(self, name: str) -> str:
        """Find the quantized tensor with the scale of tensor `name`'s codes; raises ValueError."""
        source = self.stored_as(name)
        if source is None:
            raise ValueError(f"{name}: is read as codes but has no quantizer")
        return source

    def code_scale(self, name: str) -> float | None:
        """Return the scale of the codes of tensor `name`; None if it is not made of codes.

        A concat without a quantizer is where its inputs are, and of one scale (AQ-LOWER-9).
        """
        return self._code_scales.get(name)

    @cached_property
    def _code_scales(self) -> dict[str, float | None]:
        scales = {name: tensor.scale for name, tensor in self.tensors.items()}
        found: dict[str, float | None] = {INPUT: scales.get(INPUT)}
        for node in self.graph.nodes:
            found[node.name] = None
            if node.name in scales:
                found[node.name] = scales[node.name]
            elif node.op in (*PASSES_CODES, "concat"):
                read = {found[each] for each in node.inputs}
                found[node.name] = read.pop() if len(read) == 1 else None
        return found

    def zero_point(self, name: str) -> Codes:
        """Return the code of the real number 0 in each channel of tensor `name`, (C,) int32.

        That of the narrow code where the tensor is stored with wide ones.
        """
        shapes, made_of = self.graph.shapes, list[Codes]()
        waiting = [(name, 1)]  # of a flattened tensor how often each channel is repeated
        while waiting:
            read, times = waiting.pop()
            if read == INPUT:
                made_of.append(np.repeat(np.array(self.graph.zero, np.int32), times))
            elif read in self.tensors:
                count = shapes[read][0] * times
                made_of.append(np.full(count, self.tensors[read].zero_point, np.int32))
            else:
                inputs = self.graph.node(read).inputs
                times *= shapes[read][0] // sum(shapes[each][0] for each in inputs)
                waiting += [(each, times) for each in reversed(inputs)]
        return np.concatenate(made_of)

    def wide(self) -> frozenset[str]:
        """Name the tensors that a layer of `windows` reads, which are stored with wide codes."""
        return frozenset(self.code_source(self.graph.node(name).inputs[0]) for name in self.windows)

    def wide_tensor(self, name: str) -> QuantizedTensor:
        """Return the quantizer of a wide tensor: 2^f parts of a step, nearest.

        Spec: AQ-WINDOW-1, AQ-FEEDBACK-3.
        """
        tensor = self.tensors[name]
        wide = tensor.wide_codes()
        crossings = np.arange(wide.largest, dtype=np.float64)[None] + 0.5 - wide.zero
        return QuantizedTensor(tensor.scale / (1 << wide.fraction_bits), 8, crossings, wide.zero)

    def stored(self, name: str) -> QuantizedTensor:
        """Return the quantizer that makes the stored codes of tensor `name`, wide or not."""
        return self.wide_tensor(name) if name in self.wide() else self.tensors[name]

    def narrow(self, name: str) -> WindowBorder:
        """Return how a reader without its own border rounds the codes of wide tensor `name`."""
        tensor = self.tensors[name]
        return nearest_window(tensor.bits, tensor.zero_point, tensor.wide)

    def rounded_into(self, name: str) -> str:
        """Find the first quantized tensor that real tensor `name` is, or goes on into.

        Raises ValueError where none follows.
        """
        while name not in self.tensors:
            readers = self.graph.consumers(name)
            if not readers:
                raise ValueError(f"{name}: no quantizer follows")
            name = readers[0].name
        return name

    def input_scales(self, name: str) -> list[float]:
        """Return the scale of the codes of each input of node `name`; raises InputError."""
        scales = []
        for read in self.graph.node(name).inputs:
            scale = self.code_scale(read)
            if scale is None:
                raise InputError(f"{read}: is read as codes but is not made of codes of one scale")
            scales.append(scale)
        return scales

    def input_scale(self, layer: str) -> float:
        """Return the scale of the codes that `layer` reads; raises InputError."""
        return self.input_scales(layer)[0]

    def weight_scale(self, layer: str) -> Reals:
        """Return the real size of one step of a weight code, (O,) float64, to half an ulp: unit /
        input scale.
        """
        return np.asarray(self.layers[layer].unit / self.input_scale(layer))

    def plain(self) -> list[dict[str, Any]]:
        """Return the model in plain Python, every number exact, as `oracle.network` reads it.

        Of a node's attributes, the oracle gets those that are written here.
        """

        def exact(values: Reals) -> list[Fraction]:
            return [Fraction(v) for v in values.tolist()]

        nodes: list[dict[str, Any]] = [
            {
                "name": INPUT,
                "op": "image",
                "scale": Fraction(self.tensors[INPUT].scale),
                "zero_point": list(self.graph.zero),
            }
        ]
        for node in self.graph.nodes:
            plain: dict[str, Any] = {"name": node.name, "op": node.op, "inputs": node.inputs}
            if node.op in SLIDING:
                geometry = windows(node, self.graph.shapes[node.inputs[0]])
                for key in ("kernel", "stride", "padding", "dilation"):
                    plain[key] = getattr(geometry, key)
                plain["groups"] = node.attributes.get("groups", 1)
                plain["count_padding"] = node.attributes.get("count_padding", True)
            if node.op == "leaky_relu":
                plain["alpha"] = Fraction(node["alpha"])
            if node.name in self.layers:
                layer = self.layers[node.name]
                plain["weight"] = layer.integers().tolist()
                plain["unit"], plain["bias"] = exact(layer.unit), exact(layer.bias)
                plain["input_scale"] = Fraction(self.input_scale(node.name))
            if node.name in self.windows:
                plain["window"] = self._plain_window(node)
            if node.name in self.tensors:
                tensor = self.tensors[node.name]
                if node.name in self.wide():
                    plain["narrow"] = self.narrow(node.name).codes[0].tolist()
                    plain["step"], plain["offset"] = Fraction(tensor.scale), tensor.zero_point
                    tensor = self.wide_tensor(node.name)
                channels = self.graph.shapes[node.name][0]
                rows = [exact(row) for row in tensor.crossings]
                plain["scale"], plain["least"] = Fraction(tensor.scale), tensor.qmin
                plain["zero_point"] = [tensor.zero_point] * channels
                plain["crossings"] = rows * (channels // len(rows))
                if tensor.coefficients is not None:
                    rows = [exact(row) for row in tensor.coefficients]
                    plain["coefficients"] = rows * (channels // len(rows))
                    plain["squash"] = tensor.squash
            nodes.append(plain)
        return nodes

    def _plain_window(self, node: Node) -> dict[str, Any]:
        border = self.windows[node.name]
        if isinstance(border, FeedbackBorder):
            raise InputError(f"{node.name}: {NO_INTEGER_FORM}")
        source = self.code_source(node.inputs[0])
        rows = int(np.prod([self.graph.shapes[node.inputs[0]][0], *pair(node["kernel"])]))
        if isinstance(border, FeedbackTables):
            wide = border.codes.shape[1]
            of_rows = {
                name: np.broadcast_to(getattr(border, name), (rows, wide)).tolist()
                for name in ("codes", "lift", "error")
            }
            whole = {name: getattr(border, name).tolist() for name in ("directions", "pull")}
            return {"source": source, **of_rows, **whole, "step": 1 << border.error_bits}
        codes = np.broadcast_to(border.codes, (rows, border.codes.shape[1]))
        tables: dict[str, Any] = {
            "source": source,
            "codes": codes.tolist(),
            "lift": None,
            "fusion": None,
        }
        if border.lift is not None and border.fusion is not None:
            tables |= {"lift": border.lift.tolist(), "fusion": border.fusion.tolist()}
        return tables

    def save(self, path: str | Path) -> None:
        """Write the model file.

        Raises InputError as `check` does, and if `path` cannot be written.
        """
        self.check()
        meta, arrays = self._content()
        version = 2 if meta.keys() & LATER_META else 1
        native.save(path, "model", meta=meta, arrays=arrays, version=version)

    def _content(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Metadata and arrays of the model file."""
        meta = {
            "input_shape": list(self.graph.shapes[INPUT]),
            "zero": list(self.graph.zero),
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
            "signed": sorted(name for name, tensor in self.tensors.items() if tensor.signed),
            "feedback": {
                name: border.rank
                for name, border in self.windows.items()
                if isinstance(border, FeedbackBorder)
            },
            "source": dict(self.source),
        }
        # a model has the digest that it had before there was one of these, unless it has some
        wide = {n: [t.wide.fraction_bits, t.wide.least] for n, t in self.tensors.items() if t.wide}
        errors, error_bits = (
            {n: getattr(w, part) for n, w in self.windows.items() if isinstance(w, kind)}
            for kind, part in ((FeedbackBorder, "errors"), (FeedbackTables, "error_bits"))
        )
        errors = {name: which for name, which in errors.items() if which != "rounding"}
        squashes = {n: t.squash for n, t in self.tensors.items() if t.coefficients is not None}
        for key, values in (
            ("squash", squashes),
            *zip(LATER_META, (wide, errors, error_bits), strict=True),
        ):
            if values:
                meta[key] = values
        arrays: dict[str, Array] = {}
        for name, layer in self.layers.items():
            for part in ("codes", "zero_point", "unit", "bias"):
                arrays[f"layers/{name}/{part}"] = getattr(layer, part)
        for name, tensor in self.tensors.items():
            arrays[f"tensors/{name}/scale"] = np.asarray(tensor.scale, np.float64)
            arrays[f"tensors/{name}/zero_point"] = np.asarray(tensor.zero_point, np.int32)
            arrays[f"tensors/{name}/crossings"] = tensor.crossings
            if tensor.coefficients is not None:
                arrays[f"tensors/{name}/coefficients"] = tensor.coefficients
        for name, border in self.windows.items():
            for part, array in vars(border).items():
                if isinstance(array, np.ndarray):
                    arrays[f"windows/{name}/{part}"] = array
        for name, array in self.floats.items():
            arrays[f"floats/{name}"] = array
        return meta, arrays

    @classmethod
    def load(cls, path: str | Path) -> QuantizedModel:
        """Read what `save` wrote; raises InputError, which names the file, if it makes no sense."""
        meta, arrays = native.load(path, "model")
        try:
            nodes = [Node(**{**node, "inputs": tuple(node["inputs"])}) for node in meta["nodes"]]
            graph = Graph(tuple(meta["input_shape"]), nodes, meta["zero"])
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
                    int(arrays[f"tensors/{name}/zero_point"]),
                    name in meta["signed"],
                    arrays.get(f"tensors/{name}/coefficients"),
                    meta.get("squash", {}).get(name, "sigmoid"),
                    WideCodes(*meta["wide"][name]) if name in meta.get("wide", {}) else None,
                )
                for name, bits in meta["tensor_bits"].items()
            }
            windows = _windows(arrays, meta)
            source, floats = native.source_of(meta), _under(arrays, "floats/")
            model = cls(graph, layers, tensors, source, windows, floats)
            model.check()
            made = model._content()
            if json.dumps(made[0], sort_keys=True) != json.dumps(meta, sort_keys=True):
                raise ValueError("its metadata are not those of such a model")
            for name in sorted(made[1].keys() | arrays.keys()):
                both = made[1].get(name), arrays.get(name)
                kinds = [(each.dtype, each.shape) for each in both if each is not None]
                if len(kinds) != 2 or kinds[0] != kinds[1]:
                    raise ValueError(f"array {name!r} is not one of such a model")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: is not a quantized model ({error})") from error
        return model

    def check(self) -> None:
        """Raise InputError, which names the node, unless the parts fit the graph and one another.

        Spec: AQ-IDEAL-1.
        """
        self._check_kinds()
        check_structure(self.graph)
        for name in (*self.tensors, *self.windows):
            if name not in self.graph.shapes:
                raise InputError(f"{name}: has a quantizer, and is no node")
        weights = {
            name.removesuffix(".weight"): shape
            for name, shape in self.graph.parameter_shapes.items()
            if name.endswith(".weight")
        }
        if self.floats:
            self.graph.check_parameters(self.floats)
        elif INPUT not in self.tensors:
            raise InputError(f"{INPUT}: has no quantizer")
        if self.graph.output in self.tensors:
            raise InputError(f"{self.graph.output}: is the output, which has no quantizer")
        needed = set() if self.floats else set(weights)
        for name in sorted(needed ^ self.layers.keys()):
            raise InputError(f"{name}: {'has no' if name in needed else 'needs no'} codes")
        self._check_tensors()
        for name, layer in self.layers.items():
            with _named(name):
                layer.check(weights[name])
                self.input_scale(name)
        if not self.floats:
            self._check_lowered()
        self._check_windows()

    def _check_tensors(self) -> None:
        if (image := self.tensors.get(INPUT)) and (image.signed or image.bits != 8):
            raise InputError(f"{INPUT}: its codes are pixels, which are unsigned, of 8 bits")
        for name, tensor in self.tensors.items():
            if name != INPUT and self.graph.node(name).op in PASSES_CODES:
                raise InputError(f"{name}: moves codes, and has no quantizer of its own")
            with _named(name):
                tensor.check(self.graph.shapes[name][0])

    def _check_windows(self) -> None:
        for name, border in self.windows.items():
            node = self.graph.node(name)
            if node.op != "conv2d":
                raise InputError(f"{name}: is {node.op}, which does not round in windows")
            with _named(name):
                read = node.inputs[0]
                rows = self.graph.shapes[read][0] * int(np.prod(pair(node["kernel"])))
                tensor, outputs = self.tensors[self.code_source(read)], self.graph.shapes[name][0]
                check_window(border, rows, tensor, outputs=outputs, groups=node["groups"])

    def _check_kinds(self) -> None:
        """Raise InputError unless each part is of the kind that it is said to be."""
        instance("graph", self.graph, Graph)
        for part in ("layers", "tensors", "windows", "floats", "source"):
            instance(part, getattr(self, part), Mapping)
        for kind, parts in (QuantizedLayer, self.layers), (QuantizedTensor, self.tensors):
            for name, value in parts.items():
                instance(f"{name}: quantizer", value, kind)
        for name, border in self.windows.items():
            if not isinstance(border, Window):
                raise InputError(f"{name}: border: needs a WindowBorder, got {shown(border)}")
        native.check_meta(dict(self.source), "source")

    def _check_lowered(self) -> None:
        """Raise InputError where a node reads what has no integer form, or makes it."""
        for node in self.graph.nodes:
            if node.op in (*ACTIVATIONS, "requantize") and node.name not in self.tensors:
                raise InputError(
                    f"{node.name}: a {node.op} without a quantizer has no integer form"
                )
            if node.op in READS_CODES:
                self.input_scales(node.name)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put `name` before what a part of the network says is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


def _under(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _windows(arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> dict[str, Window]:
    parts: dict[str, dict[str, Array]] = {}
    for name, array in _under(arrays, "windows/").items():
        layer, _, part = name.rpartition("/")
        parts.setdefault(layer, {})[part] = array

    def of(name: str, own: dict[str, Any]) -> Window:
        if name in meta["feedback"]:
            errors = meta.get("errors", {}).get(name, "rounding")
            return FeedbackBorder(rank=meta["feedback"][name], errors=errors, **own)
        if name in (bits := meta.get("error_bits", {})):
            return FeedbackTables(error_bits=bits[name], **own)
        return WindowBorder(**own)

    found = {}
    for name, own in parts.items():
        try:
            found[name] = of(name, own)
        except TypeError as error:  # an array is missing, or one too many
            raise ValueError(f"{name}: {error}") from error
    return found
