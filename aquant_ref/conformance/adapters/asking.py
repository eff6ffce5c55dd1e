"""Ask an adapter, whatever its methods raise or return. Spec: AQ-CONF-3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.base import Adapter, said, theirs
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.conformance.protocol.admission import Inadmissible, admit
from aquant_ref.conformance.protocol.answers import WITHOUT_VALUE, Answers, without
from aquant_ref.conformance.protocol.replies import Problems
from aquant_ref.errors import InputError, nearest, printable
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.contract import Field, Operation

ALIKE = 0.8  # of a name and that of an operation, for one to be a slip of the other


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn what an adapter raises in the block into an InputError."""
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        raise InputError(f"adapter: {what} raises {said(theirs(error))}") from error


class Asked:
    """Wrap an adapter; read once what it says of itself.

    `capabilities`, where given, replaces what it declares. Raises InputError for anything but an
    `Adapter`. The methods raise InputError for a reply of the wrong type.
    """

    def __init__(self, adapter: Adapter, capabilities: Capabilities | None = None) -> None:
        if not isinstance(adapter, Adapter):
            is_class = isinstance(adapter, type)
            what = f"the class {adapter.__name__}" if is_class else f"a {type(adapter).__name__}"
            raise InputError(f"adapter: needs an instance of Adapter, got {what}")
        if not isinstance(capabilities, Capabilities | None):
            raise InputError(f"capabilities: needs Capabilities, got {capabilities!r}")
        self._adapter, self._instead = adapter, capabilities
        self.problems()

    def problems(self) -> Problems:
        """Return a copy of what has broken the protocol so far."""
        with one_line("problems"):
            problems = self._adapter.problems
            if not isinstance(problems, Problems):
                raise InputError(f"adapter: problems is {type(problems).__name__}, not Problems")
            return problems.copy()

    @cached_property
    def name(self) -> str:
        """Name the implementation."""
        with one_line("name"):
            return str(self._adapter.name or type(self._adapter).__name__)

    @cached_property
    def capabilities(self) -> Capabilities:
        """Declare its capabilities."""
        if self._instead is not None:
            return self._instead
        with one_line("capabilities()"):
            capabilities = self._adapter.capabilities()
        if not isinstance(capabilities, Capabilities):
            got = type(capabilities).__name__
            raise InputError(f"adapter: capabilities() returns {got}, not Capabilities")
        return capabilities

    @property
    def one_array(self) -> bool:
        """Tell whether every array that is asked costs a process."""
        with one_line("one_array"):
            return bool(self._adapter.one_array)

    def other_names(self) -> list[str]:
        """List names of the implementation that are no operation."""
        with one_line("other_names()"):
            return list(map(str, self._adapter.other_names()))

    def slips(self) -> list[str]:
        """Return a line for each name that is nearly that of an operation it lacks."""
        names = self.other_names()
        if not any(nearest(name, contract.OPERATIONS, ALIKE) for name in names):
            return []
        missing = [each for each in contract.OPERATIONS if not self.supports(each)]
        found = [(name, nearest(name, missing, ALIKE)) for name in names]
        return [printable(f"{name} is no operation{meant}") for name, meant in found if meant]

    def start(self) -> None:
        """Start it; InputError says why nothing can be asked."""
        with one_line("start()"):
            self._adapter.start()

    def reaches(self, operation: Operation) -> bool:
        """Tell whether this way of asking reaches the operation."""
        with one_line(f"reaches({operation.name!r})"):
            return bool(self._adapter.reaches(operation))

    def supports(self, operation: str) -> bool:
        """Tell whether the implementation has the operation."""
        with one_line(f"supports({operation!r})"):
            return bool(self._adapter.supports(operation))

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Ask for all cases; anything but a valid answer becomes a verdict.

        The adapter gets copies, so it may change them. Raises InputError where the adapter does.
        """
        copied = replace(
            cases,
            ids=[*cases.ids],
            flags=[*cases.flags],
            kind=cases.kind.copy(),
            columns=deepcopy(cases.columns),
        )
        try:
            with np.errstate():  # it may set another one
                answers = self._adapter.answer(selection, copied)
        except InputError:
            raise
        except BaseException as error:
            return without(cases, "crash", said(theirs(error)))
        try:
            return _admitted(cases, answers)
        except BaseException as error:  # of what only looks like an array, among others
            return without(cases, "invalid", said(theirs(error)))


def _admitted(cases: Cases, answers: Answers) -> Answers:
    """Check what an adapter's own `answer` returned, as strictly as what its methods return."""
    count, results = len(cases), cases.operation.result
    if not isinstance(answers, Answers):
        raise Inadmissible(f"answer() returned {type(answers).__name__}, not Answers")
    if [len(column) for column in answers.values] != [count] * len(results):
        raise Inadmissible(f"answer() did not return {len(results)} x {count} values")
    other = {_place(k, count): told for k, told in answers.other.items()}
    for what, _ in other.values():
        if what not in WITHOUT_VALUE:
            raise Inadmissible(f"answer() returned {what!r}, not one of {', '.join(WITHOUT_VALUE)}")
    columns = blank_results(cases.operation, count)
    for field, column, got in zip(results, columns, answers.values, strict=True):
        if cases.operation.scalar:
            with suppress(Inadmissible):
                _fill(field, column, got)
                continue
        for k in range(count):  # to see which are not admitted
            try:
                if k in other:
                    continue
                if cases.operation.scalar:
                    _fill(field, column[k : k + 1], got[k : k + 1])
                else:
                    column[k] = admit(field, got[k])
            except Inadmissible as error:
                other[k] = ("invalid", str(error))
    return Answers(columns, other)


def _place(k: Any, count: int) -> int:
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 0 <= k < count:
        raise Inadmissible("answer() answered cases that it was not asked")
    return int(k)


def _fill(field: Field, column: Array, got: Any) -> None:
    admitted = admit(field, got, len(column))
    if admitted.shape != column.shape:
        raise Inadmissible(f"{field.name}: returned shape {admitted.shape}, not {column.shape}")
    column[:] = admitted
