"""The door for networks that are built by hand, with any attributes; they are quantized and run."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from aquant_ref.engine import Engine
from aquant_ref.engine.program import Program
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.operations import Node
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.ptq import Config
from aquant_ref.ptq.pipeline import quantize_with
from tests.engine.graphs import random_graph
from tests.fuzz.mutate import values
from tests.fuzz.target import Target, Wrong
from tests.ptq import small

SMALL = 20_000  # elements of its tensors and parameters, up to which a network is run
ATTRIBUTES = {
    "kernel": (1, 2, 3, [2, 3], [[1, 2]], 0, 99),
    "stride": (1, 2, [1, 2], 0, -1, [1, 1, 1]),
    "padding": (0, 1, [1, 0], [[1, 0], [0, 1]], "same", -1, [[1], [1]]),
    "dilation": (1, 2, [2, 1], 0),
    "groups": (1, 2, 4, 0, -1, 3),
    "channels": (1, 4, 3, 0, -4),
    "bias": (True, False, None, 0),
    "eps": (1e-3, 0, -1.0, 1e999, "1e-3"),
    "count_padding": (True, False, 1, "no"),
    "alpha": (0.01, 0, 1, -0.1, 1.5, "0.1"),
    **dict.fromkeys(("ceil_mode", "pads", "foo", "max", "strides", "count_include_pad"), (True, 0)),
}
TAGS = ("$tuple", "$numpy", "$float32")


def _plain(value: Any) -> Any:
    """Attributes as JSON, tuples as lists."""
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def described(graph: Graph, **config: Any) -> bytes:
    """A case that builds this graph."""
    nodes = [
        [n.name, n.op, list(n.inputs), n.block, {k: _plain(v) for k, v in n.attributes.items()}]
        for n in graph.nodes
    ]
    shape = list(graph.shapes[INPUT])
    return values.written(
        {"input_shape": shape, "zero": list(graph.zero), "nodes": nodes, "config": config}
    )


def _graphs() -> dict[str, bytes]:
    made = {
        "shortcuts, depthwise": described(small.graph(), method="rtn"),
        "branches": described(small.branching_graph(), method="rtn", weight_bits=8, act_bits=8),
        "learned": described(small.branching_graph(), method="aquant", iterations=1, batch=2),
    }
    for seed in range(4):
        graph = random_graph(np.random.default_rng(seed), np.random.default_rng(seed))
        made[f"drawn {seed}"] = described(graph, method="rtn")
    layer = Builder((2, 4, 4))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "avg_pool", INPUT, kernel=2))
        x = layer("relu", "relu", layer("hidden", "linear", x, channels=5))
        layer("linear", "linear", x, channels=3)
    made["hidden linear"] = described(layer.graph(), method="aquant", iterations=1, batch=2)
    return made


def attribute(rng: Random, data: bytes) -> bytes:
    """An attribute of a node that means something, in one value or another, or a wrong one."""
    case = json.loads(data)
    node = rng.choice(case["nodes"])
    name = rng.choice(sorted({*ATTRIBUTES, *node[4]}))
    value: Any = rng.choice(ATTRIBUTES.get(name, (1,)))
    if rng.random() < 0.2:
        value = {rng.choice(TAGS): value}
    if rng.random() < 0.1:
        node[4].pop(name, None)
    else:
        node[4][name] = value
    return values.written(case)


def wire(rng: Random, data: bytes) -> bytes:
    """Another operation or input of a node, a node less or twice, one less at the end."""
    case = json.loads(data)
    nodes = case["nodes"]
    k = rng.randrange(len(nodes))
    names = [INPUT, *(each[0] for each in nodes)]
    which = rng.randrange(6)
    if which == 0:
        nodes[k][1] = rng.choice([each[1] for each in nodes] + ["requantize", "batch_norm", "max"])
    elif which == 1:
        nodes[k][2] = [rng.choice(names) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    elif which == 2:
        del nodes[k]
    elif which == 3:
        nodes.insert(rng.randrange(len(nodes)), nodes[k])
    elif which == 4:
        del nodes[rng.randrange(1, len(nodes)) :]
    else:
        nodes[k][rng.choice((0, 3))] = rng.choice((*values.TEXTS, *names))
    return values.written(case)


def setting(rng: Random, data: bytes) -> bytes:
    """Another setting, input shape or zero."""
    case = json.loads(data)
    name = rng.choice(("method", "weight_bits", "act_bits", "border", "signed", "shape", "zero"))
    if name == "shape":
        case["input_shape"] = rng.choice(
            ([1, 1, 1], [2, 0, 3], [2, 5], [2, 5, 6, 1], [2, -5, 6], 3)
        )
    elif name == "zero":
        case["zero"] = rng.choice(([], [0], [0, 256], [1, 2], [-1, 0], [0.5, 0], "00", [True, 1]))
    else:
        case["config"][name] = rng.choice(
            {
                "method": ("rtn", "aquant", "aquant-closed-form", "adaround", "aquant-feedback"),
                "weight_bits": (1, 2, 8, 16, 32),
                "act_bits": (1, 2, 4, 8),  # of 16 there are too many thresholds
                "border": ("", "row", "row/window", "tensor/clip", "constant"),
                "signed": (True, False),
            }[name]
        )
        case["config"] |= {"iterations": 1, "batch": 2}
    return values.written(case)


def _decoded(value: Any) -> Any:
    """Values that JSON does not have."""
    if isinstance(value, dict):
        if len(value) == 1 and (tag := next(iter(value))) in TAGS:
            inner = _decoded(value[tag])
            if tag == "$tuple":
                return tuple(inner) if isinstance(inner, list) else (inner,)
            if isinstance(inner, int | float):
                return np.asarray(inner, np.float32 if tag == "$float32" else None)[()]
            return np.array(inner, object)[()]
        return {key: _decoded(each) for key, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list) else value


def build(path: Path) -> None:
    """Build, quantize, lower, save and load again, run; what is built works, or says why not."""
    case = json.loads(path.read_bytes())
    if not _has_form(case):
        return
    graph = _graph(case)
    printed = str(graph).split("\n")
    if not all(line.isprintable() for line in printed):
        raise Wrong("a graph whose names or attributes cannot be printed is built")
    sizes = [*graph.shapes.values(), *graph.parameter_shapes.values()]
    if sum(int(np.prod(shape, dtype=object)) for shape in sizes) > SMALL:
        return
    config = Config(**case["config"])
    parameters = initial_parameters(graph, 0)
    images = np.random.default_rng(0).integers(0, 256, (4, *graph.shapes[INPUT])).astype(np.uint8)
    model = quantize_with(graph, parameters, images, config)
    model.save(path.with_name("again.npz"))
    if QuantizedModel.load(path.with_name("again.npz")).sha256() != model.sha256():
        raise Wrong("the model that is saved and loaded is another one")
    if config.not_lowered() is None:
        program = lowering_of(model, None).program
        program.save(path.with_name("again.npz"))
        if Program.load(path.with_name("again.npz")).sha256() != program.sha256():
            raise Wrong("the program that is saved and loaded is another one")
        Engine(program).run(images)


def _graph(case: Any) -> Graph:
    """By a Builder where the names are as it makes them, otherwise node by node."""
    shape, zero = tuple(case["input_shape"]), tuple(case["zero"])
    if not all(name.startswith(f"{block}.") for name, _, _, block, _ in case["nodes"]):
        nodes = (
            Node(name, op, tuple(inputs), block, _decoded(attributes))
            for name, op, inputs, block, attributes in case["nodes"]
        )
        return Graph(shape, nodes, zero)
    layer = Builder(shape, zero)
    for name, op, inputs, block, attributes in case["nodes"]:
        with layer.block(block):
            layer(name.removeprefix(f"{block}."), op, *inputs, **_decoded(attributes))
    return layer.graph()


def _has_form(case: Any) -> bool:
    """Whether it is a call that Python lets through: strings where names are, known settings."""
    return (
        isinstance(case.get("input_shape"), list)
        and isinstance(case.get("zero"), list)
        and all(
            isinstance(name, str)
            and isinstance(op, str)
            and isinstance(block, str)
            and isinstance(attributes, dict)
            and all(isinstance(each, str) for each in inputs)
            and not {"name", "op", "self"} & attributes.keys()
            for name, op, inputs, block, attributes in case["nodes"]
        )
    )


def _attributes_of_any_type(rng: Random, data: bytes) -> bytes:
    case = json.loads(data)
    node = rng.choice(case["nodes"])
    node[4] = values.change(rng, node[4]) if node[4] else {rng.choice(sorted(ATTRIBUTES)): 1}
    if not isinstance(node[4], dict):
        node[4] = {}
    return values.written(case)


TARGETS = (
    Target(
        "graph",
        _graphs,
        (attribute, attribute, attribute, wire, wire, setting, _attributes_of_any_type),
        build,
        ".json",
        names_file=False,
        structured=True,
        quick=15,
    ),
)
