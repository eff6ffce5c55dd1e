"""The methods, one code path: nearest rounding, then the stages that a method adds.

| method | stages after nearest rounding with searched scales |
|---|---|
| `rtn` | - |
| `adaround` | weights, layer by layer (Nagel et al., 2020) |
| `brecq` | weights, block by block, without quantized activations; then scales (Li et al., 2021) |
| `qdrop` | weights and scales, block by block, dropping quantization at random (Wei et al., 2022) |
| `qdrop-scales` | `qdrop`; scales (a control) |
| `qdrop-bias` | `qdrop`; scales and biases (a control) |
| `aquant` | `qdrop`; scales and borders |
| `aquant-bias` | `qdrop`; scales, borders and biases |
| `aquant-joint` | `qdrop` with borders learned beside the weights |
| `aquant-closed-form` | `qdrop`; borders by regression, no gradient |
| `aquant-feedback` | `qdrop`; borders that feed the error of the window back, nothing learned |
| `aquant-feedback-bias` | `aquant-feedback`; scales and biases, with the feedback on |
| `a-rounding` | `qdrop`; at inference each activation rounded as suits the float network best |

`a-rounding` looks at the float network at inference: it says what there is to gain, not more. The
conventions are those of the official codes of QDrop and BRECQ, named with their differences at
`pass_config.ReconstructionPass` and `observers`. A second pass has 2/5 of the iterations of the
first, rounded up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import (
    check_calibration,
    check_images,
    flag,
    instance,
    integer,
    settle,
    shown,
    word,
)
from aquant_ref.errors import InputError
from aquant_ref.model.quantized_model import QuantizedModel, stored_as
from aquant_ref.nn.graph import INPUT, PIXEL_SCALE, Graph
from aquant_ref.nn.structure import check_structure
from aquant_ref.nn.training.train import LARGEST_SEED
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.adaround import nearest_codes
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS, BorderSpec
from aquant_ref.ptq.callbacks import Watch
from aquant_ref.ptq.closed_form import closed_form
from aquant_ref.ptq.free_scales import scale_of_zeros
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor, LearnedWindow
from aquant_ref.ptq.observers import SEARCHES, Observer, check_single, search_weight_scale
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.placement import boundary_layers, check_blocks, layer_bits, tensor_bits
from aquant_ref.ptq.reconstruction import run_pass
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.qparams import check_bits
from aquant_ref.quant.window import WIDE_BITS, fraction_bits

Array = NDArray[Any]

FIRST = ReconstructionPass("qdrop", 500, weights=True, dropping=True)
SECOND = ReconstructionPass("second", 200)
FLOAT_BITS = 32  # of weights that stay in floating point
A_ROUNDING = "a-rounding"
OBSERVED_IMAGES = 256
OBSERVED_BATCH = 32


@dataclass(frozen=True)
class ClosedForm:
    """The stage that finds borders by regression."""

    border: BorderSpec
    name: str = "closed form"


@dataclass(frozen=True)
class FeedBack:
    """The stage that lets every inner convolution feed the error of its windows back."""

    rank: int
    name: str = "feedback"


Stage = ReconstructionPass | ClosedForm | FeedBack


def _aquant(config: Config, *, biases: bool = False) -> tuple[Stage, ...]:
    start = (ClosedForm(config.form),) if config.form.start == "closed" else ()
    return (FIRST, *start, replace(SECOND, name="border", border=config.form, biases=biases))


METHODS: dict[str, Callable[[Config], tuple[Stage, ...]]] = {
    "rtn": lambda config: (),
    "adaround": lambda config: (
        replace(FIRST, name="adaround", unit="layer", activations=False, dropping=False),
    ),
    "brecq": lambda config: (
        replace(FIRST, name="brecq", activations=False, dropping=False),
        replace(SECOND, name="scales"),
    ),
    "qdrop": lambda config: (FIRST,),
    "qdrop-scales": lambda config: (FIRST, replace(SECOND, name="scales")),
    "qdrop-bias": lambda config: (FIRST, replace(SECOND, name="bias", biases=True)),
    "aquant": _aquant,
    "aquant-bias": lambda config: _aquant(config, biases=True),
    "aquant-joint": lambda config: (replace(FIRST, name="joint", border=config.form),),
    "aquant-closed-form": lambda config: (FIRST, ClosedForm(config.form)),
    "aquant-feedback": lambda config: (FIRST, FeedBack(config.form.feedback)),
    "aquant-feedback-bias": lambda config: (
        FIRST,
        FeedBack(config.form.feedback),
        replace(SECOND, name="bias", biases=True),
    ),
    A_ROUNDING: lambda config: (FIRST,),
}
DEFAULT_FORMS = {
    "aquant-closed-form": BorderSpec(squash="clip"),
    "aquant-feedback": BorderSpec(feedback=ALL_DIRECTIONS),
    "aquant-feedback-bias": BorderSpec(feedback=ALL_DIRECTIONS),
}


@dataclass(frozen=True)
class Config:
    """A run: the method, the bits, how long it learns, and the form of its borders.

    `iterations` is those of the first pass for each block; a second pass has 2/5 of it. `border` is
    written as `BorderSpec.parse` reads it; empty is the default of the method. `weight_bits` is 1
    to 16, or 32 for weights in floating point. `search` is how scales are searched, one of
    `observers.SEARCHES`; empty is that of the method, "brecq" for `brecq` and "qdrop" for all
    others. `signed` stores activations as signed codes, which changes no result (AQ-AFFINE-5).
    """

    method: str = "aquant"
    weight_bits: int = 2
    act_bits: int = 2
    iterations: int = 500
    batch: int = 32
    seed: int = 0
    border: str = ""
    search: str = ""
    signed: bool = False

    def __post_init__(self) -> None:
        settle(
            self,
            method=word("method", self.method, METHODS),
            weight_bits=_weight_bits(self.weight_bits),
            act_bits=check_bits("activation bits", self.act_bits),
            iterations=integer("iterations", self.iterations),
            batch=integer("batch", self.batch, 1),
            seed=integer("seed", self.seed, 0, LARGEST_SEED),
            search=word("search", self.search, ("", *SEARCHES)),
            signed=flag("signed", self.signed),
        )
        if not isinstance(self.border, str):
            written = f"; give {str(self.border)!r}" if isinstance(self.border, BorderSpec) else ""
            raise InputError(f"border: is written in words, got {shown(self.border)}{written}")
        if self.border and not self.has_border:
            raise InputError(f"border: method {self.method!r} has none")
        if self.has_border and self.form.windowed:
            fraction_bits(self.act_bits)
        learned = replace(self.form, feedback=0)
        if self.method.startswith("aquant-feedback") and learned != BorderSpec():
            raise InputError(f"border: {self.method!r} learns none, it takes feedback<r> alone")
        self.stages()  # refuses a border that the method cannot learn

    @property
    def scale_search(self) -> str:
        """How scales are searched."""
        return self.search or ("brecq" if self.method == "brecq" else "qdrop")

    @property
    def has_border(self) -> bool:
        """Whether the method has borders."""
        return self.method.startswith("aquant")

    @cached_property
    def form(self) -> BorderSpec:
        """The form of the borders."""
        default = DEFAULT_FORMS.get(self.method, BorderSpec())
        return BorderSpec.parse(self.border, default)

    def not_lowered(self) -> str | None:
        """Why a run of this kind has no integer program; None if it has one. Spec: AQ-IDEAL-3."""
        if self.method == A_ROUNDING:
            return "a-rounding looks at the float network at inference"
        if self.weight_bits == FLOAT_BITS:
            return "the weights stay in floating point"
        if self.has_border and self.form.feedback:
            return "a border with feedback is not lowered yet"
        return None

    def check_images(self, images: Any) -> int:
        """The number of calibration images; raises InputError for one that is none, or is too small
        for the method.
        """
        count = integer("--images", images, 1)
        if count < self.batch and any(
            isinstance(stage, ReconstructionPass) for stage in self.stages()
        ):
            raise InputError(
                f"--images: {count} calibration images are fewer than a batch of {self.batch}"
            )
        return count

    def stages(self) -> tuple[Stage, ...]:
        """The stages of the method with this run's iterations and batch."""
        return tuple(
            replace(
                each,
                batch=self.batch,
                iterations=ceil(self.iterations * each.iterations / FIRST.iterations),
            )
            if isinstance(each, ReconstructionPass)
            else each
            for each in METHODS[self.method](self)
        )


def _weight_bits(bits: Any) -> int:
    """1 to 16, or 32; raises InputError."""
    if isinstance(bits, int | np.integer) and bits == FLOAT_BITS:
        return FLOAT_BITS
    return check_bits("weight bits", bits)


def observe(
    graph: Graph, parameters: Mapping[str, Array], images: Array, config: Config
) -> LearnedNetwork:
    """Nearest rounding with searched scales: where every method starts.

    `graph` without batch norm, `images` (N, C, H, W) real. Raises InputError, which names the node,
    for a graph that cannot be quantized so; for images that do not fit, or if there are none; for a
    parameter or a tensor that leaves float32.
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
    observers = {name: Observer(name) for name in bits if name != INPUT}

    reach = dict.fromkeys(graph.shapes, 0.0) | {INPUT: 1.0}

    def look(name: str, x: Array) -> Array:
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
    scales = {}
    if config.weight_bits != FLOAT_BITS:
        scales = {
            name: search_weight_scale(
                name,
                parameters[f"{name}.weight"],
                bits,
                per_channel=name != graph.output,
                search=config.scale_search,
            )
            for name, bits in layer_bits(graph, config.weight_bits).items()
        }
    codes = {name: nearest_codes(parameters[f"{name}.weight"], s) for name, s in scales.items()}
    network = LearnedNetwork(graph, dict(parameters), scales, codes, tensors)
    snap(network, {})  # what would be refused after learning is refused now
    return network


def _check_stages(graph: Graph, config: Config, bits: Mapping[str, int]) -> None:
    """Raise InputError where a block has several outputs, or where a border would round in windows
    what has too many bits.
    """
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
                f"{bits[source]} bits; a border that rounds in windows needs fewer than {WIDE_BITS}"
            )


def feed_back(network: LearnedNetwork, rank: int) -> None:
    """Let every inner convolution of `network` feed the error of its windows back, in place."""
    boundary = boundary_layers(network.graph)
    for node in network.graph.nodes:
        if node.op != "conv2d" or node.name in boundary:
            continue
        if network.source(node.inputs[0]) in (None, INPUT):
            continue
        window = network.windows.get(node.name, LearnedWindow(np.zeros((1, 3), np.float32)))
        network.windows[node.name] = replace(window, feedback=rank)


def learn(
    network: LearnedNetwork,
    images: Array,
    config: Config,
    *,
    start: int = 0,
    progress: Progress = quiet,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Take `network` through the stages of `config` from number `start` on, in place.

    `images` (N, C, H, W) real. Returns the block errors. Stage number i draws from the seed
    (config.seed, i) alone, so that stages may be stored and gone on with. `watch` is shown each
    iteration of each pass.
    """
    errors: list[dict[str, Any]] = []
    for number, stage in list(enumerate(config.stages()))[start:]:
        if isinstance(stage, ClosedForm):
            closed_form(network, images, stage.border, progress=progress)
        elif isinstance(stage, FeedBack):
            feed_back(network, stage.rank)
        else:
            seed = (config.seed, number)
            errors += run_pass(network, images, stage, seed=seed, progress=progress, watch=watch)
    return errors


def learned(
    graph: Graph,
    parameters: Mapping[str, Array],
    codes: Array,
    config: Config,
    *,
    progress: Progress = quiet,
    watch: Watch | None = None,
) -> tuple[LearnedNetwork, dict[str, Any]]:
    """A float network (batch norm folded) quantized with the method of `config`, before the snap.

    With it comes how it was made, as JSON values. `codes` are the calibration images, uint8
    (N, C, H, W). Raises InputError for parameters that do not fit or are not finite, no images or
    fewer than a batch, or learning that diverges.
    """
    instance("graph", graph, Graph)
    instance("config", config, Config)
    check_images(codes, graph.shapes[INPUT], "calibration")
    config.check_images(len(codes))
    images = graph.to_float(codes)
    network = observe(graph, parameters, images, config)
    errors = learn(network, images, config, progress=progress, watch=watch)
    return network, {"config": asdict(config), "block_errors": errors}


def quantize(
    graph: Graph,
    parameters: Mapping[str, Array],
    codes: Array,
    config: Config,
    *,
    progress: Progress = quiet,
    watch: Watch | None = None,
) -> QuantizedModel:
    """The quantized model: `learned`, and then the snap; raises InputError as both do.

    `watch` is shown each iteration, and changes nothing.
    """
    return snap(*learned(graph, parameters, codes, config, progress=progress, watch=watch))


def nearest(
    graph: Graph, parameters: Mapping[str, Array], codes: Array, config: Config
) -> QuantizedModel:
    """The same network rounded to nearest (method `rtn`), to compare with."""
    instance("config", config, Config)
    return quantize(graph, parameters, codes, replace(config, method="rtn", border=""))
