"""Read what a kernel answers, and report what breaks the protocol. Spec: AQ-CONF-2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from aquant_ref.conformance.cases.family import DTYPES
from aquant_ref.conformance.protocol.answers import MOST_REASON, Answers
from aquant_ref.conformance.protocol.streams import MARK, Endless, Patience, Silence, chunks, split
from aquant_ref.errors import counted, printable

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Field

MOST_SHOWN = 500  # characters of a line that is shown
MOST_DIGITS = 1100  # characters of a real; `%f` gives the smallest float64 in 1077
SPARE = 1000  # lines that answer nothing, besides one a case, before a kernel is stopped
INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
REAL = re.compile(r"[+-]?(0[xX][0-9a-fA-F.]+([pP][+-]?[0-9]+)?|[0-9.]+([eE][+-]?[0-9]+)?|inf|nan)")


@dataclass
class Problems:
    """Count what breaks the protocol; keep the first few, and the first of each kind."""

    most: int = 20
    first: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, text: str) -> None:
        """Add a problem of this kind; make each line of the text printable, and cut long ones."""
        kind = printable(kind, MOST_SHOWN)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(self.first) < self.most or self.counts[kind] == 1:
            self.first.append(_lines(f"{kind}: {text}"))

    def copy(self) -> Problems:
        """Return a copy with printable texts, whoever wrote them."""
        counts = {printable(kind): int(n) for kind, n in self.counts.items()}
        return Problems(self.most, list(map(_lines, self.first)), counts)

    def __bool__(self) -> bool:
        return bool(self.counts)


def _lines(text: str) -> str:
    return "\n".join(printable(line, MOST_SHOWN) for line in text.split("\n"))


class Replies:
    """Read the answers of a kernel to the cases `ids`, line by line."""

    def __init__(self, ids: Sequence[str], result: Sequence[Field], expected_header: str) -> None:
        self.problems = Problems()
        self._position = {name: k for k, name in enumerate(ids)}
        self._ids = ids
        self._result = result
        self._header = expected_header
        self._values: list[list[Any]] = [[0] * len(ids) for _ in result]
        self._other: dict[int, tuple[str, str]] = {}
        self._seen = bytearray(len(ids))
        self.answered = 0
        self._useless = 0
        self._integers = all(each.type in ("i32", "i64") for each in result)

    def receive(self, stream: BinaryIO, timeout: float) -> bool:
        """Read a stream, and tell whether it was read to its end.

        Reading stops early if no answer comes for `timeout` seconds, or if far too much comes; both
        are problems. Raises InputError if the stream cannot be read.
        """
        patience = Patience(timeout)
        try:
            for lines in split(chunks(stream, patience)):
                if self.read(lines):
                    patience.renew()
        except Silence:
            self.silence(timeout)
        except Endless as error:
            self.problems.add("endless", f"stopped after {error}")
        else:
            return True
        return False

    def silence(self, timeout: float) -> None:
        """Report that the kernel neither answered nor ended for `timeout` seconds."""
        so_far = f"{self.answered} of {counted(len(self._ids), 'case')}"
        self.problems.add("hang", f"no answer for {timeout:g} s after {so_far}")

    def read(self, lines: Iterable[str]) -> int:
        """Take in lines of the reply, each with its line end; return the number of answers.

        Raises Endless if far more lines answer nothing than there are cases.
        """
        before, only = self.answered, self._values[0]
        position, seen = self._position, self._seen
        quick = self._integers and len(self._result) == 1
        for line in lines:
            # nearly all lines are like this; others take the slower path
            if quick and len(words := line.split()) == 2 and line == f"{words[0]} {words[1]}\n":
                k = position.get(words[0])
                if k is not None and not seen[k] and INTEGER.fullmatch(words[1]):
                    value = int(words[1])
                    if -(2**63) <= value < 2**63:
                        only[k] = value
                        seen[k] = 1
                        self.answered += 1
                        continue
            if not self._read(line):
                self._useless += 1
                if self._useless > len(self._ids) + SPARE:
                    raise Endless(f"{self._useless} lines that answer nothing")
        return self.answered - before

    def _read(self, line: str) -> bool:
        """Take in any line; tell whether it answers a case."""
        text = line.rstrip("\r\n")
        if line.startswith("#"):
            if line.startswith(MARK) and text != self._header:
                self.problems.add(
                    "other arguments",
                    f"the stream began with\n    {text}\n  and not with\n    {self._header}",
                )
            return False
        if not line.endswith("\n"):
            self.problems.add("truncated", f"the last line is {_shown(line)} without a line end")
            return False
        words = [word for word in text.replace("\t", " ").split(" ") if word]
        k = self._position.get(words[0]) if words else None
        if k is None:
            known = bool(words) and INTEGER.fullmatch(words[0]) and len(words) > 1
            self.problems.add("unknown id" if known else "garbled", f"line {_shown(line)}")
        elif self._seen[k]:
            self.problems.add("duplicate", f"case {words[0]} is answered again: {_shown(line)}")
        else:
            self._seen[k] = 1
            self.answered += 1
            self._answer(k, line, words[1:])
            return True
        return False

    def _answer(self, k: int, line: str, words: list[str]) -> None:
        if words and words[0] in ("skip", "error"):
            self._other[k] = (words[0], printable(" ".join(words[1:]), MOST_REASON))
            return
        parsed = [_parse(word, each.type) for word, each in zip(words, self._result)]  # noqa: B905
        if len(words) != len(self._result) or None in parsed:
            self.problems.add("garbled", f"line {_shown(line)}")
            self._other[k] = ("invalid", f"a garbled line: {_shown(line)}")
            return
        for values, value in zip(self._values, parsed, strict=True):
            values[k] = value

    def finish(self) -> None:
        """Mark whatever is not answered as missing: no more lines will come."""
        answered = self.answered
        if answered == len(self._ids):
            return
        missing = [k for k, seen in enumerate(self._seen) if not seen]
        for k in missing:
            self._other[k] = ("missing", "")
        if not answered:
            text = "no case is answered"
        elif missing[0] == answered:
            text = f"the stream ends after {answered} of {counted(len(self._ids), 'case')}"
        else:
            some = ", ".join(self._ids[k] for k in missing[:5])
            text = f"{len(missing)} of {counted(len(self._ids), 'case')}, {some} among them"
        self.problems.add("missing", text)

    def answers(self, start: int, stop: int) -> Answers:
        """Return the answers to the cases start..stop - 1."""
        values = [
            np.array(column[start:stop], DTYPES[each.type])
            for column, each in zip(self._values, self._result, strict=True)
        ]
        inside = {k - start: self._other[k] for k in self._other if start <= k < stop}
        return Answers(values, inside)


def _parse(word: str, kind: str) -> int | float | None:
    """Return the number that a word spells; None for anything else."""
    if kind == "f64":
        return _real(word.lower())
    if not INTEGER.fullmatch(word):
        return None
    value = int(word)
    return value if -(2**63) <= value < 2**63 else None


def _real(word: str) -> float | None:
    """Round a decimal; accept a hexadecimal only if float64 represents it exactly."""
    if len(word) > MOST_DIGITS or not REAL.fullmatch(word):
        return None
    try:
        value = float.fromhex(word) if "x" in word else float(word)
    except (ValueError, OverflowError):
        return None
    digits, _, exponent = word.lstrip("+-0x").partition("p" if "x" in word else "e")
    lost = not value and digits.strip("0.") != "" or abs(value) == inf and "inf" not in word
    if lost or ("x" in word and value and not _exact(digits, int(exponent or "0"))):
        return None
    return value


def _exact(digits: str, exponent: int) -> bool:
    """Tell whether a float64 equals the hexadecimal digits times 2^exponent."""
    whole, _, fraction = digits.partition(".")
    n = int(whole + fraction, 16)
    low = (n & -n).bit_length() - 1
    return n.bit_length() - low <= 53 and exponent - 4 * len(fraction) + low >= -1074


def _shown(line: str) -> str:
    text = line.rstrip("\r\n")
    return repr(text if len(text) <= 60 else text[:57] + "...")
