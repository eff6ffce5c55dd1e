"""Configure a pass of block reconstruction over a network."""

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
from aquant_ref.ptq.losses import LOSSES
from aquant_ref.ptq.placement import UNITS

FLAGS = ("activations", "weights", "dropping", "scales", "biases", "lsq_factor", "relative")
MIXINGS = ("genie", "qdrop", "brecq")
RATES = ("weight_rate", "scale_rate", "bias_rate", "border_rate", "regularization")


@dataclass(frozen=True)
class ReconstructionPass:
    """Set what a pass over the blocks learns, and how; Adam's rates are those at the first step.

    Rates follow a half cosine, except the rate of the weights, which is constant. The official code
    of the methods differs in these settings:

    * `unit`: reconstruct a "block" (BRECQ, QDrop) or a "layer" with its ReLU (AdaRound); learn the
      whole "network" at once, with the biases of its first and last layer, for the `loss` "logits"
      (AQ-STE-5), where the others have "squares";
    * `activations`: quantize activations while weights are learned (QDrop), or do not (AdaRound,
      BRECQ's first pass);
    * `dropping`: each quantized activation stays in floating point with probability 1/2, and each
      element of the block's input comes from the float network with probability 1/2 (QDrop, whose
      option `drop_prob` is the probability of *keeping* the quantization);
    * `mixing`: what a block reads, and which quantizers it learns. "genie": outputs of the
      quantized network before their quantizers, mixed with those of the float network; the
      quantizer of a tensor belongs to the blocks that read it. "qdrop", as published: outputs after
      their quantizers, mixed in the same way and not quantized again; the quantizer of a tensor
      belongs to the block that makes it, and is in its error. First and last layers are learned,
      too, and the regularizer counts from 1. "brecq": as "qdrop", but inputs are those of the float
      network;
    * `relative`: the rate of a scale counts in its value at the start of the pass, or as it is;
    * `beta_schedule`: linear (AdaRound, BRECQ, QDrop) or cosine (AIMET);
    * `lsq_factor`: multiply the gradient of a scale by 1/sqrt(elements * qmax) (QDrop), or do not
      (BRECQ); apart from its epsilon, Adam removes the factor again;
    * `mask`: cut the gradient of an activation by its rounded value (QDrop) or by t (LSQ, Genie).

    Raise InputError, which names the setting, for an invalid one.
    """

    name: str
    iterations: int
    batch: int = 32
    unit: str = "block"
    loss: str = "squares"
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
    mixing: str = "genie"
    relative: bool = True

    @property
    def owns_output(self) -> bool:
        """Tell whether a block learns the quantizer of its output, and not those of its inputs."""
        return self.mixing != "genie"

    def __post_init__(self) -> None:
        checks: dict[str, Callable[[str, Any], Any]] = {
            "iterations": integer,
            "batch": partial(integer, least=1),
            "unit": partial(word, known=UNITS),
            "loss": partial(word, known=LOSSES),
            "beta_schedule": partial(word, known=BETA_SCHEDULES),
            "mask": partial(word, known=MASKS),
            "mixing": partial(word, known=MIXINGS),
            **dict.fromkeys(FLAGS, flag),
            **dict.fromkeys(RATES, number),
        }
        settle(self, **{key: check(key, getattr(self, key)) for key, check in checks.items()})
        if not isinstance(self.border, BorderSpec | None):
            raise InputError(f"border: needs a BorderSpec, got {shown(self.border)}")
        if self.border is not None and self.border.windowed and self.owns_output:
            raise InputError(
                f"border: pass {self.name!r} learns the quantizer of a tensor with the block that "
                f"makes it (mixing {self.mixing!r}), but a border that rounds in windows (row, "
                "window, feedback) belongs to the layer that reads it"
            )
