"""What a result is computed from, by content: a result is found again only if all of it is equal.

A path says nothing: other weights may lie there tomorrow, and two data sets may have one name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reference_models
from aquant_ref import data
from aquant_ref.checks import takes_functions
from aquant_ref.errors import InputError
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.formats.untrusted import open_file
from aquant_ref.progress import Progress, Say, quiet, silent

if TYPE_CHECKING:
    from aquant_ref.ptq.methods import Config

# Raised by a change of the code that changes what a result says, beyond what another BLAS does:
# results of earlier editions are then computed again. The version of the package is in each row,
# but not in its key, since most versions change no result.
EDITION = 1
PART = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Origin:
    """A model with certain weights, and a data set with certain images.

    `data_set` and `weights` say where they lie; `data`, the title of the set, `data_identity` (see
    `data.identity`) and `weights_sha256` say what they are. A network of the user's own has
    `model_file_sha256`.
    """

    model: str
    data_set: str
    data: str
    weights: Path
    weights_sha256: str
    data_identity: str
    model_file_sha256: str = ""

    @classmethod
    def find(cls, model: str, data_set: str, weights: str | None = None) -> Origin:
        """Look for the weights and the images, and read what identifies them.

        Raises InputError for an unknown model or set, and for files that are not there.
        """
        definition = reference_models.get(model)
        identity = data.identity(data_set)
        shipped = definition.weights_path(data.name(data_set)) if weights is None else weights
        path = Path(shipped)
        return cls(
            model,
            data_set,
            data.title(data_set),
            path,
            sha256_of(path),
            identity,
            definition.file_sha256,
        )

    @takes_functions
    def load(
        self, *, images: int, seed: int, progress: Progress = quiet, say: Say = silent
    ) -> Inputs:
        """Load the inputs of a run; the seed draws the `images` calibration images.

        Raises InputError as `Inputs.load` does, and for weights or images that have changed
        since `find`.
        """
        inputs = Inputs.load(
            self.model,
            self.data_set,
            images=images,
            seed=seed,
            weights=str(self.weights),
            progress=progress,
            say=say,
        )
        if sha256_of(self.weights) != self.weights_sha256:
            raise InputError(f"{self.weights}: has changed while it was in use")
        if inputs.model_file_sha256 != self.model_file_sha256:
            raise InputError(f"{self.model}: has changed while it was in use")
        if data.identity(self.data_set) != self.data_identity:
            raise InputError(f"{self.data_set}: has changed while it was in use")
        return inputs

    def row(self) -> dict[str, Any]:
        """Return what every row of a table says of it."""
        own = {"model_file_sha256": self.model_file_sha256} if self.model_file_sha256 else {}
        return {
            "model": Path(self.model).name,
            **own,
            "data": self.data,
            "weights_sha256": self.weights_sha256,
            "data_identity": self.data_identity,
            "edition": EDITION,
        }

    def key(self, config: Config, images: int, **more: int | str) -> str:
        """Return a name for a result: a readable start, and a hash of all that it depends on.

        `more` is what it depends on beside `config` and the number of `images` to calibrate with.
        Settings that have their default are left out, so that a setting added later changes no
        name.
        """
        what = {
            **self.row(),
            "images": images,
            "config": {**_set(config), "border": config.recorded_border},
            "stages": [_set(each) for each in config.stages()],
            **more,
        }
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
        words = (config.method, f"W{config.weight_bits}A{config.act_bits}", config.seed)
        return "-".join(map(str, (*words, *more.values(), digest)))


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file; raises InputError, which names it."""
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while part := stream.read(PART):
            digest.update(part)
    return digest.hexdigest()


def _set(settings: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults, also inside fields.

    A field that has what results meant `BEFORE` there was a choice is left out as well.
    """
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    defaults = {field.name: field.default for field in fields(settings)}
    before = {**defaults, **getattr(settings, "BEFORE", {})}
    return {
        name: _set(value) if is_dataclass(value) else value
        for name, value in values.items()
        if value not in (defaults[name], before[name])
    }
