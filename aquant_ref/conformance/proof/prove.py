"""Prove a library function, or find the simplest input for which it is wrong. Spec: AQ-CONF-7."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import __version__
from aquant_ref.checks import takes_functions
from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.asking import ALIKE
from aquant_ref.conformance.adapters.conversation import Ended
from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.adapters.library.process import INT32, Call, Library, Unanswered
from aquant_ref.conformance.proof.steps import admitted, beside, expanded, steps
from aquant_ref.errors import InputError, counted, nearest
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.proof.settings import Setting

FORMAT = "aquant-ref proof 1"
BLOCK = 1 << 20  # inputs in a call
FEW = 1 << 12  # inputs that are asked one by one, to find the one that ends the process


@dataclass(frozen=True)
class Range:
    """All keys from `low` to `high`: where each run of equal results starts, and its result."""

    low: int
    high: int
    starts: Sequence[int]
    results: Sequence[int]

    def __len__(self) -> int:
        return self.high - self.low + 1


@dataclass(frozen=True)
class Counterexample:
    """The wrong input that is nearest zero, and how many of `tried` inputs are wrong.

    `alone` says whether a call with this input alone is wrong too. `ended` says that the library
    crashed or hung.
    """

    setting: Setting
    key: int
    expected: int
    got: str
    wrong: int
    tried: int
    alone: bool = True
    ended: bool = False

    def text(self) -> str:
        """Say what is wrong, in two lines."""
        swept, operation = self.setting.swept, self.setting.operation
        rules = contract.rules(operation, self.setting.variation)
        value = self.setting.text_of(self.key)
        said = f"{swept.field}={value} gives {self.got}, not {self.expected} ({rules})"
        count = f"{self.wrong} of {self.tried} inputs are wrong; this one is nearest zero"
        if self.ended:
            count = f"after {counted(self.tried, 'input')}"
        if not self.alone:
            count += ", and is right when it is asked alone"
        return f"refuted: {self.setting.text()} ({self.setting.source})\n{said}\n{count}"


@dataclass
class Proof:
    """What was proved of a library: each setting, with its ranges."""

    operation: str
    library: Library
    settings: list[tuple[Setting, list[Range]]] = field(default_factory=list)
    program: str = ""
    left_out: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """How many inputs were asked."""
        return sum(len(each) for _, ranges in self.settings for each in ranges)

    @property
    def steps(self) -> int:
        """How many steps the results have."""
        return sum(len(each.starts) - 1 for _, ranges in self.settings for each in ranges)

    def text(self) -> str:
        """Say what was proved, in a line."""
        chosen = {setting.variation for setting, _ in self.settings} - set(contract.PROFILES)
        what = " ".join([self.operation, *sorted(chosen)])
        text = (
            f"proved: {what}: {counted(len(self.settings), 'setting')}, "
            f"{counted(self.inputs, 'input', form=',')}, {counted(self.steps, 'step', form=',')}; "
            f"library sha256 {self.library.sha256}"
        )
        if self.left_out:
            names = " and ".join(self.left_out)
            text += f"\nleft out: {names}, with more than 3 thresholds a channel"
        return text

    def certificate(self) -> str:
        """Return the certificate file: JSON, with a setting a line."""
        swept = self.settings[0][0].swept
        head = {
            "format": FORMAT,
            "aquant_ref": __version__,
            "abi": abi.VERSION,
            "library": {"name": self.library.path.name, "sha256": self.library.sha256},
            **({"program_sha256": self.program} if self.program else {}),
            **({"left_out": self.left_out} if self.left_out else {}),
            "operation": self.operation,
            "swept": swept.field,
            "inputs": swept.inputs.name,
            "total": self.inputs,
        }
        lines = [
            json.dumps(
                {
                    "source": setting.source,
                    "variation": setting.variation,
                    "given": dict(setting.given),
                    "step": setting.step,
                    "offset": setting.offset,
                    "ranges": [vars(each) for each in ranges],
                }
            )
            for setting, ranges in self.settings
        ]
        settings = ",\n".join(lines)
        return f'{json.dumps(head)[:-1]},\n"settings": [\n{settings}\n]}}\n'


@dataclass(frozen=True)
class Chosen:
    """Which inputs: the ends, and how many beside each step, where the user says so.

    `everything` stands for all inputs of the type.
    """

    ends: tuple[int, int] | None = None
    beside: int | None = None


@takes_functions
def prove(
    library: Library,
    settings: Sequence[Setting],
    chosen: Chosen | None = None,
    *,
    progress: Progress = quiet,
) -> Proof | Counterexample:
    """Ask the library for every input of every setting; stop at the first setting that is wrong.

    Raises InputError where the library lacks the function, or its file was changed meanwhile; for a
    setting that the contract refuses.
    """
    operation = settings[0].operation
    library.open()
    if abi.symbol(operation) not in library.symbols:
        meant = nearest(abi.symbol(operation), library.alike - library.symbols, ALIKE)
        raise InputError(f"library: {library.path} has no function {abi.symbol(operation)}{meant}")
    proof = Proof(operation.name, library)
    try:
        for k in progress(range(len(settings)), operation.name):
            ranges = ranges_of(settings[k], chosen or Chosen())
            wrong = _refuted(library, settings[k], ranges)
            if wrong is not None:
                return wrong
            proof.settings.append((settings[k], ranges))
    finally:
        library.close()
    library.check_unchanged()
    return proof


def ranges_of(setting: Setting, chosen: Chosen) -> list[Range]:
    """Return the inputs of a setting in ranges, with their expected results."""
    swept, rule = setting.swept, setting.rule()
    usual = swept.inputs.key(swept.low), swept.inputs.key(swept.high)
    ends = chosen.ends or setting.range or usual
    width = chosen.beside
    if width is None and chosen.ends is None and setting.range is None:
        width = swept.beside
    least = -((setting.offset - swept.inputs.low) // setting.step)
    most = (swept.inputs.high - setting.offset) // setting.step
    inside = admitted(rule, max(ends[0], least), min(ends[1], most))
    if inside is None:
        raise InputError(f"{setting.text()}: is outside the contract")
    starts, results = steps(rule, *inside)
    if width is None:
        return [Range(*inside, starts, results)]
    return [_part(low, high, starts, results) for low, high in beside(starts, width, *inside)]


def _part(low: int, high: int, starts: list[int], results: list[int]) -> Range:
    first = int(np.searchsorted(starts, low, "right")) - 1
    last = int(np.searchsorted(starts, high, "right"))
    return Range(low, high, [low, *starts[first + 1 : last]], results[first:last])


def _refuted(library: Library, setting: Setting, ranges: list[Range]) -> Counterexample | None:
    """Ask for all inputs; return the wrong one that is nearest zero."""
    nearest: tuple[int, int, int] | None = None  # key, expected, got
    wrong = tried = 0
    for keys, expected in _blocks(ranges):
        try:
            (got,) = library.call(_call(setting, keys))
        except (Ended, Unanswered) as error:
            return _unanswered(library, setting, keys, expected, tried, error)
        tried += len(keys)
        differs = got != expected
        if not differs.any():
            continue
        wrong += int(np.count_nonzero(differs))
        found = np.flatnonzero(differs)
        k = found[np.argmin(np.abs(2 * keys[found] - 1))]  # of equal ones the positive first
        if nearest is None or abs(2 * int(keys[k]) - 1) < abs(2 * nearest[0] - 1):
            nearest = int(keys[k]), int(expected[k]), int(got[k])
    if nearest is None:
        return None
    key, right, told = nearest
    try:
        (again,) = library.call(_call(setting, np.array([key])))
    except (Ended, Unanswered):
        again = np.array([told])
    return Counterexample(setting, key, right, str(told), wrong, tried, alone=again[0] != right)


def _blocks(ranges: Iterable[Range]) -> Iterator[tuple[Integers, Integers]]:
    """Keys in blocks, and their expected results; short ranges share a block."""
    waiting: list[tuple[Integers, Integers]] = []
    count = 0
    for each in ranges:
        starts, results = np.array(each.starts), np.array(each.results)
        for low in range(each.low, each.high + 1, BLOCK):
            size = min(BLOCK, each.high + 1 - low)
            if count + size > BLOCK:
                yield _joined(waiting)
                waiting, count = [], 0
            waiting.append((np.arange(low, low + size), expanded(starts, results, low, size)))
            count += size
    yield _joined(waiting)


def _joined(parts: list[tuple[Integers, Integers]]) -> tuple[Integers, Integers]:
    if len(parts) == 1:
        return parts[0]
    keys, expected = zip(*parts, strict=True)
    return np.concatenate(keys), np.concatenate(expected)


def _call(setting: Setting, keys: Integers) -> Call:
    operation = setting.operation
    call = Call(abi.symbol(operation), len(keys))
    call.add("text", setting.variation)
    for each in operation.fields:
        if each.name == setting.swept.field:
            call.array(each.type, setting.values(keys))
        elif each.type == "str":
            call.add("text", setting.given[each.name])
        else:
            value = setting.given[each.name]
            if each.type == "i32" and not INT32.min <= value <= INT32.max:
                raise InputError(f"{setting.text()}: {each.name} is beyond int32")
            call.add("fill", each.type, value, len(keys))
    for each in operation.result:
        call.result(each.type)
    return call


def _unanswered(
    library: Library,
    setting: Setting,
    keys: Integers,
    expected: Integers,
    tried: int,
    error: Ended | Unanswered,
) -> Counterexample:
    """Find the input that ends the process, or has no answer; all together may be needed for it."""
    if isinstance(error, Unanswered) and error.status == abi.UNSUPPORTED:
        raise InputError(f"library: {library.path} does not support {setting.text()}") from error
    first, last = 0, len(keys)
    while last - first > FEW:
        middle = (first + last) // 2
        try:
            library.call(_call(setting, keys[first:middle]))
            first = middle
        except (Ended, Unanswered):
            last = middle
    answers, end = library.one_by_one(_call(setting, keys[first:last]))
    silent = [k for k, each in enumerate(answers) if isinstance(each, Unanswered)]
    alone = bool(silent) or end is not None
    place = silent[0] if silent else len(answers) if end is not None else 0
    why: Any = answers[place] if silent else end or error
    got = why.reason if isinstance(why, Ended) else why.answer[1]
    key = first + place
    ended = isinstance(why, Ended)
    right = int(expected[key])
    return Counterexample(setting, int(keys[key]), right, got, 1, tried + key, alone, ended)
