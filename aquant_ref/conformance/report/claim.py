"""Say what a run allows to claim: operations and what their cases depend on, if cases passed.

Spec: AQ-CONF-13.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.offered import UNKNOWN, Offered
from aquant_ref.conformance.cases.selection import GRANULARITIES, ROUNDINGS, SIGNS, SIZES
from aquant_ref.conformance.contract import LAYER_VARIATIONS
from aquant_ref.conformance.report.verdict import PASS
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.expected.results import Expected

TITLES = ("rounding", "requantization", "variations", "bits", "granularity", "sizes")
PER_CHANNEL = ("weight_scale", "weight_zero", "a_zero", "b_zero")
ORDER = (*ROUNDINGS, *GRANULARITIES, *SIZES, *LAYER_VARIATIONS)


class Passed:
    """Collect what the cases that pass depend on, by operation and title.

    A title is one of TITLES; the words of `bits` are pairs of a width and a sign.
    """

    def __init__(self) -> None:
        self._words: dict[str, dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
        self._refused: set[str] = set()

    def add(self, selection: Selection, cases: Cases, expected: Expected, status: Array) -> None:
        """Add the cases with the verdict "pass"."""
        passed = status == PASS
        operation, profile = cases.operation, cases.profile
        if (passed & expected.refused).any():
            self._refused.add(operation.name)
        passed &= ~expected.refused
        if not passed.any():
            return
        words = self._words[operation.name]
        title = "requantization" if profile in operation.variations else "variations"
        words[title].add(profile)
        if "bits" in operation.tags:
            offered = Offered(selection, cases)
            known = set(np.unique(offered.types[passed]).tolist()) - {UNKNOWN}
            words["bits"] |= {offered.pairs[which] for which in known}
        if "rounding" in operation.tags:
            words["rounding"] |= set(np.unique(cases.columns["rounding"][passed]).tolist())
        if "granularity" in operation.tags:
            words["granularity"] |= _granularities(selection, cases, passed)
        if not operation.scalar:
            words["sizes"].add(selection.size)

    def text(self) -> str:
        """Return what most operations have in common, and then what others have of their own."""
        common = {title: self._common(title) for title in TITLES}
        parts = [f"{title} {words}" for title, words in common.items() if words]
        refused = [name for name in contract.OPERATIONS if name in self._refused]
        parts += [f"refusals of {', '.join(refused)}"] * bool(refused)
        for name in self._names():
            own = [
                f"{title} {words}"
                for title in TITLES
                for words in [self._of(name, title)]
                if words and words != common[title]
            ]
            parts += [f"{name}: {', '.join(own)}"] * bool(own)
        return "; ".join(parts)

    def _names(self) -> Iterator[str]:
        return (name for name in contract.OPERATIONS if name in self._words)

    def _common(self, title: str) -> str:
        if title == "variations":  # of one operation each
            return ""
        found = Counter(words for name in self._names() if (words := self._of(name, title)))
        return max(found, key=lambda words: found[words], default="")

    def _of(self, name: str, title: str) -> str:
        words = self._words[name].get(title, set())
        if title == "variations" and words == {contract.get(name).profile}:
            return ""  # its own arithmetic alone
        return _bits(words) if title == "bits" else " ".join(_ordered(words))


def _granularities(selection: Selection, cases: Cases, passed: Array) -> set[str]:
    """Return the granularities of the chosen cases; where a selection has both, each case tells."""
    if len(selection.scales) == 1:
        return set(selection.scales)
    columns = [cases.columns[each] for each in PER_CHANNEL if each in cases.columns]
    one = [all(len(np.unique(c[k])) == 1 for c in columns) for k in np.flatnonzero(passed).tolist()]
    return {GRANULARITIES[not alike] for alike in one}


def _ordered(words: Iterable[str]) -> list[str]:
    return sorted(words, key=lambda word: (ORDER.index(word) if word in ORDER else -1, word))


def _bits(pairs: set[tuple[int, bool]]) -> str:
    """Return widths with their signs; widths of the same signs together.

    >>> _bits({(8, True), (8, False), (4, True), (4, False), (16, True)})
    '4 8 unsigned signed, 16 signed'
    """
    of_signs: dict[str, list[str]] = {}
    for bits in sorted({bits for bits, _ in pairs}):
        signs = " ".join(SIGNS[sign] for sign in (False, True) if (bits, sign) in pairs)
        of_signs.setdefault(signs, []).append(str(bits))
    return ", ".join(f"{' '.join(widths)} {signs}" for signs, widths in of_signs.items())
