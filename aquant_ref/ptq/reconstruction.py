"""Block reconstruction: make each block of the quantized network give what the float block gives.

The blocks are visited in order. A block reads what the quantized network makes up to there, and the
quantizers of the tensors that it reads, of those inside it, and of its weights are learned together
on the error of its output (before that is quantized: that quantizer is the next block's):

    sum over channels, mean over images and positions, of (output - float output)^2

A *pass* goes over all blocks. In the first (QDrop, Wei et al., 2022) weights are soft (AdaRound),
half of the activations stay unquantized at random and half of the block's input elements come from
the float network. In the second, weights are hard, everything is quantized, and scales and borders
are learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Block, Graph
from aquant_ref.nn.optim import Adam, cosine
from aquant_ref.nn.ste import ste_quantize
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.adaround import AdaRound, regularizer, regularizer_beta
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.partition import boundary_layers

Array = NDArray[Any]
Arrays = dict[str, Array]

CACHE_BATCH = 64  # images at a time when tensors of the whole calibration set are computed


@dataclass(frozen=True)
class Pass:
    """What one pass over the blocks learns, and how; rates are Adam's at the start of a cosine.

    The rate of a scale is relative to its value at the start of the pass.
    """

    name: str
    iterations: int
    batch: int = 32
    weights: bool = False
    dropping: bool = False
    border: bool = False
    weight_rate: float = 3e-2
    scale_rate: float = 2e-3
    border_rate: float = 1e-2
    regularization: float = 0.05


@dataclass
class Cache:
    """Block inputs of the float and of the quantized network, over the whole calibration set."""

    exact: Arrays
    quantized: Arrays


def run_pass(
    network: LearnedNetwork,
    images: Array,
    settings: Pass,
    *,
    seed: tuple[int, ...],
    learned_bits: Callable[[int], bool] = lambda bits: True,
    progress: Progress = quiet,
) -> list[dict[str, Any]]:
    """Learn `network` in place, block by block, on float `images` (N, C, H, W).

    Block number i draws from `default_rng([*seed, i])`. Blocks of first and last layers alone have
    nothing to learn. Returns for each other block the error of its output before and after. Raises
    InputError if there are fewer images than a batch or an error is not finite.
    """
    if len(images) < settings.batch:
        raise InputError(
            f"calibration: {len(images)} images are fewer than a batch of {settings.batch}"
        )
    cache = Cache({INPUT: images}, {INPUT: images})
    errors = []
    for number, block in enumerate(network.graph.blocks()):
        target = _outputs(network.graph, network.parameters, block, cache.exact, None)
        learner = _Learner(network, block, settings)
        entry: dict[str, Any] = {"pass": settings.name, "block": block.name}
        if learner.variables and settings.iterations:
            entry["before"] = _error(network, block, cache.quantized, target)
            rng = np.random.default_rng([*seed, number])
            learner.learn(cache, target, rng, progress)
            entry["after"] = _error(network, block, cache.quantized, target)
            errors.append(entry)
        output = _outputs(
            network.graph, network.weights(), block, cache.quantized, network.quantize
        )
        needed = {name for later in network.graph.blocks()[number + 1 :] for name in later.inputs}
        for tensors, new in ((cache.exact, target), (cache.quantized, output)):
            tensors[block.output] = new
            for name in tensors.keys() - needed:
                del tensors[name]
    return errors


def _outputs(
    graph: Graph,
    parameters: Mapping[str, Array],
    block: Block,
    inputs: Arrays,
    quantize: Callable[[str, Any], Any] | None,
) -> Array:
    """The block's output for all images; its own quantizer, which the next block owns, left out."""
    total = len(next(iter(inputs.values())))
    out: Array | None = None
    for start in range(0, total, CACHE_BATCH):
        part = slice(start, start + CACHE_BATCH)
        tensors = {name: inputs[name][part] for name in block.inputs}
        value = _run(graph, parameters, block, tensors, quantize)
        if out is None:
            out = np.empty((total, *value.shape[1:]), value.dtype)
        out[part] = value
    assert out is not None
    return out


def _run(
    graph: Graph,
    parameters: Mapping[str, Any],
    block: Block,
    tensors: Mapping[str, Any],
    quantize: Callable[[str, Any], Any] | None,
) -> Any:
    if quantize is None:
        return graph.evaluate(parameters, tensors, nodes=block.nodes)[block.output]

    def hook(name: str, x: Any) -> Any:
        return x if name == block.output else quantize(name, x)

    quantized = {name: quantize(name, x) for name, x in tensors.items()}
    return graph.evaluate(parameters, quantized, nodes=block.nodes, hook=hook)[block.output]


def block_error(output: Any, target: Array) -> Any:
    """Squared error summed over channels, averaged over images and positions."""
    difference = output - target
    return anp.sum(difference * difference) / (difference.size / difference.shape[1])


def _error(network: LearnedNetwork, block: Block, inputs: Arrays, target: Array) -> float:
    output = _outputs(network.graph, network.weights(), block, inputs, network.quantize)
    return float(block_error(output, target))


class _Learner:
    """The variables of one block in one pass, their objective, and the loop."""

    def __init__(self, network: LearnedNetwork, block: Block, settings: Pass) -> None:
        self.network, self.block, self.settings = network, block, settings
        self.variables: Arrays = {}
        self.rates: dict[str, float] = {}
        self.rounding: dict[str, AdaRound] = {}
        self._hard = network.weights()
        fixed = boundary_layers(network.graph)
        self.layers = [n.name for n in block.nodes if n.name in network.scales.keys() - fixed]
        inner = [node.name for node in block.nodes if node.name != block.output]
        self.tensors = [
            name for name in (*block.inputs, *inner) if name in network.tensors and name != INPUT
        ]
        if self.layers:
            self._declare()

    def _declare(self) -> None:
        settings = self.settings
        if settings.weights:
            for name in self.layers:
                rounding = AdaRound(
                    self.network.parameters[f"{name}.weight"], self.network.scales[name]
                )
                self.rounding[name] = rounding
                self._add(f"weight/{name}", rounding.start, settings.weight_rate)
        for name in self.tensors:
            tensor = self.network.tensors[name]
            scale = np.asarray(tensor.scale, np.float64)
            self._add(f"scale/{name}", scale, settings.scale_rate * tensor.scale)
            if settings.border:
                channels = self.network.graph.shapes[name][0]
                start = tensor.coefficients
                if start is None:
                    start = np.zeros((channels, 3), np.float32)
                self._add(f"border/{name}", start, settings.border_rate)

    def _add(self, name: str, start: Array, rate: float) -> None:
        self.variables[name], self.rates[name] = start, rate

    def learn(
        self, cache: Cache, target: Array, rng: np.random.Generator, progress: Progress
    ) -> None:
        """Run the iterations and write the result back into the network."""
        settings, optimizer = self.settings, Adam()
        gradient = value_and_grad(self._objective)
        label = f"{settings.name} {self.block.name}"
        for step in progress(range(settings.iterations), label):
            chosen = rng.integers(0, len(target), settings.batch)
            inputs = {name: self._mixed(cache, name, chosen, rng) for name in self.block.inputs}
            value, gradients = gradient(self.variables, inputs, target[chosen], step, rng)
            if not np.isfinite(value):
                raise InputError(
                    f"{self.block.name}: the error of the block is not finite in pass "
                    f"{settings.name!r}, iteration {step}"
                )
            factor = cosine(step, settings.iterations)
            rates = {
                # PEERS, conventions 9: the rate of the weights is constant, the others fall to 0
                name: rate if name.startswith("weight/") else rate * factor
                for name, rate in self.rates.items()
            }
            optimizer.step(self.variables, gradients, rates)
        self._write_back()

    def _mixed(self, cache: Cache, name: str, chosen: Array, rng: np.random.Generator) -> Array:
        x = cache.quantized[name][chosen]
        if not self.settings.dropping:
            return x
        return np.where(coin_flips(rng, x.shape), x, cache.exact[name][chosen])

    def _objective(
        self,
        variables: Mapping[str, Any],
        inputs: Arrays,
        target: Array,
        step: int,
        rng: np.random.Generator,
    ) -> Any:
        parameters = dict(self._hard)
        for name, rounding in self.rounding.items():
            parameters[f"{name}.weight"] = rounding.soft(variables[f"weight/{name}"])

        def quantize(name: str, x: Any) -> Any:
            if f"scale/{name}" not in variables:
                return self.network.quantize(name, x)
            keep = coin_flips(rng, x.shape) if self.settings.dropping else None
            qmax = self.network.tensors[name].qmax
            learned: tuple[Any, ...] = (variables[f"scale/{name}"],)
            if f"border/{name}" in variables:
                learned += (variables[f"border/{name}"],)
            return ste_quantize(x, *learned, qmax=qmax, keep=keep)

        output = _run(self.network.graph, parameters, self.block, inputs, quantize)
        loss = block_error(output, target)
        beta = regularizer_beta(step, self.settings.iterations)
        if beta is not None:
            for name in self.rounding:
                penalty = regularizer(variables[f"weight/{name}"], beta)
                loss = loss + self.settings.regularization * penalty
        return loss

    def _write_back(self) -> None:
        for name, rounding in self.rounding.items():
            self.network.codes[name] = rounding.codes(self.variables[f"weight/{name}"])
        for name in self.tensors:
            tensor = self.network.tensors[name]
            self.network.tensors[name] = replace(
                tensor,
                scale=float(self.variables[f"scale/{name}"]),
                coefficients=self.variables.get(f"border/{name}", tensor.coefficients),
            )


def coin_flips(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Independent booleans, each True with probability 1/2, from one random bit each."""
    count = int(np.prod(shape))
    bits = np.unpackbits(np.frombuffer(rng.bytes((count + 7) // 8), np.uint8), count=count)
    return bits.view(np.bool_).reshape(shape)
