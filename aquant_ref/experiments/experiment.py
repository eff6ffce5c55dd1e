"""Describe a run: a model on a data set, how it is quantized, and how it is lowered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aquant_ref.checks import instance, settle, takes_functions
from aquant_ref.errors import InputError, check_name
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.experiments.origin import Origin
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.methods import Config
from aquant_ref.quant.fixed_point import FixedPoint


@dataclass(frozen=True)
class Experiment:
    """One run, by everything that its result depends on.

    `model` is the name of a reference model, or the user's own as `file.py:function`; `data` is a
    data set as `aquant_ref.data` has it. `lowering` holds the options of fixed point; without them
    the program has thresholds. `images` calibrate, drawn from the training split by the seed of
    `config`. `weights` is a file; without it the weights are those that the model ships for the
    data set. Raises InputError, which names the field.
    """

    model: str = "resnet8"
    data: str = "shapes"
    config: Config = field(default_factory=Config)
    lowering: FixedPoint | None = None
    images: int = 1024
    weights: str | None = None

    def __post_init__(self) -> None:
        check_name("model", self.model)
        check_name("data", self.data)
        instance("config", self.config, Config)
        if self.lowering is not None:
            instance("lowering", self.lowering, FixedPoint)
        if self.weights is not None:
            check_name("weights", str(self.weights))
        settle(self, images=self.config.check_images(self.images))

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return self.config.seed

    def origin(self) -> Origin:
        """Return what its row is computed from; raises InputError as `Origin.find` does."""
        return Origin.find(self.model, self.data, self.weights)

    @takes_functions
    def inputs(self, *, progress: Progress = quiet, say: Say = silent) -> Inputs:
        """Load network and images; raises InputError as `Inputs.load` does."""
        return Inputs.load(
            self.model,
            self.data,
            images=self.images,
            seed=self.seed,
            weights=self.weights,
            progress=progress,
            say=say,
        )

    def settings(self) -> dict[str, Any]:
        """Return what a row of a table says of it, beside its origin."""
        return {
            "method": self.config.method,
            "weight_bits": self.config.weight_bits,
            "act_bits": self.config.act_bits,
            "border": self.config.recorded_border,
            "iterations": self.config.iterations,
            "seed": self.seed,
            "images": self.images,
        }


def one_origin(experiments: Sequence[Experiment]) -> Origin:
    """Return the origin that all rows of a table share; raises InputError if they share none."""
    if not experiments:
        raise InputError("experiments: needs at least one, got none")
    for name in ("model", "data", "weights", "images"):
        values = list(dict.fromkeys(getattr(each, name) for each in experiments))
        if len(values) > 1:
            raise InputError(
                f"experiments: a table has one {name}, got {values[0]!r} and {values[1]!r}"
            )
    return experiments[0].origin()
