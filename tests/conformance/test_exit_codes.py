"""One thing that an implementation does has one exit code, however it is asked.

Spec: AQ-CONF-13. The page of the kit has the codes as a table; each cell is run here.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aquant_ref.cli.main import main
from aquant_ref.conformance import Adapter, vectors, verify
from aquant_ref.conformance.adapters import (
    CommandAdapter,
    LibraryAdapter,
    PipeAdapter,
    PythonAdapter,
)
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.plugin import RunItem
from aquant_ref.conformance.protocol.check_stream import check
from aquant_ref.conformance.report import junit
from aquant_ref.conformance.report.report import Report
from tests.pages import CLONE, text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="of sh and signals")

GUIDE = CLONE / "aquant_ref" / "conformance" / "README.md"
HEADER = CLONE / "tests" / "meta"
NUMBER, TENSOR = "clip/inside/1", "max_pool2d/random/s8-1"
SOON = 0.3  # seconds

ADAPTER = """
import ctypes, os, sys, time
import numpy as np
from aquant_ref.conformance import Adapter

def fail(kind):
    raise kind

def fate():
    with open("fate") as stream:
        return stream.read()

FATES = {
    "right": lambda q: q,
    "other": lambda q: q + 1,
    "refuses": lambda q: fail(ValueError),
    "garbled": lambda q: q == 0,
    "reals": lambda q: q + 0.5,
    "shape": lambda q: q[None],
    "nan": lambda q: np.full(q.shape, np.nan),
    "exit": lambda q: sys.exit(0),
    "memory": lambda q: fail(MemoryError),
    "recursion": lambda q: fail(RecursionError),
    "system": lambda q: fail(SystemError),
    "interrupt": lambda q: fail(KeyboardInterrupt),
    "ends": lambda q: os._exit(0),
    "hangs": lambda q: time.sleep(45),
    "unsupported": lambda q: fail(NotImplementedError),
}

class Fated(Adapter):
    def clip(self, *, v, low, high):
        return FATES[fate()](np.clip(v, low, high))
    def supports(self, operation):
        return operation == "clip" and fate() != "nothing"
    def other_names(self):
        return ["clipp"]
"""
LIBRARY = """
#include "kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int32_t aquant_abi_version(void) { return AQUANT_ABI_VERSION; }
int32_t aquant_clip(int64_t cases, const char *variation, const int64_t *v, const int32_t *low,
                    const int32_t *high, int32_t *q)
{
    FILE *file = fopen("fate", "r");
    int fate = fgetc(file);
    fclose(file);
    for (int64_t k = 0; k < cases; k++)
        q[k] = (v[k] < low[k] ? low[k] : v[k] > high[k] ? high[k] : v[k]) + (fate == 'o');
    if (fate == 'c') abort();
    if (fate == 'h') sleep(45);
    return fate == 'r' || fate == 'o' ? 0 : fate == '3' ? 3 : fate == '4' ? 4 : 7;
}
"""
# what the table says -> by door, what does it
ROWS: dict[str, dict[str, list[str]]] = {
    "every answer is right": {
        "python": ["right"],
        "pipe": ["echo 0 RIGHT"],
        "exec": ["cp right.npy $0/out_q.npy"],
        "library": ["r"],
    },
    "gives another value, or a tensor of another size": {
        "python": ["other"],
        "pipe": ["echo 0 OTHER"],
        "exec": ["cp other.npy $0/out_q.npy", "cp size.npy $0/out_q.npy"],
        "library": ["o"],
    },
    "refuses what it must answer": {
        "python": ["refuses"],
        "pipe": ["echo 0 error no"],
        "exec": ["exit 3"],
        "library": ["3"],
    },
    "gives something that is no answer": {
        "python": ["garbled", "reals", "shape", "nan"],
        "pipe": ["echo 0 one", "echo 0 nan", "echo 0 1 2", "echo 0 1; echo 0 1", "echo hello"],
        "exec": [f"cp {name}.npy $0/out_q.npy" for name in ("axes", "reals", "nan", "cut")],
        "library": ["7"],
    },
    "crashes, or ends without an answer": {
        "python": ["exit", "memory", "recursion", "system", "interrupt", "ends"],
        "pipe": ["kill -SEGV $$", "exit 0", "echo 0 RIGHT; exit 9"],
        "exec": ["kill -SEGV $$", "exit 0", "exit 9"],
        "library": ["c"],
    },
    "hangs": {
        "python": ["hangs"],
        "pipe": ["sleep 45"],
        "exec": ["sleep 45"],
        "library": ["h"],
    },
    "supports nothing that is asked": {
        "python": ["unsupported", "nothing"],
        "pipe": ["echo 0 skip no"],
        "exec": ["exit 4"],
        "library": ["4"],
    },
}
BROKEN = ("gives something that is no answer", "crashes, or ends without an answer", "hangs")


def codes() -> dict[str, int]:
    """What the page says, by what an implementation does."""
    _, _, rest = text(GUIDE).partition("| what it does | exit code |")
    table = rest.partition("\n\n")[0]
    return {what: int(code) for what, code in re.findall(r"^\| ([^|]+?) \| (\d+) \|", table, re.M)}


class Doors:
    """All ways in, each started once; `fate` is a file that says what to do."""

    def __init__(self, folder: Path) -> None:
        (folder / "fated_by_exit_codes.py").write_text(ADAPTER, encoding="utf-8")
        (group, place) = next(
            (g, g.cases.ids.index(NUMBER)) for g in vectors.load("clip") if NUMBER in g.cases.ids
        )
        self.right = int(group.expected.low[0][place])
        (group, place) = next(
            (g, g.cases.ids.index(TENSOR))
            for g in vectors.load("max_pool2d")
            if TENSOR in g.cases.ids
        )
        right = group.expected.low[0][place]
        saved = {"right": right, "other": right + 1, "size": np.zeros((1, 1, 1), np.int32)}
        saved |= {"axes": right[0], "reals": right + 0.5, "nan": right * np.nan}
        for name, array in saved.items():
            np.save(folder / f"{name}.npy", array)
        (folder / "cut.npy").write_bytes((folder / "right.npy").read_bytes()[:-3])
        compiler = shutil.which("cc")
        self.adapter = PythonAdapter("fated_by_exit_codes:Fated", timeout=2)
        self.kernel = None
        if compiler is not None:
            (folder / "fated.c").write_text(LIBRARY, encoding="utf-8")
            flags = ["-shared", "-fPIC", f"-I{HEADER}", "-o", "libfated.so", "fated.c"]
            subprocess.run([compiler, *flags], check=True, cwd=folder)
            self.kernel = folder / "libfated.so"

    def python(self, fate: str) -> Report:
        Path("fate").write_text(fate)
        self.adapter.timeout = SOON if fate == "hangs" else 20
        self.adapter.__dict__.pop("problems", None)  # of an earlier fate
        return verify(self.adapter, operations=["clip"], only=[NUMBER], generated=0)

    def object(self, fate: str) -> Report:
        from importlib import import_module

        Path("fate").write_text(fate)
        module: Any = import_module("fated_by_exit_codes")
        return verify(module.Fated(), operations=["clip"], only=[NUMBER], generated=0)

    def pipe(self, script: str) -> Report:
        script = script.replace("RIGHT", str(self.right)).replace("OTHER", str(self.right + 1))
        timeout = SOON if "sleep" in script else 20
        adapter = PipeAdapter(shlex.join(["sh", "-c", script]), timeout=timeout)
        return verify(adapter, operations=["clip"], only=[NUMBER], generated=0)

    def exec(self, script: str) -> Report:
        smoke = "grep -q smoke $0/desc.json && exec cp $0/in_x.npy $0/out_y.npy; "
        timeout = SOON if "sleep" in script else 20
        command = shlex.join(["sh", "-c", smoke + script, "{case}"])
        adapter = CommandAdapter(command, timeout=timeout)
        return verify(adapter, operations=["max_pool2d"], only=[TENSOR], generated=0)

    def check(self, script: str) -> Report:
        selection = Selection("clip")
        right = int(expected(generate(selection, [0])).low[0][0])
        script = script.replace("RIGHT", str(right)).replace("OTHER", str(right + 1))
        with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as kernel:
            assert kernel.stdout is not None
            report = check(selection, [0], kernel.stdout, timeout=SOON if "sleep" in script else 20)
            kernel.kill()
        return report

    def library(self, fate: str) -> Report:
        if self.kernel is None:
            pytest.skip("there is no C compiler")
        Path("fate").write_text(fate)
        adapter = LibraryAdapter(self.kernel, timeout=SOON if fate == "h" else 20)
        return verify(adapter, operations=["clip"], only=[NUMBER], generated=0)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("doors")
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        yield Doors(folder)


def cells() -> Iterator[Any]:
    for row, by_door in ROWS.items():
        for door, fates in by_door.items():
            for fate in fates:
                yield pytest.param(row, door, fate, id=f"{row}-{door}-{fate}")
    for fate in ("right", "other", "refuses", "garbled", "shape", "exit", "memory", "nothing"):
        row = next(row for row, by_door in ROWS.items() if fate in by_door["python"])
        yield pytest.param(row, "object", fate, id=f"{row}-object-{fate}")
    for row, by_door in ROWS.items():  # of a pipe, `check` does not see how the kernel ends
        for script in by_door["pipe"][:2]:
            yield pytest.param(row, "check", script, id=f"{row}-check-{script}")


@pytest.mark.parametrize(("row", "door", "fate"), list(cells()))
def test_one_thing_has_one_code_through_every_door(
    row: str, door: str, fate: str, doors: Doors
) -> None:
    """Spec: AQ-CONF-13."""
    report = getattr(doors, door)(fate)
    code = codes()[row]
    assert report.exit_code == code, report.text()
    assert (report.claim == "claim: none") == (code != 0)
    assert bool(report.nothing) == (row == "supports nothing that is asked")
    assert bool(report.broken or report.total()["missing"]) == (row in BROKEN)
    assert "Traceback" not in report.text()


def test_the_table_has_a_test_for_each_row() -> None:
    assert ROWS.keys() <= codes().keys()


WRONG_FILES = {
    'flag = "clip/inside"\nreason = "?"': "needs a kind",
    'flag = "clip/inside"\nkind = "known-bug"': "gives no reason",
    'flag = "clip/inside"\nkind = "known-bugs"\nreason = "?"': "did you mean 'known-bug'?",
    'flags = "clip/inside"\nkind = "known-bug"\nreason = "?"': "did you mean 'flag'?",
    'kind = "known-bug"\nreason = "?"': "needs either a case or a flag",
}
STALE = 'flag = "clip/inside"\nkind = "known-bug"\nreason = "?"'


@pytest.mark.parametrize("entry", [*WRONG_FILES, STALE])
def test_a_bad_file_of_deviations_is_a_bad_input_and_a_stale_one_is_stale(
    entry: str, doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("deviations.toml").write_text(f"[[deviation]]\n{entry}\n", encoding="utf-8")
    known = ["verify", "clip", "--n", "0", "--deviations", "deviations.toml"]
    code = main(known)
    said = capsys.readouterr()
    if entry == STALE:
        assert code == codes()["a deviation in `deviations.toml` is stale"] == 3
        assert "all that it names pass now" in said.out
    else:
        assert code == codes()["(bad arguments, or a bad file)"] == 2
        assert WRONG_FILES[entry] in said.err
        assert len(said.err.splitlines()) == 1


def test_a_deviation_hides_no_broken_protocol(doors: Doors) -> None:
    from aquant_ref.conformance.report import deviations

    Path("deviations.toml").write_text(f"[[deviation]]\n{STALE}\n", encoding="utf-8")
    known = deviations.load("deviations.toml")

    class Ends(Adapter):
        def clip(self, **_: Any) -> Any:
            raise SystemExit

    report = verify(Ends(), operations=["clip"], only=[NUMBER], generated=0, deviations=known)
    assert report.total()["deviating"] == 1
    assert report.exit_code == 2


def test_a_slip_in_the_name_of_an_operation_is_named_by_every_way_that_can_see_it(
    doors: Doors,
) -> None:
    """Past bug: a method `requantise` was silently not declared, with exit code 0."""

    class Slips(Adapter):
        def clip(self, *, v: Any, low: Any, high: Any) -> Any:
            return np.clip(v, low, high)

        def requantise(self, **_: Any) -> Any: ...

        def conv2D(self, **_: Any) -> Any: ...

        def helper(self) -> Any: ...

    report = verify(Slips(), operations=["clip"], generated=0)
    assert report.exit_code == 0
    assert [hint for hint in report.hints if hint in report.text()] == [
        "conv2D is no operation (did you mean 'conv2d'?)",
        "requantise is no operation (did you mean 'requantize'?)",
    ]
    assert "clipp is no operation (did you mean 'clip'?)" in doors.python("nothing").hints
    assert doors.python("right").hints == []


def test_a_slip_in_the_name_of_a_function_is_named(doors: Doors, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source, kernel = tmp_path / "slip.c", tmp_path / "libslip.so"
    source.write_text(LIBRARY.replace("aquant_clip(", "aquant_clipp("), encoding="utf-8")
    flags = ["-shared", "-fPIC", f"-I{HEADER}", "-o", str(kernel), str(source)]
    subprocess.run([compiler, *flags], check=True)
    report = verify(LibraryAdapter(kernel), operations=["clip"], only=[NUMBER], generated=0)
    assert report.exit_code == codes()["supports nothing that is asked"]
    assert report.hints == ["clipp is no operation (did you mean 'clip'?)"]


def test_nothing_verified_fails_in_pytest_and_in_junit_xml(doors: Doors) -> None:
    report = doors.object("nothing")
    with pytest.raises(pytest.fail.Exception, match="nothing is verified: no case was asked"):
        RunItem.runtest(SimpleNamespace(report=report))
    assert 'name="verified"><error' in junit.xml(report)
    RunItem.runtest(SimpleNamespace(report=doors.object("right")))
