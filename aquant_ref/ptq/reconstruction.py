"""Reconstruct blocks: learn each quantized block so that its output matches the float block.

Blocks follow in network order. A block reads the output of the quantized blocks before it. The
quantizers of the tensors that it reads, of the tensors inside it and of its weights are learned
together on the error of its output. That output is not yet quantized; its quantizer belongs to the
next block (`pass_config` has another `mixing`). The error is

    sum over channels, mean over images and positions, of (output - float output)^2

A *pass* visits all blocks; its settings say what it learns (`ptq.pass_config`). A method is a list
of passes (`ptq.methods`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from autograd import value_and_grad

from aquant_ref.checks import check_calibration, takes_functions
from aquant_ref.errors import InputError, counted
from aquant_ref.nn.branchless_where import branchless_where
from aquant_ref.nn.graph import INPUT, Block, Graph
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.callbacks import Callback, Iteration
from aquant_ref.ptq.learner import Learner
from aquant_ref.ptq.losses import LOSSES, block_error
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.placement import boundary_layers, layers, units
from aquant_ref.ptq.spill import Spill
from aquant_ref.typing import Integers, Mask, Reals

if TYPE_CHECKING:
    from aquant_ref.ptq.pass_config import ReconstructionPass

Arrays = dict[str, Reals]

CACHE_BATCH = 64  # images per batch when a tensor is computed for the whole calibration set


@dataclass
class Cache:
    """Hold block inputs of the float and the quantized network, for the whole calibration set."""

    exact: Arrays
    quantized: Arrays


@takes_functions
def run_pass(
    network: LearnedNetwork,
    images: Reals,
    settings: ReconstructionPass,
    *,
    seed: tuple[int, ...],
    progress: Progress = quiet,
    callback: Callback | None = None,
) -> list[dict[str, Any]]:
    """Learn `network` in place, block by block, on float `images` (N, C, H, W).

    Block number i draws from `default_rng([*seed, i])`. Blocks with only first and last layers
    learn nothing. Return, for each other block, the error of its output before and after.
    `callback` gets each iteration. Raise InputError for fewer images than a batch, and if learning
    diverges (an error or a variable is not finite, or a scale is not positive); the message names
    block, iteration and last finite error.
    """
    check_calibration(images, network.graph.shapes[INPUT])
    if len(images) < settings.batch:
        raise InputError(
            f"calibration: {counted(len(images), 'image')}, fewer than a batch of {settings.batch}"
        )
    if settings.iterations == 0:
        return []
    cache = Cache({INPUT: images}, {INPUT: images})
    errors = []
    blocks = units(network.graph, settings.unit)
    with Spill() as spill:
        for number, block in enumerate(blocks):
            target = block_outputs(
                network.graph, network.parameters, block, cache.exact, spill=spill
            )
            learner = Learner(network, block, settings)
            if learner.variables:
                entry: dict[str, Any] = {"pass": settings.name, "block": block.name}
                entry["before"] = _error(network, settings, block, cache.quantized, target)
                rng = np.random.default_rng([*seed, number])
                learn(learner, cache, target, rng, progress, callback)
                entry["after"] = _error(network, settings, block, cache.quantized, target)
                if not np.isfinite(entry["after"]):
                    raise _diverged(learner, settings.iterations - 1, entry["after"], None)
                errors.append(entry)
            output = _quantized(network, settings, block, cache.quantized, spill)
            needed = {name for later in blocks[number + 1 :] for name in later.inputs}
            for tensors, new in ((cache.exact, target), (cache.quantized, output)):
                tensors[block.output] = new
                for name in tensors.keys() - needed:
                    del tensors[name]
    return errors


@takes_functions
def learn(
    learner: Learner,
    cache: Cache,
    target: Reals,
    rng: np.random.Generator,
    progress: Progress,
    callback: Callback | None,
) -> None:
    """Run the iterations of one block and write the result back into the network."""
    settings, block = learner.settings, learner.block
    gradient = value_and_grad(_objective)
    last = None
    for step in progress(range(settings.iterations), f"{settings.name} {block.name}"):
        chosen = np.sort(rng.integers(0, len(target), settings.batch))
        inputs = {name: _mixed(cache, name, chosen, rng, settings) for name in block.inputs}
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is detected below
            value, gradients = gradient(
                learner.variables, learner, inputs, target[chosen], step, rng
            )
        if not np.isfinite(value):
            raise _diverged(learner, step, float(value), last)
        last = float(value)
        if callback is not None:
            penalty = float(learner.penalty(learner.variables, step))
            callback(Iteration(settings.name, block.name, step, last - penalty, penalty))
        learner.step(gradients, step)
        if description := learner.impossible():
            raise _diverged(learner, step, description, last)
    learner.write_back()


def _diverged(learner: Learner, step: int, cause: str | float, last: float | None) -> InputError:
    what = cause if isinstance(cause, str) else f"the error of the block is {cause}"
    before = "" if last is None else f", and the last finite error is {last:.6g}"
    return InputError(
        f"{learner.block.name}: learning diverged in pass {learner.settings.name!r}, iteration "
        f"{step}: {what}{before}; lower the rates"
    )


def _mixed(
    cache: Cache,
    name: str,
    chosen: Integers,
    rng: np.random.Generator,
    settings: ReconstructionPass,
) -> Reals:
    if settings.mixing == "brecq":
        return cache.exact[name][chosen]
    x = cache.quantized[name][chosen]
    if not settings.dropping:
        return x
    return branchless_where(coin_flips(rng, x.shape), x, cache.exact[name][chosen])


def _objective(
    variables: Mapping[str, Any],
    learner: Learner,
    inputs: Arrays,
    target: Reals,
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
        network.graph,
        learner.parameters(variables),
        learner.block,
        inputs,
        quantizers,
        owns_output=settings.owns_output,
    )
    return LOSSES[settings.loss](output, target) + learner.penalty(variables, step)


def run_block(
    graph: Graph,
    parameters: Mapping[str, Any],
    block: Block,
    tensors: Mapping[str, Any],
    quantizers: Quantizers | None,
    *,
    owns_output: bool = False,
) -> Any:
    """Compute the output of a block without its quantizer, which belongs to the next block.

    With `owns_output` it is the other way round: the inputs are quantized already, and the output
    is quantized here.
    """
    if quantizers is None:
        return graph.evaluate(parameters, tensors, nodes=block.nodes)[block.output]

    def hook(name: str, x: Any) -> Any:
        return x if name == block.output and not owns_output else quantizers.store(name, x)

    stored = {name: tensors[name] for name in block.inputs}
    if not owns_output:
        stored = {name: quantizers.store(name, x) for name, x in stored.items()}
    values = graph.evaluate(
        parameters, stored, nodes=block.nodes, hook=hook, operate=quantizers.operate
    )
    return values[block.output]


def block_outputs(
    graph: Graph,
    parameters: Mapping[str, Reals],
    block: Block,
    inputs: Arrays,
    quantizers: Quantizers | None = None,
    *,
    spill: Spill,
    owns_output: bool = False,
) -> Reals:
    """Compute the output of a block for all images, as `run_block` does."""
    total = len(next(iter(inputs.values())))
    out: Reals | None = None
    for start in range(0, total, CACHE_BATCH):
        batch = slice(start, start + CACHE_BATCH)
        tensors = {name: inputs[name][batch] for name in block.inputs}
        value = run_block(graph, parameters, block, tensors, quantizers, owns_output=owns_output)
        if out is None:
            out = spill.empty((total, *value.shape[1:]), value.dtype)
        out[batch] = value
    assert out is not None
    return out


def _quantized(
    network: LearnedNetwork,
    settings: ReconstructionPass,
    block: Block,
    inputs: Arrays,
    spill: Spill,
) -> Reals:
    quantizers = Quantizers(network) if settings.activations else None
    return block_outputs(
        network.graph,
        network.weights(),
        block,
        inputs,
        quantizers,
        spill=spill,
        owns_output=settings.owns_output,
    )


def _error(
    network: LearnedNetwork,
    settings: ReconstructionPass,
    block: Block,
    inputs: Arrays,
    target: Reals,
) -> float:
    quantizers = Quantizers(network) if settings.activations else None
    parameters = network.weights()
    total = 0.0
    for start in range(0, len(target), CACHE_BATCH):
        batch = slice(start, start + CACHE_BATCH)
        tensors = {name: inputs[name][batch] for name in block.inputs}
        output = run_block(
            network.graph,
            parameters,
            block,
            tensors,
            quantizers,
            owns_output=settings.owns_output,
        )
        total += float(LOSSES[settings.loss](output, target[batch])) * len(target[batch])
    return total / len(target)


def network_error(network: LearnedNetwork, images: Reals) -> float:
    """Return the `block_error` of the last block that learns, in the finished network.

    All tensors before the output of that block are quantized. Raise InputError for images that do
    not fit, without images, and if no block learns.
    """
    graph = network.graph
    check_calibration(images, graph.shapes[INPUT])
    learned = set(layers(graph)) - boundary_layers(graph)
    learning = [b for b in graph.blocks() if learned & {node.name for node in b.nodes}]
    if not learning:
        raise InputError("network: no block learns, because all layers are first or last layers")
    last = learning[-1].output
    quantizers = Quantizers(network)

    def hook(name: str, x: Reals) -> Any:
        return x if name == last else quantizers.store(name, x)

    nodes = graph.nodes[: 1 + [node.name for node in graph.nodes].index(last)]
    parameters, total = network.weights(), 0.0
    for start in range(0, len(images), CACHE_BATCH):
        tensors = {INPUT: images[start : start + CACHE_BATCH]}
        exact = graph.evaluate(network.parameters, tensors, nodes=nodes, forget=True)[last]
        quantized = graph.evaluate(
            parameters, tensors, nodes=nodes, hook=hook, operate=quantizers.operate, forget=True
        )[last]
        total += float(block_error(quantized, exact)) * len(exact)
    return total / len(images)


def coin_flips(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    """Draw independent booleans, each True with probability 1/2, from one random bit each.

    Spec: AQ-STE-3.
    """
    count = int(np.prod(shape))
    bits = np.unpackbits(np.frombuffer(rng.bytes((count + 7) // 8), np.uint8), count=count)
    return bits.view(np.bool_).reshape(shape)
