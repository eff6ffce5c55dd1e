"""Quantize the networks that a claim compares; learn a first pass that they share only once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aquant_ref.checks import takes_functions
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.pipeline import learn, observe

if TYPE_CHECKING:
    from aquant_ref.experiments.inputs import Inputs
    from aquant_ref.ptq.methods import Config
    from aquant_ref.ptq.network import LearnedNetwork


@takes_functions
def learned(
    inputs: Inputs, configs: Sequence[Config], *, progress: Progress = quiet
) -> list[LearnedNetwork]:
    """Quantize the network of `inputs` by each of `configs`, without the snap.

    The result equals `ptq.pipeline.learn` for each configuration. Configurations whose first pass
    is that of `qdrop`, and which agree in all but method and border, share that pass.
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
