"""Networks that differ only in their second pass: the first is learned once and shared."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from aquant_ref.experiments.inputs import Inputs
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.pipeline import learn, observe


def learned(
    inputs: Inputs, configs: Sequence[Config], *, progress: Progress = quiet
) -> list[LearnedNetwork]:
    """The network of `inputs` quantized as each of `configs` says, not yet snapped.

    Equal to `ptq.pipeline.learn` from the start for each. A first pass that is that of `qdrop` is
    run once for all configurations that agree in everything else.
    """
    images = inputs.graph.to_float(inputs.calibration)
    shared: dict[Any, LearnedNetwork] = {}
    networks = []
    for config in configs:
        first = replace(config, method="qdrop", border="")
        if config.stages()[:1] != first.stages():
            network = observe(inputs.graph, inputs.parameters, images, config)
            learn(network, images, config, progress=progress)
        else:
            if first not in shared:
                shared[first] = observe(inputs.graph, inputs.parameters, images, first)
                learn(shared[first], images, first, progress=progress)
            network = deepcopy(shared[first])
            learn(network, images, config, start=1, progress=progress)
        networks.append(network)
    return networks
