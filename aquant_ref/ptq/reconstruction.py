"""Block reconstruction: make each block of the quantized network give what the float block gives.

The blocks are visited in order. A block reads what the quantized network makes up to there, and the
quantizers of the tensors that it reads, of those inside it, and of its weights are learned together
on the error of its output (before that is quantized: that quantizer is the next block's):

    sum over channels, mean over images and positions, of (output - float output)^2

A *pass* goes over all blocks; what it learns, and from what, are its settings (`ptq.pass_config`).
The methods are lists of them (`ptq.methods`), and all share the code here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from numpy.typing import NDArray

from aquant_ref.checks import check_calibration
from aquant_ref.errors import InputError
from aquant_ref.nn.branchless_where import branchless_where
from aquant_ref.nn.graph import INPUT, Block, Graph
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.callbacks import Iteration, Watch
from aquant_ref.ptq.learner import Learner
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.placement import boundary_layers, layers, units
from aquant_ref.ptq.spill import Storage

Array = NDArray[Any]
Arrays = dict[str, Array]

CACHE_BATCH = 64  # images at a time when tensors of the whole calibration set are computed


@dataclass
class Cache:
    """Block inputs of the float and of the quantized network, over the whole calibration set."""

    exact: Arrays
    quantized: Arrays


def run_pass(
    network: LearnedNetwork,
    images: Array,
    settings: ReconstructionPass,
    *,
    seed: tuple[int, ...],
    progress: Progress = quiet,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Learn `network` in place, block by block, on float `images` (N, C, H, W).

    Block number i draws from `default_rng([*seed, i])`. Blocks of first and last layers alone have
    nothing to learn. Returns for each other block the error of its output before and after; `watch`
    is shown each iteration. Raises InputError if there are fewer images than a batch, or if
    learning diverges (an error or a variable is not finite, a scale not positive): with block,
    iteration and last finite error.
    """
    check_calibration(images, network.graph.shapes[INPUT])
    if len(images) < settings.batch:
        raise InputError(
            f"calibration: {len(images)} images are fewer than a batch of {settings.batch}"
        )
    if settings.iterations == 0:
        return []
    cache = Cache({INPUT: images}, {INPUT: images})
    errors = []
    blocks = units(network.graph, settings.unit)
    with Storage() as storage:
        for number, block in enumerate(blocks):
            target = block_outputs(
                network.graph, network.parameters, block, cache.exact, storage=storage
            )
            learner = Learner(network, block, settings)
            if learner.variables:
                entry: dict[str, Any] = {"pass": settings.name, "block": block.name}
                entry["before"] = _error(network, settings, block, cache.quantized, target)
                rng = np.random.default_rng([*seed, number])
                learn(learner, cache, target, rng, progress, watch)
                entry["after"] = _error(network, settings, block, cache.quantized, target)
                if not np.isfinite(entry["after"]):
                    raise _diverged(learner, settings.iterations - 1, entry["after"], None)
                errors.append(entry)
            output = _quantized(network, settings, block, cache.quantized, storage)
            needed = {name for later in blocks[number + 1 :] for name in later.inputs}
            for tensors, new in ((cache.exact, target), (cache.quantized, output)):
                tensors[block.output] = new
                for name in tensors.keys() - needed:
                    del tensors[name]
    return errors


def learn(
    learner: Learner,
    cache: Cache,
    target: Array,
    rng: np.random.Generator,
    progress: Progress,
    watch: Watch | None,
) -> None:
    """Run the iterations of one block and write the result back into the network."""
    settings, block = learner.settings, learner.block
    gradient = value_and_grad(_objective)
    last = None
    for step in progress(range(settings.iterations), f"{settings.name} {block.name}"):
        chosen = np.sort(rng.integers(0, len(target), settings.batch))
        inputs = {name: _mixed(cache, name, chosen, rng, settings) for name in block.inputs}
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes of it is looked at below
            value, gradients = gradient(
                learner.variables, learner, inputs, target[chosen], step, rng
            )
        if not np.isfinite(value):
            raise _diverged(learner, step, float(value), last)
        last = float(value)
        if watch is not None:
            penalty = float(learner.penalty(learner.variables, step))
            watch(Iteration(settings.name, block.name, step, last - penalty, penalty))
        learner.step(gradients, step)
        if wrong := learner.impossible():
            raise _diverged(learner, step, wrong, last)
    learner.write_back()


def _diverged(learner: Learner, step: int, found: Any, last: float | None) -> InputError:
    what = found if isinstance(found, str) else f"the error of the block is {found}"
    before = "" if last is None else f", and the last finite error is {last:.6g}"
    return InputError(
        f"{learner.block.name}: learning diverged in pass {learner.settings.name!r}, iteration "
        f"{step}: {what}{before}; lower the rates"
    )


def _mixed(
    cache: Cache, name: str, chosen: Array, rng: np.random.Generator, settings: ReconstructionPass
) -> Array:
    x = cache.quantized[name][chosen]
    if not settings.dropping:
        return x
    return branchless_where(coin_flips(rng, x.shape), x, cache.exact[name][chosen])


def _objective(
    variables: Mapping[str, Any],
    learner: Learner,
    inputs: Arrays,
    target: Array,
    step: int,
    rng: np.random.Generator,
) -> Any:
    settings, network = learner.settings, learner.network
    quantizers = None
    if settings.activations:
        quantizers = Quantizers(
            network,
            variables,
            keep=(lambda shape: coin_flips(rng, shape)) if settings.dropping else None,
            mask=settings.mask,
        )
    output = run_block(
        network.graph, learner.parameters(variables), learner.block, inputs, quantizers
    )
    return block_error(output, target) + learner.penalty(variables, step)


def run_block(
    graph: Graph,
    parameters: Mapping[str, Any],
    block: Block,
    tensors: Mapping[str, Any],
    quantizers: Quantizers | None,
) -> Any:
    """The block's output; its own quantizer, which the next block owns, left out."""
    if quantizers is None:
        return graph.evaluate(parameters, tensors, nodes=block.nodes)[block.output]

    def hook(name: str, x: Any) -> Any:
        return x if name == block.output else quantizers.store(name, x)

    stored = {name: quantizers.store(name, tensors[name]) for name in block.inputs}
    values = graph.evaluate(
        parameters, stored, nodes=block.nodes, hook=hook, operate=quantizers.operate
    )
    return values[block.output]


def block_outputs(
    graph: Graph,
    parameters: Mapping[str, Array],
    block: Block,
    inputs: Arrays,
    quantizers: Quantizers | None = None,
    *,
    storage: Storage,
) -> Array:
    """The block's output for all images."""
    total = len(next(iter(inputs.values())))
    out: Array | None = None
    for start in range(0, total, CACHE_BATCH):
        part = slice(start, start + CACHE_BATCH)
        tensors = {name: inputs[name][part] for name in block.inputs}
        value = run_block(graph, parameters, block, tensors, quantizers)
        if out is None:
            out = storage.empty((total, *value.shape[1:]), value.dtype)
        out[part] = value
    assert out is not None
    return out


def _quantized(
    network: LearnedNetwork,
    settings: ReconstructionPass,
    block: Block,
    inputs: Arrays,
    storage: Storage,
) -> Array:
    quantizers = Quantizers(network) if settings.activations else None
    return block_outputs(
        network.graph, network.weights(), block, inputs, quantizers, storage=storage
    )


def block_error(output: Any, target: Array) -> Any:
    """Squared error summed over channels, averaged over images and positions."""
    difference = output - target
    return anp.sum(difference * difference) / (difference.size / difference.shape[1])


def _error(
    network: LearnedNetwork,
    settings: ReconstructionPass,
    block: Block,
    inputs: Arrays,
    target: Array,
) -> float:
    quantizers = Quantizers(network) if settings.activations else None
    parameters = network.weights()
    total = 0.0
    for start in range(0, len(target), CACHE_BATCH):
        part = slice(start, start + CACHE_BATCH)
        tensors = {name: inputs[name][part] for name in block.inputs}
        output = run_block(network.graph, parameters, block, tensors, quantizers)
        total += float(block_error(output, target[part])) * len(target[part])
    return total / len(target)


def network_error(network: LearnedNetwork, images: Array) -> float:
    """`block_error` of the last block that learns, in the finished network, on `images`.

    The network is quantized from the image on, and the block's own output is not yet: what the
    layers before the last one make of the activations. Raises InputError for images that do not
    fit, or if there are none, and where no block learns.
    """
    graph = network.graph
    check_calibration(images, graph.shapes[INPUT])
    learned = set(layers(graph)) - boundary_layers(graph)
    learning = [b for b in graph.blocks() if learned & {node.name for node in b.nodes}]
    if not learning:
        raise InputError("network: every layer is a first or the last one, so no block learns")
    last = learning[-1].output
    quantizers = Quantizers(network)

    def hook(name: str, x: Array) -> Any:
        return x if name == last else quantizers.store(name, x)

    nodes = graph.nodes[: 1 + [node.name for node in graph.nodes].index(last)]
    parameters, total = network.weights(), 0.0
    for start in range(0, len(images), CACHE_BATCH):
        tensors = {INPUT: images[start : start + CACHE_BATCH]}
        wanted = graph.evaluate(network.parameters, tensors, nodes=nodes, forget=True)[last]
        made = graph.evaluate(
            parameters, tensors, nodes=nodes, hook=hook, operate=quantizers.operate, forget=True
        )[last]
        total += float(block_error(made, wanted)) * len(wanted)
    return total / len(images)


def coin_flips(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Independent booleans, each True with probability 1/2, from one random bit each.

    Spec: AQ-STE-3.
    """
    count = int(np.prod(shape))
    bits = np.unpackbits(np.frombuffer(rng.bytes((count + 7) // 8), np.uint8), count=count)
    return bits.view(np.bool_).reshape(shape)
