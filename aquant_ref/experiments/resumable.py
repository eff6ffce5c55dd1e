"""Complete a table row by row; an interrupted command resumes with the rows that are finished.

A network that several rows share is quantized once, and its file is kept until all of them are
written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aquant_ref.checks import takes_functions
from aquant_ref.errors import InputError
from aquant_ref.experiments.experiment import one_origin
from aquant_ref.formats import measured
from aquant_ref.formats.atomic import make_directory
from aquant_ref.formats.lock import locked
from aquant_ref.formats.temporary import remove_abandoned
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.ptq.pipeline import quantize_with

if TYPE_CHECKING:
    from aquant_ref.experiments.experiment import Experiment
    from aquant_ref.experiments.inputs import Inputs
    from aquant_ref.experiments.origin import Origin
    from aquant_ref.progress import Progress, Say
    from aquant_ref.ptq.methods import Config

Row = measured.Row
SECONDS = "seconds"  # in the source of a model: how long it took


@dataclass
class Workshop:
    """Quantizes the networks of one table; what is finished survives a kill.

    A model is kept in the folder `<out>.cells` until `remove`; without `out` in memory alone.
    """

    origin: Origin
    images: int
    out: Path | None
    progress: Progress
    say: Say
    _inputs: dict[int, Inputs] = field(default_factory=dict)
    _last: tuple[str, QuantizedModel] | None = None

    def inputs(self, seed: int) -> Inputs:
        """Load the inputs of the runs with this seed."""
        if seed not in self._inputs:
            self._inputs = {  # one seed at a time in memory
                seed: self.origin.load(
                    images=self.images, seed=seed, progress=self.progress, say=self.say
                )
            }
        return self._inputs[seed]

    def quantized(self, config: Config) -> tuple[QuantizedModel, float]:
        """Return the network quantized with `config`, and how many seconds that took."""
        key = self.origin.key(config, self.images)
        if self._last is None or self._last[0] != key:
            self._last = (key, self._found(key) or self._made(key, config))
        model = self._last[1]
        return model, float(model.source[SECONDS])

    def _path(self, key: str) -> Path | None:
        folder = None if self.out is None else self.out.with_name(f"{self.out.stem}.cells")
        return None if folder is None else folder / f"model-{key}.npz"

    def _found(self, key: str) -> QuantizedModel | None:
        path = self._path(key)
        if path is None or not os.path.exists(path):
            return None
        with measured.advice(measured.OWN):
            model = QuantizedModel.load(path)
            if not isinstance(model.source.get(SECONDS), int | float):
                raise InputError(f"{path}: is not a model of a table")
        return model

    def _made(self, key: str, config: Config) -> QuantizedModel:
        inputs = self.inputs(config.seed)
        started = time.monotonic()
        model = quantize_with(
            inputs.graph, inputs.parameters, inputs.calibration, config, progress=self.progress
        )
        seconds = time.monotonic() - started
        model = replace(model, source={**model.source, SECONDS: seconds})
        if self.out is not None and (path := self._path(key)) is not None:
            with locked(self.out):  # nobody removes the folder meanwhile
                make_directory(path.parent)
                model.save(path)
        return model

    def remove(self, config: Config) -> None:
        """Remove the model of `config`, all of whose rows are written."""
        path = self._path(self.origin.key(config, self.images))
        if self.out is not None and path is not None and os.path.exists(path.parent):
            with locked(self.out):
                path.unlink(missing_ok=True)
                remove_abandoned(path.parent)
                with suppress(OSError):  # another model is in it
                    path.parent.rmdir()


@dataclass(frozen=True)
class Cell:
    """One row of a table: its experiment, and what tells it from others of the same network."""

    experiment: Experiment
    options: Mapping[str, Any]


@takes_functions
def complete(
    stored: measured.Table,
    cells: Sequence[Cell],
    measure: Callable[[Workshop, Experiment], Row],
    *,
    progress: Progress,
    say: Say,
) -> list[Row]:
    """Return the rows of `cells`, all of one model and data set; measure those not yet `stored`.

    A row is stored as soon as it is measured.
    """
    origin = one_origin([cell.experiment for cell in cells])
    workshop = Workshop(origin, cells[0].experiment.images, stored.path, progress, say)
    keys = [
        origin.key(cell.experiment.config, cell.experiment.images, **cell.options) for cell in cells
    ]
    known = stored.read()
    for key, cell in zip(keys, cells, strict=True):
        if key not in known:
            about = {"key": key, **origin.row(), **cell.experiment.settings(), **cell.options}
            known[key] = about | measure(workshop, cell.experiment)
            stored.add([known[key]])
    stored.add([known[key] for key in keys])
    for cell in cells:
        workshop.remove(cell.experiment.config)
    return [known[key] for key in keys]
