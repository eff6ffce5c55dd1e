"""What the main job has written, read again: run it, certify it, compare what it made.

A folder holds FILES: the quantized model, the integer program lowered from it, and the result.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import data
from aquant_ref.certification.certificate import LayerCertificate, certify
from aquant_ref.certification.counterexample import Search, Witnesses
from aquant_ref.checks import integer, takes_functions
from aquant_ref.comparison.agreement import Agreement, compare, simulation_of
from aquant_ref.comparison.blame import Judge
from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.runs import Comparison, compare_runs
from aquant_ref.engine.bounds import EXACT_BELOW, LIMITS
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.program import MODEL, Program
from aquant_ref.errors import InputError
from aquant_ref.experiments.inputs import check_classes, check_images
from aquant_ref.experiments.recorded import set_to_run
from aquant_ref.formats.atomic import check_writable_file
from aquant_ref.formats.kinds import ListOf, fits
from aquant_ref.lowering.lowerings import lowered_as, lowering_of
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT
from aquant_ref.outputs import FILES
from aquant_ref.progress import Progress, quiet
from aquant_ref.versions import versions

if TYPE_CHECKING:
    from aquant_ref.data import Images
    from aquant_ref.lowering.thresholds import Lowering
    from aquant_ref.quant.fixed_point import FixedPoint


@dataclass(frozen=True)
class Saved:
    """The model and the program of a folder, which belong together.

    `options` are those of a program in fixed point, None for one of thresholds.
    """

    directory: Path
    model: QuantizedModel
    program: Program
    options: FixedPoint | None = None

    @classmethod
    def load(cls, directory: Path) -> Saved:
        """Read the two files.

        Raises InputError if one is missing or damaged, if they do not belong together, or if the
        program says that it was lowered as nothing is lowered.
        """
        if os.path.isfile(directory):
            raise InputError(f"{directory}: is a file; needs the folder that holds {FILES[0]}")
        model = QuantizedModel.load(directory / FILES[0])
        if not os.path.exists(directory / FILES[1]):
            why = f"{FILES[2]} says why under not_lowered"
            raise InputError(f"{directory}: has a model, but no integer program to run; {why}")
        program = Program.load(directory / FILES[1])
        try:
            options = lowered_as(program.source)
        except InputError as error:
            raise InputError(f"{directory / FILES[1]}: {error}") from error
        if program.source.get(MODEL) != model.sha256():
            raise InputError(f"{directory}: {FILES[1]} and {FILES[0]} do not belong together")
        return cls(directory, model, program, options)

    def lowering(self) -> Lowering:
        """How the program was lowered from the model, with all that is exact.

        Raises InputError if this program was not.
        """
        lowering = lowering_of(self.model, self.options)
        if lowering.program.sha256() != self.program.sha256():
            raise InputError(f"{self.directory}: {FILES[1]} is not what {FILES[0]} is lowered to")
        return lowering

    @takes_functions
    def images(self, data_set: str, count: int | None, *, progress: Progress = quiet) -> Images:
        """Load the test split of `data_set`, or its first `count` images.

        Raises InputError if the images or their classes do not fit the model, or are too few.
        """
        count = None if count is None else integer("images", count, 1)
        shape = self.model.graph.shapes[INPUT]
        test = data.load(data_set, split="test", progress=progress, shape=shape)
        check_images(self.model.graph, test, data_set)
        classes = self.model.source.get("classes", [])
        if not fits(classes, ListOf(str)):
            raise InputError(f"{self.directory / FILES[0]}: its classes are not a list of names")
        check_classes(self.model.graph, test, data_set, classes)
        return test if count is None else test.limited(count)


def bit_exact(agreement: Agreement) -> dict[str, int]:
    """Return a comparison of engine and simulation in four numbers."""
    return {
        "images": agreement.images,
        "tensors": len(agreement.elements),
        "elements": sum(agreement.elements.values()),
        "mismatches": sum(agreement.mismatches.values()),
    }


@dataclass(frozen=True)
class Rerun:
    """A saved program, run again beside the simulation of its saved model."""

    agreement: Agreement
    result: dict[str, Any]


@takes_functions
def rerun(
    directory: Path,
    data_set: str | None = None,
    *,
    images: int | None = None,
    dtype: str = "float64",
    record: str | None = None,
    simulate: bool = False,
    progress: Progress = quiet,
) -> Rerun:
    """Run `directory`/program.npz on test images of `data_set`, beside a simulation of model.npz.

    `data_set` is by default the one that result.json names, on which the network was quantized.
    `images` says how many, the first ones; all if it is None. With `record` the tensors of the
    engine's run, or with `simulate` those of the simulation, are written to that file. Raises
    InputError for any bad input.
    """
    started = time.monotonic()
    if simulate and record is None:
        raise InputError("simulate: says what to record, which is not given")
    if record is not None and Path(check_writable_file(record)).suffix != ".npz":
        raise InputError(f"record: {record} needs to be a .npz file")
    saved = Saved.load(directory)
    data_set, beside = set_to_run(directory / FILES[2], data_set)
    test = saved.images(data_set, images, progress=progress)
    if record is not None:
        simulation = simulation_of(saved.model, saved.program, dtype=dtype)
        run = simulation.run if simulate else Engine(saved.program).run
        source = {
            "run": f"simulation in {simulation.dtype}" if simulate else "engine",
            "program": str(directory / FILES[1]),
            "program_sha256": saved.program.sha256(),
            "data": data_set,
            "images": len(test),
        }
        batch = saved.model.graph.images_at_once()
        Recording.of(run, test, source, batch=batch, progress=progress).save(record)
    agreement = compare(saved.model, saved.program, test, dtype=dtype, progress=progress)
    result = {
        "program": str(directory / FILES[1]),
        "data": data_set,
        **beside,
        "division": data.division(data_set),
        "dtype": dtype,
        "top1": agreement.top1,
        "bit_exact": bit_exact(agreement),
        "recorded": record,
        "seconds": round(time.monotonic() - started, 3),
        "versions": versions(),
    }
    return Rerun(agreement, result)


@dataclass(frozen=True)
class Certified:
    """The certificate of one layer and what was looked for with it.

    `inside` says of int32, 2^24 and 2^53 whether the accumulator stays inside; `reached` whether
    the engine, given the codes of the worst case, comes to both bounds; `search` is that of a
    witness, None where nothing is fragile or nothing can be searched (`why_not`).
    """

    certificate: LayerCertificate
    inside: dict[str, bool]
    reached: bool
    search: Search | None = None
    why_not: str = ""


@takes_functions
def certificates(
    directory: Path, *, dtype: str = "float64", progress: Progress = quiet
) -> tuple[Certified, ...]:
    """Certify a saved program for a simulation in `dtype`, and look for a witness of each layer
    with a fragile decision.

    Raises InputError as `Saved` does, and for a program in fixed point, which has no thresholds.
    Spec: AQ-LOWER-5, AQ-LOWER-11.
    """
    saved = Saved.load(directory)
    if saved.options is not None:
        raise InputError(
            f"{directory / FILES[1]}: is in fixed point, which has no thresholds to certify; its "
            "accumulators stay inside int32 and its simulation makes the same integers"
        )
    lowering = saved.lowering()
    witnesses = Witnesses(lowering, dtype=dtype)
    each = certify(lowering, dtype=np.dtype(dtype))
    return tuple(
        _certified(each[number], witnesses) for number in progress(range(len(each)), "certify")
    )


def _certified(certificate: LayerCertificate, witnesses: Witnesses) -> Certified:
    largest = max(-certificate.low, certificate.high)
    limits = {"int32": LIMITS["int32"] + 1, "2^24": EXACT_BELOW["float32"], "2^53": 2**53}
    inside = {name: largest < limit for name, limit in limits.items()}
    try:
        extremes = witnesses.extremes(certificate.accumulator)
        reached = extremes == (certificate.low, certificate.high)
        search = None if certificate.certified else witnesses.find(certificate.name)
    except NotImplementedError as error:
        return Certified(certificate, inside, False, None, str(error))
    return Certified(certificate, inside, reached, search)


def comparison(
    a: Path, b: Path, *, directory: Path | None = None, dtype: str = "float64"
) -> tuple[Recording, Recording, Comparison]:
    """Two recorded runs and their comparison, judged by the program of `directory` if there is one.

    Decisions are named fragile for a simulation in `dtype`. Raises InputError for any bad input.
    """
    judge = None
    if directory is not None:
        judge = Judge(Saved.load(directory).lowering(), dtype=np.dtype(dtype))
    one, other = Recording.load(a), Recording.load(b)
    return one, other, compare_runs(one, other, judge)
