"""The integer engine beside the engines that people use, one thread each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.engine import Engine
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import steps
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.engine.operations import CONVOLUTIONS
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.conv import conv2d
from aquant_ref.progress import Progress
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.pipeline import nearest, quantize_with
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.threads import set_threads
from tests.bench.peers.int8 import Int8Network
from tests.bench.rows import FASTER, TIME, Goal, Row, compared

Array = NDArray[Any]
Run = Callable[[], object]

BATCH = 64
LITERT, ORT, REFERENCE = (
    "LiteRT's reference kernels, int8",
    "onnxruntime, int8 (QDQ)",
    "onnx reference evaluator (QLinearConv)",
)


def missing(error: ImportError) -> str:
    """What a peer's row says where a package is not there."""
    package = (error.name or "a package").partition(".")[0].replace("_", "-")
    return f"{package} is not installed: pip install '.[bench]'"


@cache
def inputs() -> Inputs:
    """resnet8 and the built-in images."""
    return Inputs.load("resnet8", "shapes", images=256, seed=0)


@cache
def model(bits: int, method: str = "rtn") -> QuantizedModel:
    """The network in so many bits; borders learned in two iterations cost what others do."""
    given, config = inputs(), Config(method, bits, bits, 2)
    make = nearest if method == "rtn" else quantize_with
    return make(given.graph, given.parameters, given.calibration, config)


def images() -> Array:
    """The batch, uint8."""
    return inputs().test.batch(np.arange(BATCH))


def peers() -> dict[str, Run | str]:
    """Each peer ready to run the batch, or why it cannot."""
    network = Int8Network(inputs(), inputs().calibration[:BATCH])
    return {
        LITERT: litert(network, images()),
        ORT: onnxruntime(network, images()),
        REFERENCE: onnx_reference(network, images()),
    }


def litert(network: Int8Network, codes: Array) -> Run | str:
    """One thread, the reference kernels."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        from tests.bench.peers.tflite_model import tflite_model
    except ImportError as error:
        return missing(error)
    interpreter = Interpreter(
        model_content=tflite_model(network, len(codes)),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    read = interpreter.get_input_details()[0]["index"]
    made = interpreter.get_output_details()[0]["index"]
    signed = (codes.astype(np.int16) - 128).astype(np.int8)
    signed = np.ascontiguousarray(signed.transpose(0, 2, 3, 1))

    def run() -> Any:
        interpreter.set_tensor(read, signed)
        interpreter.invoke()
        return interpreter.get_tensor(made)

    return run


def onnxruntime(network: Int8Network, codes: Array) -> Run | str:
    """One thread, all optimisations."""
    try:
        import onnxruntime

        from tests.bench.peers.onnx_models import onnx_model
    except ImportError as error:
        return missing(error)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx_model(network, len(codes)).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    return lambda: session.run(None, {"image": codes})[0]


def onnx_reference(network: Int8Network, codes: Array) -> Run | str:
    """numpy, as it is."""
    try:
        from onnx.reference import ReferenceEvaluator

        from tests.bench.peers.onnx_models import onnx_model
    except ImportError as error:
        return missing(error)
    evaluator: Any = ReferenceEvaluator(onnx_model(network, len(codes), qlinear=True))
    return lambda: evaluator.run(None, {"image": codes})[0]


def beside_others(rounds: int, progress: Progress) -> list[Row]:
    """The whole network, in the bits of the main job and in those of the peers."""
    set_threads(1)
    others, rows = peers(), []
    for bits, goals in (
        (2, {LITERT: (10, 5), ORT: (1, 0.4), REFERENCE: (100, 30)}),
        (8, dict.fromkeys((LITERT, ORT, REFERENCE), (None, None))),
    ):
        engine = Engine(lower(model(bits)))
        ours = {what: (Goal(*goals[what], FASTER), run) for what, run in others.items()}
        work = f"integer engine, resnet8, W{bits}A{bits}, batch {BATCH}, 1 thread each"
        rows += compared(
            "engine",
            work,
            lambda engine=engine: engine.run(images()),
            ours,
            rounds=rounds,
            progress=progress,
        )
    return rows


def product(rounds: int, progress: Progress) -> list[Row]:
    """The convolutions alone, as integers and as floats."""
    set_threads(1)
    program = lower(model(2))
    prepared = steps(program.instructions, program.bounds, floats=True).values()
    tensors = {IMAGE: images(), **Engine(program).run(images())}
    layers = [step for step in prepared if step.instruction.op in CONVOLUTIONS]
    floats = [
        (tensors[each.inputs[0]].astype(np.float32), each.arrays["weight"].astype(np.float32))
        for each in (step.instruction for step in layers)
    ]

    def integers() -> None:
        for step in layers:
            apply(step, [tensors[step.instruction.inputs[0]]])

    def real() -> None:
        for step, (x, weight) in zip(layers, floats, strict=True):
            where = {
                key: step.instruction.attributes[key] for key in ("stride", "padding", "dilation")
            }
            conv2d(x, weight, np.zeros(len(weight), np.float32), **where)

    goal = Goal(1.1, 1.5, TIME)
    return compared(
        "product",
        f"exact integer product of its convolutions, batch {BATCH}, 1 thread each",
        integers,
        {"the same convolutions in float32, without requantization": (goal, real)},
        rounds=rounds,
        progress=progress,
    )


def border(rounds: int, progress: Progress) -> list[Row]:
    """What a border adds to the integer program and to its simulation."""
    set_threads(1)
    codes, learned, plain = images(), model(2, "aquant"), model(2)
    engines = [Engine(lower(each)) for each in (learned, plain)]
    simulations = [Simulation(each, dtype=np.float32) for each in (learned, plain)]
    rows = []
    for name, work, (ours, other), goal in (
        ("border", "threshold lowering with border", engines, Goal(1.0, 1.05, TIME)),
        ("border", "simulation with border", simulations, Goal(1.1, 1.3, TIME)),
    ):
        rows += compared(
            name,
            f"{work} (channel), resnet8, W2A2, batch {BATCH}, 1 thread",
            lambda ours=ours: ours.run(codes),
            {"itself without": (goal, lambda other=other: other.run(codes))},
            rounds=rounds,
            progress=progress,
        )
    return rows
