"""What the commands do, as functions: the main job and training.

Everything that can be refused is refused before the long work starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reference_models
from aquant_ref import data
from aquant_ref.certification.certificate import LayerCertificate, certify
from aquant_ref.checks import integer, takes_functions
from aquant_ref.comparison.agreement import Agreement, compare, compare_with_ideal
from aquant_ref.engine.program import MODEL, Program
from aquant_ref.errors import InputError
from aquant_ref.experiments.artifacts import bit_exact
from aquant_ref.experiments.evaluate import effect_of_snap, evaluate, float_accuracy
from aquant_ref.experiments.inputs import Inputs, check_classes, check_images
from aquant_ref.experiments.origin import EDITION
from aquant_ref.experiments.recorded import record
from aquant_ref.formats import native
from aquant_ref.formats.atomic import (
    check_writable_file,
    check_writable_together,
    replacing_together,
    write_json_atomic,
)
from aquant_ref.formats.lock import locked
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.nn.accuracy import top1
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.training.train import train as train_graph
from aquant_ref.outputs import FILES, checkpoint_of
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.pipeline import learned, nearest
from aquant_ref.ptq.snap import snap
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.versions import versions

if TYPE_CHECKING:
    from aquant_ref.data import Images
    from aquant_ref.experiments.experiment import Experiment
    from aquant_ref.model.quantized_model import QuantizedModel


@dataclass(frozen=True)
class Lowered:
    """An integer program, beside the simulation of its model; `how` says how it was lowered.

    A program in fixed point has no certificates, but `ideal`, its agreement with the ideal
    semantics.
    """

    program: Program
    certificates: tuple[LayerCertificate, ...]
    agreement: Agreement
    ideal: Agreement | None
    how: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """The result of the main job: `result` is what result.json holds.

    A model that has no integer form is not `lowered`.
    """

    model: QuantizedModel
    lowered: Lowered | None
    result: dict[str, Any]

    @property
    def exact(self) -> bool:
        """Whether engine and simulation agree, where there is an engine."""
        return self.lowered is None or self.lowered.agreement.exact


@takes_functions
def run_experiment(
    experiment: Experiment,
    *,
    out: str | None = None,
    progress: Progress = quiet,
    say: Say = silent,
) -> Outcome:
    """Quantize a model on a data set, lower it, and run it beside its simulation.

    The whole test split is run. With `out`, writes FILES there. Raises InputError for any bad
    input.
    """
    started = time.monotonic()
    config = experiment.config
    directory = None if out is None else Path(out)
    if directory is not None:
        check_writable_together(directory, FILES)
    inputs = experiment.inputs(progress=progress, say=say)
    recorded = record(experiment.data)
    graph, parameters, test = inputs.graph, inputs.parameters, inputs.test
    calibration = inputs.calibration
    seconds = {"load": time.monotonic() - started}

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        seconds[what] = time.monotonic() - begun
        say(f"{what}: {seconds[what]:.1f} s")

    with timed("float"):
        float_top1 = float_accuracy(inputs, progress=progress)
    with timed("nearest"):
        start = nearest(graph, parameters, calibration, config)
        if config.not_lowered() is None:
            # refuses before the long work what leaves int32
            lowering_of(start, experiment.lowering)
        rounded = Simulation(start)
        batch = graph.images_at_once()
        nearest_top1 = top1(rounded.logits, test, batch=batch, progress=progress)
    with timed(config.method):
        network, source = learned(graph, parameters, calibration, config, progress=progress)
    with timed("snap"):
        quantized = snap(network, {**source, "classes": list(inputs.classes)})
        snapped = effect_of_snap(inputs, network, quantized, progress=progress)
    lowered = None
    top: dict[str, float | None] = {"float": float_top1, "nearest": nearest_top1}
    if config.not_lowered() is None:
        lowered = _lowered(experiment, quantized, test, timed, progress)
        top |= lowered.agreement.top1
    else:
        with timed("simulate"):
            top["simulation"] = evaluate(inputs, config, quantized, progress=progress)
        top["engine"] = None
    seconds["total"] = time.monotonic() - started
    result = {
        **_of_model(experiment, inputs),
        "data_set": recorded,
        "method": config.method,
        "weight_bits": config.weight_bits,
        "act_bits": config.act_bits,
        "seed": config.seed,
        "config": {
            **asdict(config),
            "images": experiment.images,
            "stages": [asdict(each) for each in config.stages()],
            "block_errors": quantized.source["block_errors"],
        },
        **({"lowering": None} if lowered is None else lowered.how),
        "top1": top,
        "images": experiment.images,
        "snap": snapped,
        **_of_program(lowered),
        "not_lowered": config.not_lowered(),
        "seconds": {what: round(value, 3) for what, value in seconds.items()},
        "versions": versions(),
        MODEL: quantized.sha256(),
    }
    outcome = Outcome(quantized, lowered, result)
    if directory is not None:
        _write(directory, outcome)
    return outcome


def _lowered(
    experiment: Experiment,
    quantized: QuantizedModel,
    test: Images,
    timed: Callable[[str], AbstractContextManager[None]],
    progress: Progress,
) -> Lowered:
    """Lower the model, certify a program of thresholds, and run it beside its simulation."""
    certificates: tuple[LayerCertificate, ...] = ()
    ideal: Agreement | None = None
    with timed("lower and certify"):
        lowering = lowering_of(quantized, experiment.lowering)
        program = lowering.program
        if experiment.lowering is None:
            certificates = certify(lowering)
    with timed("compare"):
        agreement = compare(quantized, program, test, progress=progress)
        if experiment.lowering is not None:
            ideal = compare_with_ideal(quantized, program, test, progress=progress)
    return Lowered(program, certificates, agreement, ideal, lowering.how)


def _of_program(lowered: Lowered | None) -> dict[str, Any]:
    """Return what a result says of the program, None for each where there is none."""
    if lowered is None:
        return dict.fromkeys(("bit_exact", "certificate", "ideal"))
    ideal = lowered.ideal
    return {
        "bit_exact": bit_exact(lowered.agreement),
        "certificate": _certificate(lowered.certificates) if lowered.certificates else None,
        "ideal": None if ideal is None else {"top1": ideal.top1, "differ": ideal.shares},
    }


def _of_model(experiment: Experiment, inputs: Inputs) -> dict[str, str]:
    """Say which model on which data set, and which file a network of the user's own is in."""
    with_weights = "" if experiment.weights is None else f" with {experiment.weights}"
    named = {"model": experiment.model, "data": f"{experiment.data}{with_weights}"}
    own = inputs.model_file_sha256
    return {**named, "model_file_sha256": own} if own else named


def _certificate(certificates: Sequence[LayerCertificate]) -> dict[str, Any]:
    return {
        "layers": len(certificates),
        "certified": sum(c.certified for c in certificates),
        "fragile": sum(not c.certified for c in certificates),
        "each": [{**asdict(c), "certified": c.certified} for c in certificates],
    }


def _write(directory: Path, outcome: Outcome) -> None:
    with replacing_together(directory, FILES) as folder:
        outcome.model.save(folder / FILES[0])
        if outcome.lowered is not None:
            outcome.lowered.program.save(folder / FILES[1])
        write_json_atomic(folder / FILES[2], outcome.result)


@takes_functions
def train_model(
    model: str,
    data_set: str,
    *,
    out: Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    progress: Progress = quiet,
    say: Say = silent,
) -> Path:
    """Train a reference model and write its weights; returns their path.

    A checkpoint beside the weights is written after each epoch, resumed from if it is there, and
    removed at the end. Raises InputError for any bad input.
    """
    definition = reference_models.get(model)
    data.check(data_set)
    name = data.name(data_set)
    if not definition.recipes:
        raise InputError(f"{model}: is not trained here; give a checkpoint as weights")
    if name not in definition.recipes and epochs is None:
        raise InputError(f"{model}: has no recipe for {name!r}; give the number of epochs")
    recipe = definition.recipes.get(name, next(iter(definition.recipes.values())))
    seed = integer("seed", seed, 0, 2**64 - 1)
    if epochs is not None:
        recipe = replace(recipe, epochs=integer("epochs", epochs, 1))
    path = check_writable_file(f"{definition.stem}-{name}.npz" if out is None else out)
    checkpoint = check_writable_file(checkpoint_of(path))
    shape = definition.build(1).shapes[INPUT]
    images, test = (
        data.load(data_set, split=split, progress=progress, shape=shape) for split in data.SPLITS
    )
    graph = definition.build(len(images.classes))
    check_images(graph, images, data_set, definition.name)
    check_classes(graph, images, data_set, (), definition.name)

    def tell(entry: dict[str, float]) -> None:
        say(
            f"epoch {entry['epoch']:.0f} of {recipe.epochs}: loss {entry['loss']:.4f}, "
            f"top-1 {100 * entry['top1']:.2f} %"
        )

    origin: dict[str, str | int] = {"data": data.identity(data_set), "edition": EDITION}
    if definition.file_sha256:
        origin["model_file_sha256"] = definition.file_sha256
    with locked(path):  # to the end: two who train to one file share its checkpoint
        try:
            state = train_graph(
                graph,
                images,
                recipe,
                seed=seed,
                test=test,
                checkpoint=checkpoint,
                origin=origin,
                progress=progress,
                report=tell,
            )
        except KeyboardInterrupt:
            if os.path.exists(checkpoint):
                say(f"{checkpoint}: holds what is finished; the same command goes on from there")
            raise
        meta = {
            "model": definition.name,
            "data": data.title(data_set),
            "classes": list(images.classes),
            "recipe": asdict(recipe),
            "seed": seed,
            "top1": state.history[-1]["top1"],
            "versions": versions(),
            **({"model_file_sha256": definition.file_sha256} if definition.file_sha256 else {}),
        }
        native.save(path, "weights", meta=meta, arrays=state.parameters)
        checkpoint.unlink(missing_ok=True)
    say(f"wrote {path}, trained on {data.title(data_set)}")
    return path
