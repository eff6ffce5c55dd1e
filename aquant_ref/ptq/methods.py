"""The methods, one code path: nearest rounding, then the passes that a method adds.

| method | first pass: weights and scales, QDrop | second pass |
|---|---|---|
| `rtn` | - | - |
| `qdrop` | yes | - |
| `qdrop-scales` (a control) | yes | scales |
| `aquant` | yes | scales and borders |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.nn.quantized import QuantizedGraph
from aquant_ref.nn.train import PIXEL_SCALE, to_float
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.adaround import nearest_codes
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor
from aquant_ref.ptq.observers import search_activation_scale, search_weight_scale
from aquant_ref.ptq.partition import layer_bits, tensor_bits
from aquant_ref.ptq.reconstruction import Pass, run_pass
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.qparams import check_bits

Array = NDArray[Any]

FIRST = Pass("qdrop", 500, weights=True, dropping=True)
SECOND = Pass("scales", 200)
PASSES: dict[str, tuple[Pass, ...]] = {
    "rtn": (),
    "qdrop": (FIRST,),
    "qdrop-scales": (FIRST, SECOND),
    "aquant": (FIRST, replace(SECOND, name="border", border=True)),
}
OBSERVED_IMAGES = 256


@dataclass(frozen=True)
class Config:
    """A run: the method, the bits, and how long it learns.

    `iterations` is those of the first pass for each block; a second pass has 2/5 of it.
    """

    method: str = "aquant"
    weight_bits: int = 2
    act_bits: int = 2
    iterations: int = 500
    batch: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        check_bits("weight bits", self.weight_bits)
        check_bits("activation bits", self.act_bits)
        if self.method not in PASSES:
            raise InputError(f"method: no {self.method!r}; there are {', '.join(PASSES)}")
        if self.iterations < 0:
            raise InputError(f"iterations: needs 0 or more, got {self.iterations}")
        if self.batch < 1:
            raise InputError(f"batch: needs 1 or more, got {self.batch}")
        if self.seed < 0:
            raise InputError(f"seed: needs 0 or more, got {self.seed}")

    def passes(self) -> tuple[Pass, ...]:
        """The passes of the method with this run's iterations and batch."""
        return tuple(
            replace(
                each,
                batch=self.batch,
                iterations=self.iterations * each.iterations // FIRST.iterations,
            )
            for each in PASSES[self.method]
        )


def observe(
    graph: Graph, parameters: Mapping[str, Array], images: Array, config: Config
) -> LearnedNetwork:
    """Nearest rounding with searched scales: where every method starts.

    `graph` without batch norm, `images` (N, C, H, W) real. Raises InputError if there are none.
    """
    graph.check_parameters(parameters)
    if len(images) == 0:
        raise InputError("calibration: there are no images")
    float_tensors = graph.evaluate(parameters, {INPUT: images[:OBSERVED_IMAGES]})
    tensors = {INPUT: LearnedTensor(PIXEL_SCALE, 8)}
    for name, bits in tensor_bits(graph, config.act_bits).items():
        if name != INPUT:
            scale = search_activation_scale(name, float_tensors[name], bits)
            tensors[name] = LearnedTensor(scale, bits)
    scales = {
        name: search_weight_scale(
            name, parameters[f"{name}.weight"], bits, per_channel=name != graph.output
        )
        for name, bits in layer_bits(graph, config.weight_bits).items()
    }
    codes = {name: nearest_codes(parameters[f"{name}.weight"], s) for name, s in scales.items()}
    return LearnedNetwork(graph, dict(parameters), scales, codes, tensors)


def quantize(
    graph: Graph,
    parameters: Mapping[str, Array],
    codes: Array,
    config: Config,
    *,
    progress: Progress = quiet,
) -> QuantizedGraph:
    """Quantize a float network (batch norm folded) with the method of `config`.

    `codes` are the calibration images, uint8 (N, C, H, W). Raises InputError for parameters that do
    not fit or are not finite, no images or fewer than a batch.
    """
    images = to_float(codes)
    network = observe(graph, parameters, images, config)
    errors = []
    for number, settings in enumerate(config.passes()):
        errors += run_pass(network, images, settings, seed=(config.seed, number), progress=progress)
    return snap(network, {"config": asdict(config), "block_errors": errors})


def nearest(
    graph: Graph, parameters: Mapping[str, Array], codes: Array, config: Config
) -> QuantizedGraph:
    """The same network rounded to nearest (method `rtn`), to compare with."""
    return quantize(graph, parameters, codes, replace(config, method="rtn"))
