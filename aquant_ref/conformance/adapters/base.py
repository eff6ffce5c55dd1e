"""Define what an implementation under test offers the kit."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable
from functools import cached_property
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.offered import BIAS, OF_CODES, Offered, named
from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.conformance.protocol.admission import Inadmissible, admit
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.protocol.replies import Problems
from aquant_ref.errors import InputError, counted, nearest
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.contract import Field, Operation

MOST_PROBES = 64  # cases asked alone to see whether a method supports any
LACKING = (MemoryError, RecursionError, SystemError)  # never a refusal


class Adapter:
    """Derive from it, and define one method for each operation that you have.

    A method takes the fields of the contract's table by name, as numpy arrays (n,): int64 for
    integers, float64 for reals, and one string for `rounding` and `profile`. For an operation on
    tensors it takes one case: arrays with the axes of the table, Python numbers, and tuples for
    pairs such as a stride. It returns one array for each result: integers, for an f64 also floats.
    A method gets the fields that it names, or all by `**`. It may also name `bits` and `signed`, of
    the codes of a case (None where several are possible), and, beside a `bias`, `bias_int`: int64
    in units of x_scale*weight_scale, or None if the bias is not a whole number of these.
    A missing method is *unsupported*, and so is a case for which it raises NotImplementedError.
    Raise any other Exception to refuse an input, except MemoryError, RecursionError, SystemError.

    >>> class Mine(Adapter):
    ...     def clip(self, *, v, low, high):
    ...         return np.clip(v, low, high)
    """

    name = ""
    one_array = False  # whether every array that is asked costs a process

    @cached_property
    def problems(self) -> Problems:
        """Collect what breaks the protocol, if the adapter uses one."""
        return Problems()

    def capabilities(self) -> Capabilities:
        """Declare what the methods can do: everything, unless overridden."""
        return Capabilities()

    def supports(self, operation: str) -> bool:
        """Tell whether there is a method for the operation."""
        return callable(getattr(self, operation, None))

    def other_names(self) -> list[str]:
        """List methods that are no operation; one may be meant to be."""
        known = set(dir(Adapter)) | contract.OPERATIONS.keys()
        names = [each for each in dir(self) if each not in known and not each.startswith("_")]
        return [each for each in names if callable(getattr_static(self, each))]

    def reaches(self, _operation: Operation) -> bool:
        """Tell whether this way of asking reaches the operation; a run leaves the others out."""
        return True

    def start(self) -> None:
        """Prepare for questions; raise InputError if nothing can be asked."""

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Ask for all cases; override it if the implementation is another process.

        A method gets all cases with the same strings at once, those on tensors one at a time.
        Where it raises, or returns no valid answer, the two halves are asked again, down to the
        single cases at fault. Where it raises NotImplementedError, some cases of each family are
        asked alone first: if it does so for all of these, the others are not asked.
        """
        questions = _Questions(getattr(self, cases.operation.name), selection, cases)
        for chosen in questions.alike():
            questions.ask(chosen)
        return Answers(questions.columns, questions.other)


class _Questions:
    """Ask a method for cases, and collect what it returns or raises."""

    def __init__(self, method: Callable[..., Any], selection: Selection, cases: Cases) -> None:
        self._method, self._cases = method, cases
        self._names, self._rest = named(method)
        self._offered = Offered(selection, cases)
        self.columns = blank_results(cases.operation, len(cases))
        self.other: dict[int, tuple[str, str]] = {}

    def alike(self) -> list[Array]:
        """Return the positions of the cases with the same strings and, if named, code types."""
        texts = [f.name for f in self._cases.operation.fields if f.type == "str"]
        columns = [self._cases.columns[name] for name in texts]
        if self._cases.operation.scalar and self._names & {*OF_CODES}:
            columns.append(self._offered.types)
        groups = [np.arange(len(self._cases))]
        for column in columns:
            groups = [p[column[p] == value] for p in groups for value in np.unique(column[p])]
        return [group for group in groups if len(group)]

    def ask(self, chosen: Array) -> None:
        """Ask for these cases, together if they are columns."""
        together = len(chosen) if self._cases.operation.scalar else 1
        first, rest = chosen[:together], chosen[together:]
        what, reason = self._call(first)
        if what == "skip" and len(chosen) > MOST_PROBES:
            probes = _spread(self._cases.kind, chosen)
            if {self._call(probes[k : k + 1])[0] for k in range(len(probes))} == {"skip"}:
                left = np.setdiff1d(chosen, probes)
                self.other |= dict.fromkeys(left.tolist(), (what, reason))
                return
        waiting = [*np.array_split(rest, max(len(rest), 1))]
        if what and together > 1:
            waiting += np.array_split(first, 2)
        while waiting:
            part = waiting.pop()
            if len(part) and self._call(part)[0] and len(part) > 1:
                waiting += np.array_split(part, 2)

    def _call(self, chosen: Array) -> tuple[str, str]:
        """Ask for these cases at once; return what it raised, and words, as `Answers.other`."""
        try:
            parts = _call(self._method, self._cases, chosen, self._keywords(chosen))
        except BaseException as error:
            what = _what(theirs(error))
            reason = _words_of(error) if what in ("skip", "invalid") else said(error)
            if len(chosen) == 1:
                self.other[int(chosen[0])] = what, reason
            return what, reason
        for column, part in zip(self.columns, parts, strict=True):
            column[chosen if self._cases.operation.scalar else chosen[0]] = part
        return "", ""

    def _keywords(self, chosen: Array) -> dict[str, Any]:
        """Return what the method gets: the fields that it takes, and what else it names."""
        operation, columns = self._cases.operation, self._cases.columns
        taken = [f for f in operation.fields if self._rest or f.name in self._names]
        fields = {f.name: _given(f, columns[f.name][chosen], operation.scalar) for f in taken}
        settings = operation.settings(self._cases.profile)
        fields |= {k: v for k, v in settings.items() if self._rest or k in self._names}
        if self._names & {*OF_CODES, BIAS}:
            offered = self._offered.of(int(chosen[0]))
            fields |= {k: v for k, v in offered.items() if k in self._names}
        return fields


def _given(field: Field, column: Array, scalar: bool) -> Any:
    if not scalar:
        value = column[0]  # a copy: the method may change it, and cases may share it
        return given(field, value.copy() if isinstance(value, np.ndarray) else value)
    return column[0].item() if field.type == "str" else column


def _spread(kind: Array, chosen: Array) -> Array:
    """Return some of these positions, spread over the cases of each kind."""
    kinds = np.unique(kind[chosen])
    most = max(3, MOST_PROBES // len(kinds))
    of_kinds = [chosen[kind[chosen] == each] for each in kinds]
    picked = [k[np.unique(np.linspace(0, len(k) - 1, most).astype(int))] for k in of_kinds]
    return np.concatenate(picked)


def _what(error: BaseException) -> str:
    """Classify an exception: a refusal, or no answer at all."""
    if isinstance(error, NotImplementedError):
        return "skip"
    if isinstance(error, Inadmissible):
        return "invalid"
    refuses = isinstance(error, Exception) and not isinstance(error, LACKING)
    return "error" if refuses else "crash"


def theirs(error: BaseException) -> BaseException:
    """Return what an implementation raised, and raise again what did not come from it.

    The latter are the user's interrupt, where this process can be interrupted, and, in a test, the
    exceptions by which pytest ends it.
    """
    of_pytest = any(kind.__module__ == "_pytest.outcomes" for kind in type(error).__mro__)
    in_test = "PYTEST_CURRENT_TEST" in os.environ
    can_be_interrupted = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    of_user = isinstance(error, KeyboardInterrupt) and can_be_interrupted
    if of_user or (of_pytest and in_test):
        raise error
    return error


def said(error: BaseException) -> str:
    """Return the type of an exception and the first line of its message."""
    return ": ".join(filter(None, [type(error).__name__, _words_of(error)]))


def _words_of(error: BaseException) -> str:
    try:
        return str(error).strip("\n").partition("\n")[0]
    except Exception:  # a defect of its own
        return ""


def _call(
    method: Callable[..., Any], cases: Cases, chosen: Array, fields: dict[str, Any]
) -> list[Array]:
    """Return the results for these cases, one array each; Inadmissible says what is wrong."""
    scalar = cases.operation.scalar
    returned = method(**fields)
    parts = returned if isinstance(returned, tuple) else (returned,)
    if len(parts) != len(cases.operation.result):
        raise Inadmissible(
            f"returned {counted(len(parts), 'result')}, not {len(cases.operation.result)}"
        )
    arrays = []
    for field, part in zip(cases.operation.result, parts, strict=True):
        array = admit(field, part, len(chosen))
        if scalar and array.shape != (len(chosen),):
            raise Inadmissible(f"{field.name}: returned shape {array.shape}, not ({len(chosen)},)")
        if not scalar and array.ndim != len(field.axes):
            axes = ", ".join(field.axes)
            raise Inadmissible(f"{field.name}: returned shape {array.shape}, not [{axes}]")
        arrays.append(array)
    return arrays


def words(name: str, command: str) -> list[str]:
    """Split a command into words; InputError, under the name `name`, for an invalid one."""
    try:
        split = shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise InputError(f"{name}: {command!r} is not a command ({error})") from error
    if not split:
        raise InputError(f"{name}: {command!r} is not a command")
    return split


def given(field: Field, value: Any) -> Any:
    """Convert a field of a case on tensors to what a method takes."""
    return tuple(value.tolist()) if field.axes and not field.tensor else value


def load(name: str) -> Adapter:
    """Make the adapter `package.module:Class`, or that of an engine, by its short name.

    In the place of a class there may be an adapter, or a function that makes one.
    The module may be in the working directory. Raises InputError if that fails.
    """
    from importlib import import_module

    from aquant_ref.conformance.adapters.engines.names import ENGINES

    if name in ENGINES:
        return ENGINES[name].make(name)
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        meant = nearest(name, ENGINES, 0.7) or f", or one of {', '.join(ENGINES)}"
        raise InputError(f"adapter: {name!r} needs a module and a class, such as mine:Mine{meant}")
    if module.endswith(".py") or os.path.basename(module) != module:
        meant = f"{os.path.basename(module).removesuffix('.py')}:{attribute}"
        raise InputError(f"adapter: {name!r}: write a module as it is imported, such as {meant}")
    if "" not in sys.path:
        sys.path.append("")  # last: no file there comes before an installed module
    try:
        found = import_module(module)
        if not hasattr(found, attribute):
            kinds = {each: kind for each, kind in vars(found).items() if isinstance(kind, type)}
            names = [each for each, kind in kinds.items() if kind is not Adapter]
            meant = nearest(attribute, names)
            raise InputError(f"adapter: module {module!r} has no {attribute!r}{meant}")
        chosen = getattr(found, attribute)
        adapter = chosen if isinstance(chosen, Adapter) else chosen()
    except InputError:
        raise
    except BaseException as error:
        raise InputError(f"adapter: {name!r} cannot be created ({said(theirs(error))})") from error
    if not isinstance(adapter, Adapter):
        raise InputError(f"adapter: {name!r} is not an aquant_ref.conformance.Adapter")
    return adapter
