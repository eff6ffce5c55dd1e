"""Define the methods: each starts from nearest rounding and adds a list of stages.

| method | stages after nearest rounding with searched scales |
|---|---|
| `rtn` | - |
| `adaround` | weights, layer by layer (Nagel et al., 2020) |
| `brecq` | weights, block by block, without quantized activations; then scales (Li et al., 2021) |
| `brecq-scales` | the same; then scales as in `qdrop-scales` |
| `qdrop` | weights and scales, block by block, dropping quantization at random (Wei et al., 2022) |
| `qdrop-scales` | `qdrop`; scales (a control) |
| `qdrop-bias` | `qdrop`; scales and biases (a control) |
| `aquant` | `qdrop`; scales and borders |
| `aquant-bias` | `qdrop`; scales, borders and biases |
| `aquant-joint` | `qdrop` with borders learned beside the weights |
| `aquant-closed-form` | `qdrop`; borders by regression, no gradient |
| `aquant-feedback` | `qdrop`; borders that feed back the error of the window, nothing learned |
| `aquant-feedback-bias` | `aquant-feedback`; scales and biases, with feedback |
| `a-rounding` | `qdrop`; at inference, activations rounded for the output of the float network |

`METHOD-e2e` adds a last stage to any of these but `a-rounding`: scales, biases and the borders of
the method learn *end to end*, for the logits of the float network (AQ-STE-5). With feedback the
border is a constant for each row, learned from nearest rounding.

`a-rounding` needs the float network at inference, so it is an upper bound and not deployable. The
conventions are those of the official code of QDrop and BRECQ; `pass_config.ReconstructionPass` and
`observers` name the points where the two differ. A second pass has 2/5 of the iterations of the
first, rounded up; that of `brecq` has the quarter that BRECQ gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import ceil
from re import fullmatch
from typing import Any, ClassVar

import numpy as np

from aquant_ref.checks import (
    flag,
    integer,
    settle,
    shown,
    word,
)
from aquant_ref.errors import InputError, counted, unknown
from aquant_ref.nn.training.train import LARGEST_SEED
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS, BorderSpec
from aquant_ref.ptq.observers import SEARCHES
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.quant.qparams import check_bits
from aquant_ref.quant.window import fraction_bits

FIRST = ReconstructionPass("qdrop", 500, weights=True, dropping=True)
SECOND = ReconstructionPass("second", 200)
BRECQ_SCALES = ReconstructionPass(
    "scales", 125, loss="power 2.4", mixing="brecq", scale_rate=4e-4, relative=False
)
LAST = ReconstructionPass("e2e", 300, unit="network", loss="logits", biases=True, bias_rate=3e-3)
END_TO_END = "-e2e"  # after the name of a method: LAST follows its stages
FLOAT_BITS = 32  # the weight bits that mean floating point
A_ROUNDING = "a-rounding"
BRECQ = ("brecq", "brecq-scales")  # they search scales as BRECQ does


@dataclass(frozen=True)
class ClosedForm:
    """Fit borders by regression."""

    border: BorderSpec
    name: str = "closed form"


@dataclass(frozen=True)
class FeedBack:
    """Let every inner convolution feed back the error of its windows."""

    rank: int
    errors: str = "clipping"
    name: str = "feedback"

    BEFORE: ClassVar[Mapping[str, str]] = BorderSpec.BEFORE


Stage = ReconstructionPass | ClosedForm | FeedBack


def _aquant(config: Config, *, biases: bool = False) -> tuple[Stage, ...]:
    start = (ClosedForm(config.form),) if config.form.start == "closed" else ()
    return (FIRST, *start, replace(SECOND, name="border", border=config.form, biases=biases))


METHODS: dict[str, Callable[[Config], tuple[Stage, ...]]] = {
    "rtn": lambda _config: (),
    "adaround": lambda _config: (
        replace(FIRST, name="adaround", unit="layer", activations=False, dropping=False),
    ),
    "brecq": lambda _config: (
        replace(FIRST, name="brecq", activations=False, dropping=False),
        BRECQ_SCALES,
    ),
    "brecq-scales": lambda _config: (
        replace(FIRST, name="brecq", activations=False, dropping=False),
        replace(SECOND, name="scales"),
    ),
    "qdrop": lambda _config: (FIRST,),
    "qdrop-scales": lambda _config: (FIRST, replace(SECOND, name="scales")),
    "qdrop-bias": lambda _config: (FIRST, replace(SECOND, name="bias", biases=True)),
    "aquant": _aquant,
    "aquant-bias": lambda config: _aquant(config, biases=True),
    "aquant-joint": lambda config: (replace(FIRST, name="joint", border=config.form),),
    "aquant-closed-form": lambda config: (FIRST, ClosedForm(config.form)),
    "aquant-feedback": lambda config: (FIRST, FeedBack(config.form.feedback, config.form.errors)),
    "aquant-feedback-bias": lambda config: (
        FIRST,
        FeedBack(config.form.feedback, config.form.errors),
        replace(SECOND, name="bias", biases=True),
    ),
    A_ROUNDING: lambda _config: (FIRST,),
}
DEFAULT_FORMS = {
    "aquant-closed-form": BorderSpec(squash="clip"),
    "aquant-feedback": BorderSpec(feedback=ALL_DIRECTIONS),
    "aquant-feedback-bias": BorderSpec(feedback=ALL_DIRECTIONS),
}


def method_name(name: Any) -> str:
    """Return a key of `METHODS`, or one with END_TO_END; raise InputError for any other name."""
    if isinstance(name, str) and name.endswith(END_TO_END) and name != A_ROUNDING + END_TO_END:
        return word("method", name.removesuffix(END_TO_END), METHODS) + END_TO_END
    return word("method", name, METHODS)


@dataclass(frozen=True)
class Config:
    """Configure a run: the method, the bits, the length of learning, and the form of its borders.

    `method` is a key of `METHODS`, or one with END_TO_END, such as `qdrop-e2e`.

    `iterations` counts those of the first pass for each block; a second pass has 2/5 of them, the
    last stage 3/5.
    `border` is a `BorderSpec`, or the words that `BorderSpec.parse` reads; "" means the default of
    the method. `weight_bits` is 1 to 16, or 32 for weights in floating point. `search` is one of
    `observers.SEARCHES`; "" means "brecq" for `brecq` and `brecq-scales`, "qdrop" for all others.
    `signed` stores activations as signed codes, which changes no result (AQ-AFFINE-5). `mixing` is
    that of a first pass that drops quantization at random: "genie", or "qdrop" for that pass as it
    was published. Raise InputError, which names the setting, for an invalid one.
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
    mixing: str = "genie"

    @classmethod
    def of(cls, bits: str, method: str = "aquant", **settings: Any) -> Config:
        """Return the configuration of bits written as "W4A4", and the `settings` by their names.

        Raise InputError, which names the setting.

        >>> Config.of("W4A8", "qdrop").weight_bits
        4
        """
        written = fullmatch("W([0-9]{1,9})A([0-9]{1,9})", bits) if isinstance(bits, str) else None
        if written is None:
            raise InputError(f"bits: needs a form such as W4A4, got {shown(bits)}")
        known = [each.name for each in fields(cls) if not each.name.endswith("bits")]
        for name in settings:
            if name not in known:
                raise InputError(unknown("setting", name, known))
        return cls(method, int(written[1]), int(written[2]), **settings)

    def __post_init__(self) -> None:
        if isinstance(self.border, BorderSpec):
            settle(self, border=str(self.border))
        settle(
            self,
            method=method_name(self.method),
            weight_bits=_weight_bits(self.weight_bits),
            act_bits=check_bits("activation bits", self.act_bits),
            iterations=integer("iterations", self.iterations),
            batch=integer("batch", self.batch, 1),
            seed=integer("seed", self.seed, 0, LARGEST_SEED),
            search=word("search", self.search, ("", *SEARCHES)),
            signed=flag("signed", self.signed),
            mixing=word("mixing", self.mixing, ("genie", "qdrop")),
        )
        if not isinstance(self.border, str):
            raise InputError(f"border: needs words or a BorderSpec, got {shown(self.border)}")
        if self.border and not self.has_border:
            raise InputError(f"border: method {self.method!r} does not take a border")
        if self.has_border and self.form.windowed:
            fraction_bits(self.act_bits)
        without_feedback = replace(self.form, feedback=0, errors=BorderSpec.errors)
        if self.method.startswith("aquant-feedback") and without_feedback != BorderSpec():
            raise InputError(f"border: method {self.method!r} takes only feedback<r>")
        if self.base == "aquant-closed-form" and self.form.granularity == "mixed":
            raise InputError(f"border: method {self.method!r} has no closed form for mixed")
        self.stages()  # refuses a border that the method cannot learn

    @property
    def base(self) -> str:
        """Return the method without END_TO_END, a key of `METHODS`."""
        return self.method.removesuffix(END_TO_END)

    @property
    def scale_search(self) -> str:
        """Return the search for scales, one of `observers.SEARCHES`."""
        return self.search or ("brecq" if self.base in BRECQ else "qdrop")

    def published(self) -> dict[str, str]:
        """Return mixing and search where they are not the defaults."""
        chosen = {"mixing": self.mixing, "search": self.search}
        return {name: word for name, word in chosen.items() if word != getattr(Config, name)}

    @property
    def has_border(self) -> bool:
        """Tell whether the method has borders."""
        return self.method.startswith("aquant")

    @cached_property
    def form(self) -> BorderSpec:
        """Return the form of the borders."""
        default = DEFAULT_FORMS.get(self.base, BorderSpec())
        return BorderSpec.parse(self.border, default)

    @property
    def recorded_border(self) -> str:
        """Return the form of the borders as tables of results name it, "" without borders.

        Tables of before there was a choice of errors have that of rounding, and do not say so.
        """
        return str(self.form).removesuffix("/rounding") if self.has_border else ""

    def not_lowered(self) -> str | None:
        """Explain why this run has no integer program; return None if it has one.

        Spec: AQ-IDEAL-3.
        """
        if self.method == A_ROUNDING:
            return "a-rounding needs the float network at inference"
        if self.weight_bits == FLOAT_BITS:
            return "the weights stay in floating point"
        if self.has_border and self.form.feedback and self.form.errors == "rounding":
            return "feedback of the rounding error alone is withdrawn, and not lowered"
        return None

    def check_images(self, images: Any) -> int:
        """Return the number of calibration images; raise InputError if the method needs more."""
        count = integer("images", images, 1)
        if count < self.batch and any(
            isinstance(stage, ReconstructionPass) for stage in self.stages()
        ):
            raise InputError(
                f"images: {counted(count, 'calibration image')}, fewer than a batch of {self.batch}"
            )
        return count

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of the method, with the iterations and batch of this run."""
        return tuple(
            self._settled(stage) if isinstance(stage, ReconstructionPass) else stage
            for stage in (*METHODS[self.base](self), *self._last())
        )

    def _settled(self, stage: ReconstructionPass) -> ReconstructionPass:
        return replace(
            stage,
            batch=self.batch,
            iterations=ceil(self.iterations * stage.iterations / FIRST.iterations),
            mixing=self.mixing if stage.dropping else stage.mixing,
        )

    def _last(self) -> tuple[Stage, ...]:
        """Return the stage that a method with END_TO_END has after its own."""
        if self.method == self.base:
            return ()
        border = self.form if self.has_border else None
        if border is not None and border.feedback:
            border = replace(border, family="constant", granularity="row")
        return (replace(LAST, border=border),)


def _weight_bits(bits: Any) -> int:
    """Return bits in 1..16, or 32; raise InputError for any other value."""
    if isinstance(bits, int | np.integer) and bits == FLOAT_BITS:
        return FLOAT_BITS
    try:
        return check_bits("weight bits", bits)
    except InputError:
        needs = f"1 to 16 bits, or {FLOAT_BITS} for floating point"
        raise InputError(f"weight bits: needs {needs}, got {shown(bits)}") from None
