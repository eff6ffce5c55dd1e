"""Say what reproduces the answers of an implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNEXPLAINED = "no known fault explains these"
UNFINISHED = "not explained in time: not all known faults were tried"
MOST_NAMED = 5  # explanations that the evidence cannot tell apart


@dataclass(frozen=True)
class Explanation:
    """Name what reproduces every wrong answer that was asked, and the right ones beside them.

    `kind` is "variation", "fault", or "part": a fault that explains only some of the wrong answers,
    where the others are explained by the other parts; or "place": the rows, columns or channels in
    which alone all wrong numbers of tensors are, where nothing gives them; or "unfinished": nothing
    explains them so far, and time was not enough to try everything. `explained` of `asked` wrong
    answers are reproduced, and all of `passing` right ones. `variation` is the one that a fault is
    of, where that is not the one asked. `rules` are those that the implementation breaks, or
    follows.
    Spec: AQ-CONF-8.
    """

    kind: str
    name: str
    sentence: str
    rules: tuple[str, ...]
    explained: int
    asked: int
    passing: int = 0
    variation: str = ""
    defect: str = ""

    @property
    def share(self) -> str:
        """Return the name with the counts."""
        return f"{self.name} ({self.explained} of {self.asked})"


def unfinished(asked: int, seconds: float) -> list[Explanation]:
    """Return what to say where nothing was found in these seconds, and not everything was tried."""
    sentence = f"none of those that were tried within {seconds:g} s gives every answer"
    return [Explanation("unfinished", UNFINISHED, sentence, (), 0, asked)]


def explains(found: Sequence[Explanation] | None) -> bool:
    """Tell whether there is an explanation of all answers."""
    return bool(found) and all(each.kind != "unfinished" for each in found or ())


def lines(found: Sequence[Explanation]) -> list[str]:
    """Return the lines of a report for the explanations of one operation, none if it is empty."""
    if not found:
        return [UNEXPLAINED]
    if found[0].kind == "unfinished":
        return [f"{found[0].name}; {found[0].sentence}"]
    if found[0].kind == "place":
        return [f"wrong in one place alone: {found[0].share}"]
    if found[0].kind == "part":
        return [f"{len(found)} faults: " + "; ".join(each.share for each in found)]
    first, *others = found
    said = "your answers are those of" if first.kind == "variation" else "explained by:"
    names = dict.fromkeys(each.name for each in others if each.name != first.name)
    same, more = [*names][: MOST_NAMED - 1], ["..."] * (len(names) >= MOST_NAMED)
    same_too = f"; the same answers: {', '.join([*same, *more])}" if same else ""
    return [f"{said} {first.share}{same_too}"]
