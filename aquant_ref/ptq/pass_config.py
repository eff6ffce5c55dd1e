"""The settings of a pass of block reconstruction over a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aquant_ref.checks import flag, integer, number, settle, shown, word
from aquant_ref.errors import InputError
from aquant_ref.nn.straight_through import MASKS
from aquant_ref.ptq.adaround import BETA_SCHEDULES
from aquant_ref.ptq.border_spec import BorderSpec
from aquant_ref.ptq.placement import UNITS

FLAGS = ("activations", "weights", "dropping", "scales", "biases", "lsq_factor")
RATES = ("weight_rate", "scale_rate", "bias_rate", "border_rate", "regularization")


@dataclass(frozen=True)
class ReconstructionPass:
    """What one pass over the blocks learns, and how; rates are Adam's at the start of a cosine.

    The rate of a scale is relative to its value at the start of the pass; that of the weights stays
    constant. Choices on which the official codes disagree:

    * `unit`: a "block" (BRECQ, QDrop) or a "layer" with its ReLU (AdaRound);
    * `activations`: whether they are quantized while weights are learned (QDrop) or not (AdaRound,
      BRECQ's first pass);
    * `dropping`: each quantized activation stays in floating point with probability 1/2, and each
      element of the block's input comes from the float network with probability 1/2 (QDrop, where
      the option called `drop_prob` is the probability of *keeping* the quantization);
    * `beta_schedule`: linear (AdaRound, BRECQ, QDrop) or cosine (AIMET);
    * `lsq_factor`: the gradient of a scale times 1/sqrt(elements * qmax) (QDrop), or not (BRECQ);
      Adam divides it out again, but for its epsilon;
    * `mask`: the gradient of an activation is cut by the rounded value (QDrop) or by t (LSQ,
      Genie).
    """

    name: str
    iterations: int
    batch: int = 32
    unit: str = "block"
    activations: bool = True
    weights: bool = False
    dropping: bool = False
    scales: bool = True
    biases: bool = False
    border: BorderSpec | None = None
    weight_rate: float = 3e-2
    scale_rate: float = 2e-3
    bias_rate: float = 1e-2
    border_rate: float = 1e-2
    regularization: float = 0.05
    beta_schedule: str = "linear"
    lsq_factor: bool = False
    mask: str = "rounded"

    def __post_init__(self) -> None:
        checks: dict[str, Callable[[str, Any], Any]] = {
            "iterations": integer,
            "batch": partial(integer, least=1),
            "unit": partial(word, known=UNITS),
            "beta_schedule": partial(word, known=BETA_SCHEDULES),
            "mask": partial(word, known=MASKS),
            **dict.fromkeys(FLAGS, flag),
            **dict.fromkeys(RATES, number),
        }
        settle(self, **{key: check(key, getattr(self, key)) for key, check in checks.items()})
        if not isinstance(self.border, BorderSpec | None):
            raise InputError(f"border: needs a BorderSpec, got {shown(self.border)}")
        if self.border is not None and self.border.windowed and self.dropping:
            raise InputError(
                f"border: the pass {self.name!r} drops quantization at random and learns no border "
                "that rounds in windows (row, window, feedback)"
            )
