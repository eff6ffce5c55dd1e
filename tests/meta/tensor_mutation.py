"""`python -m tests.meta.tensor_mutation` mutates the arithmetic of the C kernel for tensors.

Each mutant differs from `tensor_kernel.c` in one place, as those of `mutation` do, and is asked the
stored vectors of the operations and the variation that the kernel has. For speed, all cases are
answered by one process (`tensor_runner.c`), which compares them with what the kernel itself writes;
that this is right is checked first. The command writes `tensor_mutation.md`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import numpy as np

from aquant_ref.conformance import vectors
from aquant_ref.conformance.adapters.directory import head_of, write_case
from aquant_ref.conformance.contract import OPERATIONS
from tests.meta import mutation
from tests.meta.mutation import Mutant

HERE = Path(__file__).parent
SURVIVORS, PAGE = HERE / "tensor_mutation_survivors.toml", HERE / "tensor_mutation.md"
PARTS = (("tensor_kernel.c", "static int64_t clip(", "int main("),)
OF_KERNEL = {"conv2d": "exact", "depthwise": "exact", "linear": "exact", "add_tensors": "engine"}


def mutants() -> list[Mutant]:
    """Return all mutants, in the order of the source."""
    return mutation.mutants(PARTS)


def write_cases(folder: Path, operations: Iterable[str] = tuple(OF_KERNEL)) -> Path:
    """Write a directory for each stored case, with the output of the vectors; return their list.

    The right output is stored as the kernel writes it. AssertionError if the kernel is wrong.
    """
    kernel = compiled(None, folder, "tensor_kernel.c")
    assert kernel is not None
    folders = []
    for operation in operations:
        for group in vectors.load(operation):
            if group.cases.profile != OF_KERNEL[operation] or group.selection.rejects:
                continue
            for k in np.flatnonzero(~group.expected.refused).tolist():
                each = folder / str(len(folders))
                each.mkdir()
                fields, results = OPERATIONS[operation].fields, OPERATIONS[operation].result
                head = head_of(group.selection, group.cases, k)
                write_case(each, head, fields, results, group.cases.inputs(k))
                subprocess.run([str(kernel), str(each)], check=True)
                written = np.load(each / "out_q.npy")
                assert np.array_equal(written, group.expected.low[0][k]), group.cases.ids[k]
                (each / "out_q.npy").rename(each / "right.npy")
                folders.append(each)
    folders.sort(key=lambda each: sum(path.stat().st_size for path in each.iterdir()))
    listed = folder / "cases.txt"
    listed.write_text("".join(f"{each}\n" for each in folders))
    return listed


def compiled(mutant: Mutant | None, folder: Path, source: str) -> Path | None:
    """Compile the kernel, or a mutant of it; None where it is no C."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler is not None
    for name in ("tensor_kernel.c", "tensor_runner.c"):
        text = (HERE / name).read_text() if mutant is None else mutant.source(name)
        (folder / name).write_text(text)
    program = folder / "program"
    command = [compiler, "-O1", "-w", "-std=gnu99", "-o", str(program), str(folder / source), "-lm"]
    done = subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    return None if done.returncode else program


def killer(mutant: Mutant, free: SimpleQueue[Path]) -> str:
    """Return what notices the mutant: "compiler", "vectors", or "" for nothing.

    `free` has the lists of cases that no other mutant is being asked.
    """
    with TemporaryDirectory() as folder:
        program = compiled(mutant, Path(folder), "tensor_runner.c")
        if program is None:
            return "compiler"
        cases = free.get()
        try:
            done = subprocess.run([str(program), str(cases)], capture_output=True, check=False)
        finally:
            free.put(cases)
        return "vectors" if done.returncode else ""


def killers(
    chosen: list[Mutant], processes: int = 2, operations: Iterable[str] = tuple(OF_KERNEL)
) -> dict[str, str]:
    """Return what notices each mutant, by name."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(processes) as pool:
        free: SimpleQueue[Path] = SimpleQueue()
        for k in range(processes):
            own = Path(folder) / str(k)
            own.mkdir()
            free.put(write_cases(own, operations))
        of = partial(killer, free=free)
        return dict(zip([each.name for each in chosen], pool.map(of, chosen), strict=True))


def main() -> None:
    """Try all mutants and write the page; the exit code is 1 if one survives without a reason."""
    chosen, reasons = mutants(), mutation.known(SURVIVORS)
    found = killers(chosen, int(os.environ.get("PROCESSES", "2")))
    page = mutation.page(found, {each.name: each.kind for each in chosen}, reasons, HEAD)
    PAGE.write_text(page)
    sys.exit(any(not by and name not in reasons for name, by in found.items()))


HEAD = """\
# Mechanical mutation of the C kernel for tensors

`python -m tests.meta.tensor_mutation` makes this page: every mutant of the arithmetic of
[tensor_kernel.c](tensor_kernel.c), and whether the stored vectors kill it. *Equal* is no other than
the kernel for all that the contract admits; a *gap* is one of the vectors."""

if __name__ == "__main__":
    main()
