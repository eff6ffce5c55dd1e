"""Doors of the conformance kit: replies, results of a kernel, what a kernel does, files."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from aquant_ref.conformance import contract, vectors
from aquant_ref.conformance.adapters.command import CommandAdapter, NoAnswer, read_result
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import Field
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.protocol import check_stream, streams
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report import deviations, html, junit
from aquant_ref.conformance.report.report import Report
from aquant_ref.conformance.report.verdict import PASS, STATUSES
from aquant_ref.conformance.verification import verify
from tests.fuzz.mutate import values
from tests.fuzz.mutate.lines import LINES, WORDS, pieces
from tests.fuzz.mutate.npy import NPY
from tests.fuzz.target import Target, Wrong

CASES = 6


def printable(*lines: str) -> None:
    """Raise Wrong unless each could be printed as one line."""
    for line in lines:
        if not line.isprintable():
            raise Wrong(f"a line for people is not printable: {ascii(line)[:100]}")


def look_at(report: Report) -> None:
    """Raise Wrong unless the report adds up and can be written in every form."""
    counted = report.total()
    if sum(counted[status] for status in STATUSES) != counted["total"]:
        raise Wrong("the verdicts do not add up")
    if report.exit_code not in range(5):
        raise Wrong(f"exit code {report.exit_code}")
    printable(*report.text().split("\n"))
    json.dumps(report.as_json(), allow_nan=False).encode()
    ET.fromstring(junit.xml(report).encode())
    html.document(report).encode()


# Replies

SELECTIONS = {
    name: Selection(name) for name in ("clip", "dequantize", "multiplier", "requantize", "round")
}


def _right(selection: Selection) -> list[str]:
    """A line for each of the first cases, with the right answer."""
    cases = generate(selection, range(CASES))
    right = expected(cases)
    columns = [
        [float(v).hex() if v.dtype.kind == "f" else str(v) for v in column] for column in right.low
    ]
    refused = ["error refused" if each else "" for each in right.refused]
    words = [refused[k] or " ".join(column[k] for column in columns) for k in range(CASES)]
    return [f"{name} {word}" for name, word in zip(cases.ids, words, strict=True)]


def _replies() -> dict[str, bytes]:
    return {
        name: "\n".join([streams.header(each, CASES), *_right(each), ""]).encode()
        for name, each in SELECTIONS.items()
    }


def load_replies(operation: str) -> Callable[[Path], None]:
    """The door to the replies for one operation."""

    def load(path: Path) -> None:
        selection = SELECTIONS[operation]
        with path.open("rb") as stream:
            report = check_stream.check(selection, range(CASES), stream, timeout=20)
        look_at(report)
        said = path.read_bytes().split(b"\n")
        answered = {words[0] for line in said if len(words := line.split()) > 1}
        passed = report.total()[PASS]
        if passed > len(answered & {str(k).encode() for k in range(CASES)}):
            raise Wrong(f"{passed} cases pass, of {len(answered)} that are answered")

    return load


def _of(operation: str) -> Callable[[], dict[str, bytes]]:
    return lambda: {operation: _replies()[operation]}


# What a kernel writes, and does

RESULTS = {kind: Field("q", kind, ("N", "C")) for kind in ("i32", "f64")}


def _outputs() -> dict[str, bytes]:
    made = {}
    for dtype in ("<i4", "<i8", "<f8", "<f4", "|u1"):
        stream = io.BytesIO()
        array = np.arange(6).reshape(2, 3).astype(dtype)
        np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
        made[dtype[1:]] = stream.getvalue()
    return made


def load_output(path: Path) -> None:
    """The tensor that a kernel has written: a value, or why there is none."""
    path.rename(path.with_name("out_q.npy"))
    for field in RESULTS.values():
        try:
            array = read_result(path.parent, field)
        except NoAnswer as error:
            printable(error.reason, error.problem)
            if "out_q.npy" not in error.reason:
                raise Wrong(f"a verdict without the file's name: {error.reason}") from error
        else:
            if array.dtype.name != {"i32": "int64", "f64": "float64"}[field.type]:
                raise Wrong(f"the result is {array.dtype}")


DOES = {
    "npy": "cp {seed} {case}/out_q.npy",
    "nothing": ":",
    "fifo": "mkfifo {case}/out_q.npy",
    "zero": "ln -s /dev/zero {case}/out_q.npy",
    "sparse": "truncate -s 100G {case}/out_q.npy",
    "folder": "mkdir {case}/out_q.npy",
    "loop": "ln -s out_q.npy {case}/out_q.npy",
    "unreadable desc": "rm {case}/desc.json",
    "gone": "rm -r {case}",
}


def _kernels() -> dict[str, bytes]:
    plain = {"does": "npy", "exit": 0, "says": "", "stays": False}
    return {does: values.written({**plain, "does": does}) for does in DOES}


def behave(rng: Any, data: bytes) -> bytes:
    """Another behaviour."""
    kernel = json.loads(data)
    which = rng.choice(("does", "exit", "says", "stays"))
    kernel[which] = {
        "does": rng.choice(sorted(DOES)),
        "exit": rng.choice((0, 1, 2, 3, 4, 127, 255)),
        "says": rng.choice([word for word in WORDS if "\0" not in word]),
        "stays": rng.random() < 0.3,
    }[which]
    return values.written(kernel)


def ask_kernel(path: Path) -> None:
    """Verify a kernel that copies a tensor for `smoke` and then does what the case says."""
    kernel = json.loads(path.read_bytes())
    (path.parent / "seed.npy").write_bytes(_outputs()["i4"])
    does = DOES[kernel["does"]].replace("{seed}", str(path.parent / "seed.npy"))
    does = does.replace("{case}", '"$1"')
    script = path.parent / "kernel.sh"
    script.write_text(
        f'if grep -q smoke "$1/desc.json"; then cp "$1/in_x.npy" "$1/out_y.npy"; exit; fi\n'
        f"{does}\n"
        f"printf %s {shlex.quote(kernel['says'])} >&2\n"
        + ("sleep 60 &\n" if kernel["stays"] else "")
        + f"exit {kernel['exit']}\n",
        encoding="utf-8",
        errors="surrogateescape",
    )
    adapter = CommandAdapter(f"sh {script} {{case}}", timeout=3)
    operation = next(iter(vectors.load("max_pool2d")))
    report = verify(adapter, operations=["max_pool2d"], generated=0, only=operation.cases.ids[:1])
    look_at(report)
    if report.total()[PASS] and kernel["does"] != "npy":
        raise Wrong("a kernel that gives no tensor passes")


# Files of the kit


def _deviations() -> dict[str, bytes]:
    texts = {
        "two": '[[deviation]]\nflag = "clip/inside"\nkind = "known-bug"\nreason = "see 2.1"\n\n'
        '[[deviation]]\ncase = "clip/inside/a"\nkind = "out-of-scope"\nreason = "saturates"\n',
        "empty": "",
        "inline": 'deviation = [{flag = "a", kind = "known-bug", reason = "b"}]\n',
    }
    return {name: text.encode() for name, text in texts.items()}


TOML = (
    *("1", "-1", "1.5", "nan", "inf", "true", "[]", "{}", "[1, 2]", '"x"', "''", '"""a\nb"""'),
    *("1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "0x1F", "1_000", "9" * 5000, "1e999"),
    *(
        "[" * 2000,
        "{a=" * 2000,
        "a." * 5000 + "b = 1\n",
        "[deviation]\n",
        "[[deviation]]\n",
        "x = 1\n",
    ),
    *(
        '"\\u0000"',
        '"\\u001b[2J"',
        '"\\u2028"',
        '"\\ud800"',
        '"\\n"',
        "kind",
        "flag",
        "case",
        "reason",
    ),
    *(
        "\x00",
        "\ufeff",
        "\r",
        "\ud800",
        "#",
        "=",
        "[deviation.x]\n",
        '"" = 1\n',
        '" "',
        "é",
        '"x\x7f"',
    ),
    '"' + "x" * 5000 + '"',
)


def load_deviations(path: Path) -> None:
    """Read the file, apply it to some cases, and report it."""
    known = deviations.load(path)
    selection = SELECTIONS["clip"]
    cases = generate(selection, range(CASES))
    status = np.array([PASS] * CASES, "U11")
    known.apply(cases, status)
    report = Report("fuzzing", "none", stale=known.stale())
    right = expected(cases)
    report.add(cases, right, Answers(right.low, {}), known.apply(cases, status), str)
    look_at(report)


def _vectors(operation: str) -> Callable[[], dict[str, bytes]]:
    def made() -> dict[str, bytes]:
        stored = json.loads((vectors.VECTORS / f"{operation}.json").read_bytes())
        groups = [{**each, "tests": each["tests"][:2]} for each in stored["groups"][:2]]
        used = {flag for each in groups for test in each["tests"] for flag in test["flags"]}
        notes = {flag: note for flag, note in stored["notes"].items() if flag in used}
        return {operation: values.written({**stored, "notes": notes, "groups": groups})}

    return made


def load_vectors(operation: str) -> Callable[[Path], None]:
    """The door to the vectors of one operation: `vectors lint`, and their cases."""

    def load(path: Path) -> None:
        folder = path.with_name("vectors")
        folder.mkdir()
        path.rename(folder / f"{operation}.json")
        contract.get(operation)
        lines = vectors.lint(folder, [operation])
        printable(*lines)
        for line in lines:
            if not line.startswith((f"{operation}", f"{folder}", "vectors")):
                raise Wrong(f"a line that names no file: {line[:100]}")
        if not lines:
            vectors.load(operation, folder)

    return load


TARGETS = (
    *(
        Target(f"replies-{name}", _of(name), LINES, load_replies(name), ".txt", quick=25)
        for name in SELECTIONS
    ),
    Target("kernel-output", _outputs, NPY, load_output, ".npy", quick=60),
    Target("kernel", _kernels, (behave,), ask_kernel, ".json", structured=True, quick=2),
    Target(
        "deviations",
        _deviations,
        (pieces(TOML), pieces(TOML), *LINES),
        load_deviations,
        ".toml",
        quick=60,
    ),
    *(
        Target(f"vectors-{name}", _vectors(name), values.JSON, load_vectors(name), quick=15)
        for name in ("clip", "dequantize", "max_pool2d", "fused_conv2d", "program")
    ),
)
