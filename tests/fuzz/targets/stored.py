"""Doors for files of tensors: our own of every kind, numpy's and safetensors'."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import numpy as np

from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.runs import compare_runs
from aquant_ref.engine import Engine
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.formats.tensors import read_tensors
from aquant_ref.lowering.lowerings import lowered_as, lowering_of
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.accuracy import float_logits
from aquant_ref.nn.fold import fold_batch_norm
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import Recipe, initial_parameters, train
from aquant_ref.ptq import Config, checkpoint
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.pipeline import observe
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.simulate import Simulation
from reference_models import ReferenceModel
from tests.engine.networks import residual_network
from tests.fuzz.mutate import values
from tests.fuzz.mutate.npy import NPY
from tests.fuzz.mutate.own import OWN
from tests.fuzz.mutate.raw import raw
from tests.fuzz.mutate.zips import ZIP, inside
from tests.fuzz.target import Target, Wrong
from tests.ptq import small

SMALL = 50_000  # elements of a network's tensors, up to which it is run


def saved(save: Any) -> bytes:
    """What `save(path)` writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "seed.npz")
        save(path)
        return path.read_bytes()


# Weights


def tiny(classes: int = 3) -> Graph:
    """A network with batch norm, of few weights."""
    layer = Builder((2, 4, 4))
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=3, kernel=3, padding=1, bias=False)
        x = layer("relu", "relu", layer("norm", "batch_norm", x))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=classes)
    return layer.graph()


def _convert(tensors: Mapping[str, Any]) -> tuple[Graph, dict[str, Any]]:
    graph = tiny()
    return graph, {name: tensors[name] for name in graph.parameter_shapes if name in tensors}


TINY = ReferenceModel("tiny", "of the fuzzer", tiny, {})
CONVERTED = replace(TINY, convert=_convert)
CLASSES = ["cat", "dog", "ship"]


def _weights() -> dict[str, bytes]:
    meta = {"model": "tiny", "data": "shapes", "classes": CLASSES, "seed": 0, "top1": 0.5}
    arrays = initial_parameters(tiny(), 0)
    return {"three classes": saved(lambda p: native.save(p, "weights", meta=meta, arrays=arrays))}


def load_weights(path: Path) -> None:
    """What `Inputs.load` does with a file of weights."""
    graph, parameters, meta = TINY.load(path)
    with np.errstate(all="ignore"):
        try:
            folded = fold_batch_norm(graph, parameters)
        except InputError as error:
            named(path, error)
        float_logits(*folded, np.zeros((1, 2, 4, 4), np.uint8))
    again = path.with_name("again")
    native.save(again, "weights", meta=meta, arrays=parameters)
    same(native.load(again, "weights"), (meta, parameters))


def same(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """Raise Wrong unless metadata and arrays are equal, NaN to NaN."""
    if native.digest(*one) != native.digest(*other):
        raise Wrong("what is saved and loaded is not what was loaded")


def _npz() -> dict[str, bytes]:
    made = {}
    for name, write in (("stored", np.savez), ("compressed", np.savez_compressed)):
        stream = io.BytesIO()
        write(stream, **initial_parameters(tiny(), 0), count=np.array([3]), yes=np.array([True]))
        made[name] = stream.getvalue()
    return made


def _safetensors() -> dict[str, bytes]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in initial_parameters(tiny(), 0).items():
        header[name] = _entry("F32", array.shape, len(data), array.nbytes)
        data += array.tobytes()
    halves = np.arange(4, dtype="<u2").tobytes()
    for name, dtype in (("half", "F16"), ("brain", "BF16"), ("count", "I64")):
        content = halves if dtype != "I64" else b"\3" + bytes(7)
        header[name] = _entry(dtype, (4,) if dtype != "I64" else (1,), len(data), len(content))
        data += content
    return {"torch": _safetensors_of(header, data)}


def _entry(dtype: str, shape: tuple[int, ...], start: int, size: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, start + size]}


def _safetensors_of(header: Any, data: bytes) -> bytes:
    text = values.written(header)
    return struct.pack("<Q", len(text)) + text + data


def safetensors_header(rng: Random, data: bytes) -> bytes:
    """Another header, whose length is right."""
    (length,) = struct.unpack("<Q", data[:8])
    header = values.change(rng, json.loads(data[8 : 8 + length]))
    return _safetensors_of(header, data[8 + length :])


def load_tensors(path: Path) -> None:
    """Named tensors from elsewhere, as such, as weights of a model that converts, as a run."""
    for name, tensor in read_tensors(path).items():
        if tensor.dtype.kind not in "biuf" or not np.isfinite(tensor).all():
            raise Wrong(f"tensor {name} is {tensor.dtype}, or not finite")
    Recording.load(path)
    CONVERTED.load(path)


# Models, programs and runs of them


def _models() -> dict[str, QuantizedModel]:
    return {
        "thresholds": residual_network(0),
        "signed, with a pool": residual_network(1, signed=True, pool=True),
        "windows": residual_network(2, windows="row"),
        "fused windows": residual_network(3, windows="fused"),
        "no borders": residual_network(4, border=False, act_bits=4),
    }


def load_model(path: Path) -> None:
    """Load, save and load again, lower, and run."""
    model = QuantizedModel.load(path)
    again = path.with_name("again.npz")
    model.save(again)
    if QuantizedModel.load(again).sha256() != model.sha256():
        raise Wrong("the model that is saved and loaded is another one")
    sizes = [int(np.prod(shape)) for shape in model.graph.shapes.values()]
    if sum(sizes) > SMALL:
        return
    images = np.zeros((1, *model.graph.shapes[INPUT]), np.uint8)
    try:
        program = lowering_of(model, None).program
    except ValueError as error:
        named(path, error)
    else:
        Engine(program).run(images)
    try:
        Simulation(model).run(images)
    except ValueError as error:
        named(path, error)


def named(path: Path, error: ValueError) -> NoReturn:
    """Pass on an InputError of what works on a loaded network, and so does not know the file."""
    if isinstance(error, InputError):
        raise InputError(f"{path}: {error}") from error
    raise error


def _programs() -> dict[str, bytes]:
    made = {}
    for name, model in _models().items():
        made[name] = saved(lowering_of(model, None).program.save)
    for profile in ("exact", "float32"):
        lowered = lowering_of(_models()["thresholds"], FixedPoint(8, profile))
        made[f"fixed point, {profile}"] = saved(lowered.program.save)
    return made


def load_program(path: Path) -> None:
    """Load, save and load again, and run."""
    program = Program.load(path)
    try:
        lowered_as(program.source)
    except ValueError as error:
        named(path, error)
    again = path.with_name("again.npz")
    program.save(again)
    if Program.load(again).sha256() != program.sha256():
        raise Wrong("the program that is saved and loaded is another one")
    if sum(int(np.prod(shape)) for shape in program.shapes.values()) < SMALL:
        Engine(program).run(np.zeros((1, *program.input_shape), np.uint8))


@cache
def _run() -> Recording:
    """A run of engine on two images."""
    model = residual_network(0)
    program = lowering_of(model, None).program
    images = np.random.default_rng(0).integers(0, 256, (2, *program.input_shape)).astype(np.uint8)
    source = {"run": "engine", "program": "program.npz", "data": "shapes", "images": 2}
    return Recording({INPUT: images, **Engine(program).run(images)}, source)


def load_recording(path: Path) -> None:
    """Load, compare with a run that is whole, save and load again."""
    recording = Recording.load(path)
    try:
        compare_runs(_run(), recording)
    except ValueError as error:
        named(path, error)
    if not recording.source:
        return
    again = path.with_name("again.npz")
    recording.save(again)
    if not compare_runs(recording, Recording.load(again)).equal:
        raise Wrong("the recording that is saved and loaded is another one")


# Checkpoints


class _Labelled:
    """Four images to train on."""

    labels = np.array([0, 1, 2, 0])

    def __len__(self) -> int:
        return 4

    def batch(self, indices: Any) -> Any:
        """All the same but for their number."""
        return np.repeat(np.asarray(indices, np.uint8)[:, None], 32, axis=1).reshape(-1, 2, 4, 4)


RECIPE = Recipe(2, batch=2, crop=1)


def _training() -> dict[str, bytes]:
    made: dict[str, bytes] = {}

    def at_once(path: Path) -> None:
        def keep(entry: dict[str, float]) -> None:
            made[f"epoch {entry['epoch']:.0f}"] = path.read_bytes()

        train(tiny(), _Labelled(), RECIPE, seed=0, checkpoint=path, report=keep)

    saved(at_once)
    return made


def resume(path: Path) -> None:
    """Go on from the checkpoint; all that is left is an epoch at most, which may diverge."""
    try:
        train(tiny(), _Labelled(), RECIPE, seed=0, checkpoint=path)
    except ValueError as error:
        named(path, error)


@cache
def _observed() -> LearnedNetwork:
    graph = residual_network(0).graph
    images = np.random.default_rng(0).integers(0, 256, (4, *graph.shapes[INPUT])).astype(np.uint8)
    return observe(graph, small.parameters(graph), graph.to_float(images), Config())


def _first_pass() -> dict[str, bytes]:
    network = _observed()
    meta = {"block_errors": [], "seconds": 1.5}
    return {"first pass": saved(lambda path: checkpoint.save(path, network, meta))}


def load_first_pass(path: Path) -> None:
    """Load into a network, snap it, save and load again."""

    def fresh() -> LearnedNetwork:
        of = copy(_observed())
        for name in ("scales", "codes", "tensors"):
            setattr(of, name, dict(getattr(of, name)))
        return of

    network, other = fresh(), fresh()
    meta = checkpoint.load(path, network)
    again = path.with_name("again.npz")
    plain = {key: value for key, value in meta.items() if key not in ("bits", "tensors")}
    checkpoint.save(again, network, plain)
    checkpoint.load(again, other)
    try:
        one, two = snap(network, {}), snap(other, {})
    except ValueError as error:
        named(path, error)
    else:
        if one.sha256() != two.sha256():
            raise Wrong("the first pass that is saved and loaded is another one")


TARGETS = (
    Target("weights", _weights, OWN, load_weights, ".npz", quick=20),
    Target("tensors-npz", _npz, (*ZIP, inside(*NPY), inside(*NPY)), load_tensors, ".npz", quick=30),
    Target(
        "safetensors",
        _safetensors,
        (safetensors_header, safetensors_header, raw),
        load_tensors,
        ".safetensors",
        quick=60,
    ),
    Target(
        "model",
        lambda: {name: saved(model.save) for name, model in _models().items()},
        OWN,
        load_model,
        ".npz",
        quick=12,
    ),
    Target("program", _programs, OWN, load_program, ".npz", quick=15),
    Target(
        "recording", lambda: {"engine": saved(_run().save)}, OWN, load_recording, ".npz", quick=15
    ),
    Target("checkpoint-train", _training, OWN, resume, ".npz", quick=10),
    Target("checkpoint-ptq", _first_pass, OWN, load_first_pass, ".npz", quick=15),
)
