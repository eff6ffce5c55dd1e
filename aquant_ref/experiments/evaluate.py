"""How good a network is: accuracy on the test images, and the error of its last learned block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.nn.accuracy import float_logits, top1
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.methods import A_ROUNDING, Config
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.snap import largest_change
from aquant_ref.simulate.a_rounding import ARounding
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.typing import Pixels, Reals

if TYPE_CHECKING:
    from aquant_ref.data import Images
    from aquant_ref.experiments.inputs import Inputs
    from aquant_ref.model.quantized_model import QuantizedModel


SEARCHED_IMAGES = 2000  # a search for the best codes is slow
SNAP_IMAGES = 512  # the first ones, on which the snap is measured


@takes_functions
def float_accuracy(inputs: Inputs, *, progress: Progress = quiet) -> float:
    """Top-1 of the float network, a fraction."""
    return top1(
        lambda codes: float_logits(inputs.graph, inputs.parameters, codes),
        inputs.test,
        batch=inputs.graph.images_at_once(),
        progress=progress,
    )


@takes_functions
def evaluate(
    inputs: Inputs,
    config: Config,
    model: QuantizedModel,
    *,
    dtype: Any = np.float64,
    progress: Progress = quiet,
) -> float:
    """Top-1 of the simulation in `dtype`, a fraction; of `a-rounding` that of its first images."""
    if config.method == A_ROUNDING:
        run = ARounding(model, inputs.parameters).logits
    else:
        run = Simulation(model, dtype=dtype).logits
    images = tested(inputs, config)
    return top1(run, images, batch=inputs.graph.images_at_once(), progress=progress)


def tested(inputs: Inputs, config: Config) -> Images:
    """The test images that a run is measured on: all, or for `a-rounding` evenly spread ones."""
    if config.method != A_ROUNDING:
        return inputs.test
    count = min(SEARCHED_IMAGES, len(inputs.test))
    return inputs.test.chosen(np.linspace(0, len(inputs.test) - 1, count).astype(np.int64))


@takes_functions
def effect_of_snap(
    inputs: Inputs, network: LearnedNetwork, model: QuantizedModel, *, progress: Progress = quiet
) -> dict[str, Any]:
    """Measure what the snap of `network` into `model` changed, as JSON values. Spec: AQ-SNAP-5.

    Top-1 before is that of the network as it was learned, in float32 and with its polynomials;
    after, that of the simulation; both on the first SNAP_IMAGES test images.
    """
    quantizers, weights, graph = Quantizers(network), network.weights(), network.graph

    def before(codes: Pixels) -> Reals:
        images = graph.to_float(codes)
        return graph.run(weights, images, hook=quantizers.store, operate=quantizers.operate)

    images = inputs.test.limited(min(SNAP_IMAGES, len(inputs.test)))
    runs = {"before": before, "after": Simulation(model).logits}
    batch = graph.images_at_once()
    return {
        "largest_change": largest_change(network, model),
        "images": len(images),
        "top1": {
            when: top1(run, images, batch=batch, progress=progress) for when, run in runs.items()
        },
    }
