"""A network of the user's own: a function in a Python file, written `file.py:function`.

The file is executed, as any module that its user imports: it is a program, not a data file.
"""

from __future__ import annotations

import builtins
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from aquant_ref.errors import InputError, nearest
from aquant_ref.formats.untrusted import MOST_TEXT, read_file
from aquant_ref.nn.graph import Builder, Graph

SUFFIX = ".py"


def is_own(name: str) -> bool:
    """Return whether a model's name is one of a file.

    >>> is_own("my_net.py:build"), is_own("resnet8")
    (True, False)
    """
    return name.rpartition(":")[0].endswith(SUFFIX) or name.endswith(SUFFIX)


def split(name: str) -> tuple[Path, str]:
    """Return the file and the function; raise InputError, which names the file, for no function."""
    path, _, function = name.rpartition(":")
    if not path.endswith(SUFFIX) or not function.isidentifier():
        path = name if name.endswith(SUFFIX) else path
        raise InputError(f"{path}: needs the name of a function, as in {Path(path).name}:build")
    return Path(path), function


def read(name: str) -> tuple[Graph, str]:
    """Execute the file, call the function, and return its graph and the sha256 of the file.

    The function takes no argument and returns a `Graph` or a `Network`. Raises InputError, which
    names the file, if it is missing or fails, has no such function, or makes something else.
    """
    path, function = split(name)
    source = read_file(path, most=MOST_TEXT)
    with _importing_beside(path):
        with _named(path, "fails"):
            module = ModuleType(f"aquant_ref_own_{path.stem}")
            module.__file__ = str(path)
            sys.modules[module.__name__] = module  # where dataclasses look for their module
            exec(compile(source, str(path), "exec"), module.__dict__)
        build = _function(path, module, function)
        with _named(path, f"{function} fails"):
            made: Any = build()
            graph = made.graph() if isinstance(made, Builder) else made
    if not isinstance(graph, Graph):
        raise InputError(
            f"{path}: {function} returns {type(made).__name__}, needs a Graph or a Network"
        )
    return graph, hashlib.sha256(source).hexdigest()


def _function(path: Path, module: ModuleType, name: str) -> Callable[[], Any]:
    names = [key for key, value in vars(module).items() if inspect.isfunction(value)]
    function: Any = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"{path}: has no function {name!r}{nearest(name, names)}")
    return function


@contextmanager
def _importing_beside(path: Path) -> Iterator[None]:
    """Let the file import those beside it, as `python file.py` does."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """Raise InputError, which names the file and the line, for whatever goes wrong in the block."""
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [str(frame.lineno) for frame in frames if frame.filename == str(path)]
        where = f"{path}:{lines[-1]}" if lines else str(path)
        raise InputError(f"{where}: {what} ({_in_words(error)})") from error


def _in_words(error: BaseException) -> str:
    """Return the kind and the message of an error, and which name may have been meant."""
    if isinstance(error, InputError):
        return str(error)
    said = f"{type(error).__name__}: {error}"
    if "did you mean" in said:
        return said
    if isinstance(error, AttributeError):
        return said + nearest(error.name, dir(error.obj))
    if isinstance(error, NameError):
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        return said + nearest(error.name, [*frame.f_locals, *frame.f_globals, *dir(builtins)])
    return said
