"""`python -m tests.meta.mutation` mutates the C kernel mechanically, and asks who notices.

Each mutant differs from the kernel in one place: an operator, a number, a type, a function, two
statements in the other order or one left out. The stored vectors have to kill it. One that they do
not kill has to be in `mutation_survivors.toml`: it is equal to the kernel for all that the contract
admits, or the vectors have a gap. The command writes `mutation.md`; a test kills a few on every
run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from aquant_ref.conformance import vectors
from aquant_ref.conformance.adapters import Capabilities, LibraryAdapter
from aquant_ref.conformance.contract import OPERATIONS, VARIATIONS
from aquant_ref.conformance.report.verdict import PASS, verdicts
from aquant_ref.errors import InputError
from aquant_ref.formats.text import read_toml

HERE = Path(__file__).parent
SURVIVORS, PAGE = HERE / "mutation_survivors.toml", HERE / "mutation.md"
SOURCES = ("kernel.c", "kernel_library.c", "kernel.h", "requantize_faults.h")
# Where the kernel is: file, and from which line to which.
PARTS = (
    ("kernel.c", "static int64_t clip(", "static const char *op, *profile;"),
    ("kernel_library.c", "static int64_t float_code(", None),
)
INSTEAD = {
    **{"+": "-", "-": "+", "*": "/", "/": "*", "<<": ">>", ">>": "<<", "&&": "||", "||": "&&"},
    **{"==": "!=", "!=": "==", "++": "--", "?": None, "&": "|"},
}
COMPARISONS = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<=")}
OPERATOR = re.compile(r"\+\+|--|->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/<>&]")
WORDS = {
    "int64_t": ("int32_t",),
    "double": ("float",),
    "floor": ("ceil", "trunc"),
    "ceil": ("floor",),
    "trunc": ("floor",),
    "round": ("nearbyint",),
    "nearbyint": ("round",),
    "half_up": ("half_away",),
    "half_away": ("half_up",),
    "low": ("high",),
    "high": ("low",),
}
NUMBER = re.compile(r"(?<![\w.])(\d+\.\d+|\d+)(?![\w.])")
IGNORED = re.compile(r'/\*.*?\*/|"[^"\n]*"', re.S)
TIMEOUT = 2.0
OUTCOMES = ("does not compile", "killed", "equal", "gap", "unexplained")


@dataclass(frozen=True)
class Mutant:
    """The kernel with one place changed: `start` to `end` of a file is `text`."""

    file: str
    start: int
    end: int
    text: str
    kind: str
    number: int = 1  # of those with the same lines in a function

    def source(self, name: str) -> str:
        """Return the content of a file of the kernel."""
        content = (HERE / name).read_text()
        if name != self.file:
            return content
        return content[: self.start] + self.text + content[self.end :]

    @property
    def name(self) -> str:
        """Return the function, and the changed lines before and after."""
        before, after = (HERE / self.file).read_text(), self.source(self.file)
        first = before.rfind("\n", 0, self.start) + 1
        last = before.find("\n", self.end)
        changed = after[first : last + len(after) - len(before)]
        function = re.findall(r"^\w[\w *]*?\b(\w+)\(", before[:last], re.M)[-1]
        lines = (" ".join(each.split()) for each in (before[first:last], changed))
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{function}: {' => '.join(lines)}{again}"


def mutants(parts: tuple[tuple[str, str, str | None], ...] = PARTS) -> list[Mutant]:
    """Return all mutants, in the order of the source."""
    found: list[Mutant] = []
    names: dict[str, set[str]] = {}  # the sources of the mutants with a name
    for file, first, last in parts:
        content = (HERE / file).read_text()
        start = content.index(first)
        end = len(content) if last is None else content.index(last)
        for each in (*_tokens(file, content, start, end), *_statements(file, content, start, end)):
            sources = names.setdefault(each.name, set())
            if each.source(file) not in sources:
                sources.add(each.source(file))
                found.append(replace(each, number=len(sources)))
    return found


def _tokens(file: str, content: str, start: int, end: int) -> Iterator[Mutant]:
    code = IGNORED.sub(lambda m: " " * len(m[0]), content)
    for match in OPERATOR.finditer(code, start, end):
        for text in COMPARISONS.get(match[0]) or [INSTEAD.get(match[0])]:
            if text is not None:
                yield Mutant(file, match.start(), match.end(), text, "operator")
    for match in NUMBER.finditer(code, start, end):
        number = match[0]
        for text in (f"{float(number) / 2}",) if "." in number else _beside(int(number)):
            yield Mutant(file, match.start(), match.end(), text, "number")
    for match in re.finditer(r"\b\w+\b", code[start:end]):
        for text in WORDS.get(match[0], ()):
            kind = "type" if match[0] in ("int64_t", "double") else "name"
            yield Mutant(file, start + match.start(), start + match.end(), text, kind)


def _beside(number: int) -> tuple[str, ...]:
    return (str(number + 1), str(number - 1)) if number else ("1",)


def _statements(file: str, content: str, start: int, end: int) -> Iterator[Mutant]:
    lines = [*re.finditer(r"^( +)(.*;)$", content[start:end], re.M)]
    for match in lines:
        first, last = start + match.start(2), start + match.end(2)
        yield Mutant(file, first, last, ";", "left out")
    for one, two in zip(lines, lines[1:], strict=False):
        if one.end() + 1 == two.start() and one[1] == two[1]:
            text = f"{two[2]}\n{one[1]}{one[2]}"
            yield Mutant(file, start + one.start(2), start + two.end(2), text, "order")


# Killing them


def compiled(mutant: Mutant, folder: Path) -> Path | None:
    """Compile the mutant to a library; None where it is no C."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler is not None
    for name in SOURCES:
        (folder / name).write_text(mutant.source(name))
    library = folder / "libmutant.so"
    command = [compiler, "-O1", "-w", "-std=gnu99", "-shared", "-fPIC", "-o", str(library)]
    done = subprocess.run(
        [*command, str(folder / "kernel_library.c"), "-lm"], stderr=subprocess.DEVNULL, check=False
    )
    return None if done.returncode else library


def killer(mutant: Mutant, folder: Path) -> str:
    """Return what notices the mutant: "compiler", the operation of a vector, or "" for nothing."""
    library = compiled(mutant, folder)
    if library is None:
        return "compiler"
    every = Capabilities(requantization=tuple(VARIATIONS))
    adapter = LibraryAdapter(library, timeout=TIMEOUT, capabilities=every)
    try:
        adapter.start()
        return next(_noticed(mutant, adapter), "")
    except InputError:
        return "loader"
    finally:
        adapter.library.close()


def _noticed(mutant: Mutant, adapter: LibraryAdapter) -> Iterator[str]:
    scalar = [name for name, operation in OPERATIONS.items() if operation.scalar]
    near = mutant.name.partition(":")[0]
    for name in sorted(scalar, key=lambda name: name not in near):
        for group in vectors.load(name):
            if group.selection.rejects or group.cases.profile in OPERATIONS[name].alternatives:
                continue
            answers = adapter.answer(group.selection, group.cases)
            right = verdicts(group.expected, answers) == PASS
            if not (right | group.expected.refused).all() or adapter.problems:
                yield name


def known(survivors: Path = SURVIVORS) -> dict[str, tuple[str, str]]:
    """Return kind ("equal" or "gap") and reason for each mutant that survives, by its name."""
    return {
        name: (each["kind"], each["reason"])
        for each in read_toml(survivors)["survivor"]
        for name in each["names"]
    }


def killers(chosen: list[Mutant], processes: int = 2) -> dict[str, str]:
    """Return what notices each mutant, by name."""

    def of(mutant: Mutant) -> str:
        with TemporaryDirectory() as folder:
            return killer(mutant, Path(folder))

    with ThreadPoolExecutor(processes) as pool:
        return dict(zip([each.name for each in chosen], pool.map(of, chosen), strict=True))


def page(
    found: dict[str, str], kinds: dict[str, str], reasons: dict[str, tuple[str, str]], head: str
) -> str:
    """Return the outcome of all mutants as Markdown."""
    outcomes = {name: _outcome(by, reasons.get(name)) for name, by in found.items()}
    counts = {
        kind: Counter(outcomes[n] for n in found if kinds[n] == kind) for kind in kinds.values()
    }
    counts["all"] = Counter(outcomes.values())
    rows = [
        f"| {kind} | {' | '.join(str(count[each]) for each in OUTCOMES)} |"
        for kind, count in sorted(counts.items(), key=lambda each: (each[0] == "all", each[0]))
    ]
    groups: dict[tuple[str, str], list[str]] = {}
    for name, by in found.items():
        if not by:
            groups.setdefault(reasons.get(name, ("unexplained", "")), []).append(name)
    survivors = [
        "\n".join([f"**{kind}**: {reason}", "", "```text", *names, "```", ""])
        for (kind, reason), names in sorted(groups.items(), reverse=True)
    ]
    table = "\n".join(rows)
    return f"""\
{head}

| changed | {" | ".join(OUTCOMES)} |
|---|{"--:|" * len(OUTCOMES)}
{table}

## What survives

{chr(10).join(survivors)}"""


def _outcome(by: str, known: tuple[str, str] | None) -> str:
    if not by:
        return known[0] if known else "unexplained"
    return "does not compile" if by == "compiler" else "killed"


def main() -> None:
    """Try all mutants and write the page; the exit code is 1 if one survives without a reason."""
    chosen = mutants()
    found = killers(chosen, int(os.environ.get("PROCESSES", "2")))
    PAGE.write_text(page(found, {each.name: each.kind for each in chosen}, known(), HEAD))
    sys.exit(any(not by and name not in known() for name, by in found.items()))


HEAD = """\
# Mechanical mutation of the C kernel

`python -m tests.meta.mutation` makes this page: every mutant of
[kernel_library.c](kernel_library.c) and of what it calls in [kernel.c](kernel.c), and whether the
stored vectors kill it. *Equal* is no other than the kernel for all that the contract admits; a
*gap* is one of the vectors."""

if __name__ == "__main__":
    main()
