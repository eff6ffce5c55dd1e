"""Choose what wide codes hold: fraction bits, or steps beyond the codes (SPEC.md, AQ-FEEDBACK-3).

What lies beyond a wide code cannot be fed back, and neither can what its last bit rounds away. The
calibration images say which of both is larger.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.ptq.network import Quantizers
from aquant_ref.quant.window import WIDE_BITS, WideCodes, fraction_bits

if TYPE_CHECKING:
    from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor
    from aquant_ref.typing import Reals

IMAGES, BATCH = 256, 32
SAMPLES = 1 << 15  # of a batch


def widen(network: LearnedNetwork, images: Reals) -> None:
    """Give the tensors of `network` whose readers feed errors back their wide codes, in place.

    Spec: AQ-FEEDBACK-3. The real `images` (N, C, H, W) go through the network as it is so far.
    """
    sources = {network.source(node.inputs[0]) for node in network.inner_convolutions()}
    errors = {
        name: dict.fromkeys(_candidates(network.tensors[name]), 0.0)
        for name in sources
        if name is not None and network.tensors[name].wide is None
    }
    if not errors:
        return
    quantizers, weights = Quantizers(network), network.weights()

    def store(name: str, x: Reals) -> Reals:
        if name in errors:
            _add_errors(errors[name], x, network.tensors[name])
        return np.asarray(quantizers.store(name, x))

    for start in range(0, min(len(images), IMAGES), BATCH):
        batch = images[start : min(start + BATCH, IMAGES)]
        network.graph.run(weights, batch, hook=store, operate=quantizers.operate)
    for name, of_tensor in errors.items():
        best = min(of_tensor, key=lambda wide: of_tensor[wide])  # of equals, the first
        network.tensors[name] = replace(network.tensors[name], wide=best)


def _candidates(tensor: LearnedTensor) -> list[WideCodes]:
    """Return all wide codes of 8 bits that hold every code; most fraction bits first."""
    found = []
    for bits in range(fraction_bits(tensor.bits), 0, -1):
        beyond = (1 << WIDE_BITS - bits) - 1 - tensor.qmax  # whole steps
        below = range(beyond + 1) if tensor.zero_point else (0,)
        found += [WideCodes(bits, -tensor.zero_point - steps) for steps in below]
    return found


def _add_errors(errors: dict[WideCodes, float], x: Reals, tensor: LearnedTensor) -> None:
    """Add to each of `errors` the squared error of its wide codes for a sample of x."""
    step = x.size // SAMPLES | 1  # odd, so that it meets every channel and column
    t = x.reshape(-1)[::step] / tensor.scale
    for wide in errors:
        parts = 1 << wide.fraction_bits
        held = np.clip(np.floor(t * parts + 0.5) / parts, wide.least, wide.end)
        errors[wide] += float(np.sum((t - held) ** 2, dtype=np.float64))
