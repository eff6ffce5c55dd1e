"""Run a method: observe, learn its stages, snap."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import check_calibration, check_images, instance, takes_functions
from aquant_ref.errors import InputError
from aquant_ref.model.quantized_model import QuantizedModel, stored_as
from aquant_ref.nn.graph import INPUT, PIXEL_SCALE, Graph
from aquant_ref.nn.structure import check_structure
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.adaround import nearest_codes
from aquant_ref.ptq.closed_form import closed_form
from aquant_ref.ptq.free_scales import scale_of_zeros
from aquant_ref.ptq.methods import FLOAT_BITS, ClosedForm, Config, FeedBack, Stage
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor, LearnedWindow
from aquant_ref.ptq.observers import (
    EVERY_IMAGE,
    OBSERVED,
    Observer,
    WeightScale,
    check_single,
    search_weight_scale,
)
from aquant_ref.ptq.placement import boundary_layers, check_blocks, layer_bits, tensor_bits
from aquant_ref.ptq.reconstruction import run_pass
from aquant_ref.ptq.snap import snap
from aquant_ref.ptq.wide_codes import widen
from aquant_ref.quant.window import WIDE_BITS
from aquant_ref.typing import Pixels, Reals

if TYPE_CHECKING:
    from aquant_ref.ptq.callbacks import Callback

OBSERVED_IMAGES = 256
OBSERVED_BATCH = 32


def observe(
    graph: Graph, parameters: Mapping[str, Reals], images: Reals, config: Config
) -> LearnedNetwork:
    """Round to nearest with searched scales, the start of every method.

    `graph` has no batch norm; `images` are real (N, C, H, W). Raise InputError, which names the
    node, for a graph that the method cannot quantize; also without images, for images that do not
    fit, and for a parameter or tensor beyond float32.
    """
    instance("graph", graph, Graph)
    instance("config", config, Config)
    check_structure(graph)
    bits = tensor_bits(graph, config.act_bits)
    _check_stages(graph, config, bits)
    check_calibration(images, graph.shapes[INPUT])
    graph.check_parameters(parameters)
    for name, values in parameters.items():
        check_single(name, values)
    tensors = _tensor_quantizers(graph, parameters, images, bits, config)
    scales = _weight_scales(graph, parameters, config)
    codes = {name: nearest_codes(parameters[f"{name}.weight"], s) for name, s in scales.items()}
    network = LearnedNetwork(graph, dict(parameters), scales, codes, tensors)
    snap(network, {})  # refuse now what could only be refused after learning
    return network


def _tensor_quantizers(
    graph: Graph,
    parameters: Mapping[str, Reals],
    images: Reals,
    bits: Mapping[str, int],
    config: Config,
) -> dict[str, LearnedTensor]:
    """Observe all stored tensors on the first images, and search their scales."""
    most = sys.maxsize if config.scale_search in EVERY_IMAGE else OBSERVED
    observers = {name: Observer(name, most) for name in bits if name != INPUT}
    reach = dict.fromkeys(graph.shapes, 0.0) | {INPUT: 1.0}

    def look(name: str, x: Reals) -> Reals:
        if name in observers:
            observers[name].look(x)
        else:
            check_single(name, x)
        reach[name] = max(reach[name], float(abs(x).max()))
        return x

    for start in range(0, min(len(images), OBSERVED_IMAGES), OBSERVED_BATCH):
        stop = min(start + OBSERVED_BATCH, OBSERVED_IMAGES)
        graph.run(parameters, images[start:stop], hook=look)
    tensors = {INPUT: LearnedTensor(PIXEL_SCALE, 8)}
    alive = {INPUT, *(name for name, observer in observers.items() if not observer.is_zero)}
    for name, observer in observers.items():
        if name in alive:
            scale, zero_point = observer.search(bits[name], config.scale_search)
        else:
            qmax = 2 ** bits[name] - 1
            scale, zero_point = scale_of_zeros(graph, name, reach, alive, qmax), 0
        tensors[name] = LearnedTensor(scale, bits[name], zero_point, signed=config.signed)
    return tensors


def _weight_scales(
    graph: Graph, parameters: Mapping[str, Reals], config: Config
) -> dict[str, WeightScale]:
    """Search the scales of all weights; weights in floating point have none."""
    if config.weight_bits == FLOAT_BITS:
        return {}
    return {
        name: search_weight_scale(
            name,
            parameters[f"{name}.weight"],
            bits,
            per_channel=name != graph.output,
            search=config.scale_search,
        )
        for name, bits in layer_bits(graph, config.weight_bits).items()
    }


def _check_stages(graph: Graph, config: Config, bits: Mapping[str, int]) -> None:
    """Raise InputError for blocks with several outputs, and for row borders of too many bits."""
    if config.stages():
        check_blocks(graph)
    if not (config.has_border and config.form.windowed):
        return
    boundary = boundary_layers(graph)
    for node in graph.nodes:
        source = stored_as(graph, bits, node.inputs[0])
        if node.op != "conv2d" or node.name in boundary or source in (None, INPUT):
            continue
        if source is not None and bits[source] >= WIDE_BITS:
            raise InputError(
                f"{node.name}: reads {source}, which leads to the last layer and so has "
                f"{bits[source]} bits; row and window borders need at most {WIDE_BITS - 1} bits"
            )


def feed_back(network: LearnedNetwork, rank: int, errors: str = "clipping") -> None:
    """Let every inner convolution of `network` feed back the error of its windows, in place."""
    for node in network.inner_convolutions():
        window = network.windows.get(node.name, LearnedWindow(np.zeros((1, 3), np.float32)))
        network.windows[node.name] = replace(window, feedback=rank, errors=errors)


@takes_functions
def learn(
    network: LearnedNetwork,
    images: Reals,
    config: Config,
    *,
    start: int = 0,
    progress: Progress = quiet,
    callback: Callback | None = None,
) -> list[dict[str, Any]]:
    """Run the stages of `config` from number `start` on `network`, in place; return block errors.

    `images` are real (N, C, H, W). Stage number i draws only from the seed (config.seed, i), so a
    run can continue from a stored stage. `callback` gets each iteration of each pass. Raise
    InputError as `reconstruction.run_pass` does.
    """
    errors: list[dict[str, Any]] = []
    for number, stage in list(enumerate(config.stages()))[start:]:
        if _feeds_clipping_back(stage):
            widen(network, images)
        if isinstance(stage, ClosedForm):
            closed_form(network, images, stage.border, progress=progress)
        elif isinstance(stage, FeedBack):
            feed_back(network, stage.rank, stage.errors)
        else:
            seed = (config.seed, number)
            errors += run_pass(
                network, images, stage, seed=seed, progress=progress, callback=callback
            )
    return errors


def _feeds_clipping_back(stage: Stage) -> bool:
    """Tell whether `stage` makes borders that feed back the error of clipping."""
    if isinstance(stage, FeedBack):
        return stage.errors == "clipping"
    form = stage.border
    return form is not None and form.feedback > 0 and form.errors == "clipping"


@takes_functions
def learned(
    graph: Graph,
    parameters: Mapping[str, Reals],
    pixels: Pixels,
    config: Config,
    *,
    progress: Progress = quiet,
    callback: Callback | None = None,
) -> tuple[LearnedNetwork, dict[str, Any]]:
    """Quantize a float network with the method of `config`, up to the snap.

    `graph` has folded batch norm; `pixels` are the calibration images, uint8 (N, C, H, W). Return
    the network, and its configuration and block errors as JSON values. Raise InputError for
    parameters that do not fit or are not finite, for fewer images than a batch, and if learning
    diverges.
    """
    instance("graph", graph, Graph)
    instance("config", config, Config)
    check_images(pixels, graph.shapes[INPUT])
    config.check_images(len(pixels))
    images = graph.to_float(pixels)
    network = observe(graph, parameters, images, config)
    errors = learn(network, images, config, progress=progress, callback=callback)
    return network, {"config": asdict(config), "block_errors": errors}


@takes_functions
def quantize_with(
    graph: Graph,
    parameters: Mapping[str, Reals],
    pixels: Pixels,
    config: Config,
    *,
    progress: Progress = quiet,
    callback: Callback | None = None,
) -> QuantizedModel:
    """Quantize with a `Config`: `learned`, then the snap; raise InputError as both do.

    `callback` gets each iteration, and cannot change the result.
    """
    return snap(*learned(graph, parameters, pixels, config, progress=progress, callback=callback))


@takes_functions
def quantize(
    graph: Graph,
    weights: Mapping[str, Reals],
    images: Pixels,
    bits: str = "W4A4",
    method: str = "aquant",
    *,
    progress: Progress = quiet,
    callback: Callback | None = None,
    **settings: Any,
) -> QuantizedModel:
    """Quantize a float network with the calibration `images`, uint8 (N, C, H, W).

    `graph` and `weights` have no batch norm, as `fold` returns them. `bits` gives those of weights
    and activations, 1 to 16 each, such as "W4A4"; W32 leaves the weights in floating point.
    `method` is rtn, adaround, brecq, brecq-scales, qdrop, qdrop-scales, qdrop-bias, aquant,
    aquant-bias, aquant-joint, aquant-closed-form, aquant-feedback, aquant-feedback-bias or
    a-rounding; with "-e2e" after the name, all but the last end with a stage for the logits.
    `progress(steps, label)` returns the steps, and may show them; `callback` gets each iteration.

    `settings` are the other fields of `Config`: `iterations` (500 a block), `batch` (32, and at
    least as many images), `seed` (0), `border` (a `BorderSpec` or words such as "row/linear"; the
    method's own), `search` of scales ("qdrop", "brecq" or "qdrop-all"; the method's own), `signed`
    (False) and `mixing` ("genie", or "qdrop" for QDrop's pass as it was published).
    Raise InputError, which names the parameter, as `Config` and `quantize_with` do.
    """
    instance("weights", weights, Mapping)
    config = Config.of(bits, method, **settings)
    return quantize_with(graph, weights, images, config, progress=progress, callback=callback)


def nearest(
    graph: Graph, parameters: Mapping[str, Reals], pixels: Pixels, config: Config
) -> QuantizedModel:
    """Round the same network to nearest (method `rtn`), as a baseline."""
    instance("config", config, Config)
    return quantize_with(graph, parameters, pixels, replace(config, method="rtn", border=""))
