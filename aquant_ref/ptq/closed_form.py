"""Fit borders in closed form: a regression on the calibration images, without gradients.

Spec: AQ-BORDER-4, AQ-BORDER-6. The activation t~ that arrives at a quantizer has errors; the wanted
value is t, the activation of the float network. Least squares fits

    B(t~) = 1/2 + t~ - rho*E[t | t~]

where rho compares float and quantized weights over all products of the border: for a channel the
products of all its readers, for a row its own. Tensors follow in network order, each with all
earlier borders in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.checks import check_calibration, takes_functions
from aquant_ref.nn.graph import INPUT, Block
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor, LearnedWindow, Quantizers
from aquant_ref.ptq.placement import boundary_layers, layers
from aquant_ref.ptq.reconstruction import run_block
from aquant_ref.quant.border import closed_form_coefficients, single_crossing
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.nn.operations import Node
    from aquant_ref.ptq.border_spec import BorderSpec

Arrays = dict[str, Reals]

SAMPLED_IMAGES = 256
SAMPLES = 1 << 16  # per channel; fewer than twice as many are taken
LEAST_SAMPLES = 32  # inside the code range; with fewer, the border of a channel stays 1/2


@takes_functions
def closed_form(
    network: LearnedNetwork, images: Reals, form: BorderSpec, *, progress: Progress = quiet
) -> None:
    """Give `network` borders of this form, in place, from real `images` (N, C, H, W).

    A fused border has no closed form: its window term stays 0. Raise InputError for images that do
    not fit the network.
    """
    graph = network.graph
    images = check_calibration(images[:SAMPLED_IMAGES], graph.shapes[INPUT])
    exact: Arrays = {INPUT: images}
    quantized: Arrays = {INPUT: images}
    blocks = graph.blocks()
    for number in progress(range(len(blocks)), "closed form"):
        block = blocks[number]
        wanted = graph.evaluate(network.parameters, exact, nodes=block.nodes)
        for name in _bordered(network, block):
            arriving = _arriving(network, block, quantized, name)
            _fit(network, block, name, form, arriving, wanted[name])
        output = run_block(graph, network.weights(), block, quantized, Quantizers(network))
        needed = {name for later in blocks[number + 1 :] for name in later.inputs}
        exact[block.output], quantized[block.output] = wanted[block.output], output
        exact = {n: x for n, x in exact.items() if n in needed}
        quantized = {n: x for n, x in quantized.items() if n in needed}


def _readers(network: LearnedNetwork, block: Block, name: str) -> list[Node]:
    """Return the inner convolutions of the block that read the codes of tensor `name`."""
    learned = set(layers(network.graph)) - boundary_layers(network.graph)
    return [
        node
        for node in block.nodes
        if node.name in learned and node.op == "conv2d" and network.source(node.inputs[0]) == name
    ]


def _bordered(network: LearnedNetwork, block: Block) -> list[str]:
    """Return the tensors that get a border with this block, in the order of computation."""
    inner = [node.name for node in block.nodes if node.name != block.output]
    return [
        name
        for name in (*block.inputs, *inner)
        if name != INPUT and name in network.tensors and _readers(network, block, name)
    ]


def _arriving(network: LearnedNetwork, block: Block, inputs: Arrays, name: str) -> Reals:
    """Compute tensor `name` as it arrives at its quantizer, with the borders fitted so far."""
    if name in inputs:
        return inputs[name]
    last = next(i for i, node in enumerate(block.nodes) if node.name == name)
    up_to_name = Block(block.name, block.nodes[: last + 1], block.inputs, name)
    return np.asarray(
        run_block(network.graph, network.weights(), up_to_name, inputs, Quantizers(network))
    )


def _products(network: LearnedNetwork, node: Node) -> tuple[Reals, Reals]:
    """Return <w, w_hat> and <w_hat, w_hat> over the outputs, (C, kh*kw) each."""
    weights = network.parameters[f"{node.name}.weight"].astype(np.float64)
    quantized = network.weights()[f"{node.name}.weight"].astype(np.float64)
    groups = node["groups"]
    shape = (groups, len(weights) // groups, weights.shape[1], -1)
    w, w_hat = weights.reshape(shape), quantized.reshape(shape)
    channels = groups * weights.shape[1]
    product, power = ((w_hat * each).sum(axis=1).reshape(channels, -1) for each in (w, w_hat))
    return product, power


def _ratio(product: Reals, power: Reals) -> Reals:
    return np.where(power == 0, 1.0, product / np.where(power == 0, 1, power))


def _fit(
    network: LearnedNetwork,
    block: Block,
    name: str,
    form: BorderSpec,
    arriving: Reals,
    wanted: Reals,
) -> None:
    readers = _readers(network, block, name)
    products = [_products(network, node) for node in readers]

    @cache
    def ends(degree: int) -> list[Reals]:
        """Return the coefficients for rho = 0 and for rho = 1."""
        return [
            _of_channels(network, name, form, arriving, wanted, rho=rho, degree=degree)
            for rho in (0.0, 1.0)
        ]

    def fitted(rho: Reals, degree: int) -> Reals:
        """Return the coefficients for each rho (channels, rows or 1); they are affine in rho."""
        low, high = (np.repeat(end, len(rho) // len(end), axis=0) for end in ends(degree))
        return np.asarray((low + rho[:, None] * (high - low)).astype(np.float32))

    if form.windowed:
        _fit_windows(network, form, readers, products, fitted)
    else:
        network.tensors[name] = _fit_tensor(network.tensors[name], form, products, fitted)


def _fit_tensor(
    tensor: LearnedTensor,
    form: BorderSpec,
    products: Sequence[tuple[Reals, Reals]],
    fitted: Callable[[Reals, int], Reals],
) -> LearnedTensor:
    """Return the quantizer with a fitted border, of a lower degree if crossings are not unique."""
    product, power = (sum(p[i].sum(axis=1) for p in products) for i in (0, 1))
    if form.granularity == "tensor":
        product, power = product.sum(keepdims=True), power.sum(keepdims=True)
    rho = _ratio(product, power)
    coefficients = fitted(rho, form.columns - 1)
    for degree in reversed(range(form.columns - 1)):
        single = single_crossing(
            coefficients, tensor.bits, zero_point=tensor.zero_point, squash=form.squash
        )
        if single.all():
            break
        coefficients = np.where(single[:, None], coefficients, fitted(rho, degree))
    return replace(tensor, coefficients=coefficients, squash=form.squash)


def _fit_windows(
    network: LearnedNetwork,
    form: BorderSpec,
    readers: Sequence[Node],
    products: Sequence[tuple[Reals, Reals]],
    fitted: Callable[[Reals, int], Reals],
) -> None:
    """Give each reader a fitted border that rounds anew in every window."""
    for node, (product, power) in zip(readers, products, strict=True):
        rows = product.size
        count = {"row": rows, "channel": len(product), "tensor": 1}[form.granularity]
        rho = _ratio(*(each.reshape(count, -1).sum(axis=1) for each in (product, power)))
        network.windows[node.name] = LearnedWindow(
            fitted(rho, form.columns - 1),
            np.zeros((rows, 3), np.float32) if form.fused else None,
            form.squash,
            form.feedback,
            form.errors,
        )


def _of_channels(
    network: LearnedNetwork,
    name: str,
    form: BorderSpec,
    arriving: Reals,
    wanted: Reals,
    *,
    rho: float,
    degree: int,
) -> Reals:
    """Fit the coefficients (C or 1, 3) of one rho."""
    tensor = network.tensors[name]
    low, high = -tensor.zero_point, tensor.qmax - tensor.zero_point

    def fit(t_arriving: Reals, t_wanted: Reals) -> Reals:
        step = max(1, t_arriving.size // SAMPLES)
        a, b = (t.reshape(-1)[::step] / tensor.scale for t in (t_arriving, t_wanted))
        if ((a > low) & (a < high)).sum() < LEAST_SAMPLES:
            return np.zeros(3)
        return closed_form_coefficients(
            a, b, rho, tensor.qmax, zero_point=tensor.zero_point, degree=degree
        )

    if form.granularity == "tensor":
        return fit(arriving, wanted)[None]
    return np.stack([fit(arriving[:, c], wanted[:, c]) for c in range(arriving.shape[1])])
