"""Specify borders: which function, how many of them, and what they know about their window.

Join words by "/", in any order; a word left out has its default:

    constant | linear | quadratic     the polynomial in tau
    sigmoid | clip                    the squash
    tensor | channel | row | mixed    one border per tensor, per channel, or per row of the im2col
                                      matrix (a row border rounds anew in every window); mixed: per
                                      row for a tensor that a kernel of several positions reads,
                                      per channel for all others
    off | window                      fusion: add the mean of a second polynomial over the window
    zero | closed                     start learning at B = 1/2, or at the closed form
    feedback | feedback<r>            feed back the error of the window so far, in all or in r
                                      directions
    clipping | rounding               with feedback: the error of clipping too, measured from the
                                      target of the border, or that of rounding alone, from the
                                      activation (withdrawn, AQ-FEEDBACK-1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from re import fullmatch
from typing import Any, ClassVar

from aquant_ref.checks import integer, settle, shown, word
from aquant_ref.errors import InputError, unknown

FAMILIES = ("constant", "linear", "quadratic")  # with one, two and three coefficients
CHOICES = {
    "family": FAMILIES,
    "squash": ("sigmoid", "clip"),
    "granularity": ("tensor", "channel", "row", "mixed"),
    "fusion": ("off", "window"),
    "start": ("zero", "closed"),
    "errors": ("clipping", "rounding"),
}
ALL_DIRECTIONS = 1 << 30


@dataclass(frozen=True)
class BorderSpec:
    """Specify the borders of a network; `feedback` counts directions, 0 switches it off.

    `family` is constant, linear or quadratic, `squash` sigmoid or clip, `granularity` tensor,
    channel, row or mixed, `fusion` off or window, `start` zero or closed, `errors`, which are
    fed back, clipping or rounding.

    >>> str(BorderSpec.parse("row/window"))
    'quadratic/sigmoid/row/window'
    >>> str(BorderSpec.parse("feedback8/linear"))
    'linear/sigmoid/channel/off/feedback8/clipping'
    """

    family: str = "quadratic"
    squash: str = "sigmoid"
    granularity: str = "channel"
    fusion: str = "off"
    start: str = "zero"
    feedback: int = 0
    errors: str = "clipping"

    BEFORE: ClassVar[Mapping[str, str]] = {"errors": "rounding"}  # what results of before it mean

    @classmethod
    def parse(cls, text: str, default: BorderSpec | None = None) -> BorderSpec:
        """Read a specification from words; raise InputError if one is unknown or contradicts."""
        if not isinstance(text, str):
            raise InputError(f"border: needs words such as 'row/linear', got {shown(text)}")
        chosen: dict[str, Any] = {}
        for choice in filter(None, text.split("/")):
            key, value = _meaning(choice)
            if key in chosen:
                raise InputError(f"border {text!r}: {choice!r} contradicts a word before it")
            chosen[key] = value
        return replace(default or cls(), **chosen)

    def __post_init__(self) -> None:
        words = {key: word(key, getattr(self, key), known) for key, known in CHOICES.items()}
        directions = integer("feedback", self.feedback, 0, ALL_DIRECTIONS)
        settle(self, **words, feedback=directions)
        if self.fused and self.feedback:
            raise InputError("border: choose window fusion or feedback, not both")
        if self.errors != CHOICES["errors"][0] and not self.feedback:
            raise InputError(
                f"border: {self.errors!r} says what feedback feeds back; there is none"
            )
        if self.granularity == "mixed" and (self.fused or self.feedback or self.start != "zero"):
            raise InputError(f"border {str(self)!r}: mixed has no window, feedback or closed")

    def __str__(self) -> str:
        words = [self.family, self.squash, self.granularity, self.fusion]
        if self.start != "zero":
            words.append(self.start)
        if self.feedback:
            words.append("feedback" + ("" if self.all_directions else str(self.feedback)))
            words.append(self.errors)
        return "/".join(words)

    @property
    def all_directions(self) -> bool:
        """Tell whether the feedback keeps all directions."""
        return self.feedback == ALL_DIRECTIONS

    @property
    def columns(self) -> int:
        """Return the number of coefficients of the polynomial."""
        return FAMILIES.index(self.family) + 1

    @property
    def fused(self) -> bool:
        """Tell whether the border adds a term that depends on the window."""
        return self.fusion == "window"

    @property
    def windowed(self) -> bool:
        """Tell whether the border rounds an activation anew in every window."""
        return self.granularity in ("row", "mixed") or self.fused or self.feedback > 0


def _meaning(text: str) -> tuple[str, Any]:
    for key, words in CHOICES.items():
        if text in words:
            return key, text
    if written := fullmatch(r"feedback([1-9][0-9]{0,8})?", text):
        return "feedback", int(written[1]) if written[1] else ALL_DIRECTIONS
    known = (word for words in CHOICES.values() for word in words)
    raise InputError(unknown("border word", text, (*known, "feedback<r>")))
