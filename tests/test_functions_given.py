"""Whatever a public function is to call is a function, or one line says so before any work."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import aquant_ref
from aquant_ref.checks import CALLED, takes_functions
from aquant_ref.errors import InputError

KINDS = ("Progress", "Say", "Callback")


def modules() -> Iterator[Any]:
    for each in pkgutil.walk_packages(aquant_ref.__path__, "aquant_ref."):
        if "__main__" not in each.name and "plugin" not in each.name:
            try:
                yield importlib.import_module(each.name)
            except ModuleNotFoundError as error:  # of an extra that is not installed
                if str(error.name).startswith("aquant_ref"):
                    raise


def doors() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Every public function or method, with each of its arguments that is a function to call."""
    for module in modules():
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            members = {name: value} if inspect.isfunction(value) else {}
            if inspect.isclass(value):
                members = {f"{name}.{k}": getattr(value, k) for k in vars(value) if k[0] != "_"}
            for path, function in members.items():
                if not (inspect.isfunction(function) or inspect.ismethod(function)):
                    continue
                parameters = inspect.signature(function).parameters
                if "args" in parameters:  # a command, which is given what the command line has
                    continue
                for argument, parameter in parameters.items():
                    kind = str(parameter.annotation)
                    if argument[0] != "_" and any(each in kind for each in KINDS):
                        yield f"{module.__name__}.{path}", function, argument


DOORS = [pytest.param(function, name, id=f"{path}-{name}") for path, function, name in doors()]


def test_the_doors_are_found() -> None:
    found = {each.id for each in DOORS}
    assert {
        "aquant_ref.ptq.pipeline.quantize-progress",
        "aquant_ref.ptq.pipeline.quantize-callback",
        "aquant_ref.experiments.experiment.Experiment.inputs-say",
        "aquant_ref.data.load-progress",
    } <= found
    assert len(found) > 40


@pytest.mark.parametrize(("door", "name"), DOORS)
@pytest.mark.parametrize("wrong", [3, "tqdm", True])
def test_what_is_no_function_is_refused_by_its_name(
    door: Callable[..., Any], name: str, wrong: Any
) -> None:
    """Past bug: a TypeError from inside learning. All other arguments are not even looked at."""
    assert name in CALLED
    parameters = inspect.signature(door).parameters.values()
    needed = {
        each.name: print if each.name in CALLED else None
        for each in parameters
        if each.default is each.empty
    }
    with pytest.raises(InputError, match=f"^{name}: needs a function, got {wrong!r}"):
        door(**{**needed, name: wrong})


def test_an_argument_is_checked_by_position_and_none_only_where_the_annotation_says_so() -> None:
    @takes_functions
    def door(run: Any, *, report: Callable[..., Any] | None = None, other: int = 3) -> int:
        """Say."""
        return other

    assert door(print, report=None, other=4) == 4
    assert door(print) == 3
    assert door.__doc__ == "Say."
    wrong: list[tuple[Any, Any]] = [(3, None), (None, None), (print, 3)]
    for run, report in wrong:
        with pytest.raises(InputError, match=r"^(run|report): needs a function"):
            door(run, report=report)
