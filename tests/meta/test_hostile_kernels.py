"""Kernels that do whatever a program can: `--timeout` holds, and nothing of them is left."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.conformance import Capabilities, vectors, verify
from aquant_ref.conformance.adapters import CommandAdapter, PipeAdapter
from aquant_ref.conformance.adapters.process import MARK, ProcessAdapter
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.report import EXIT_PROTOCOL, Report
from aquant_ref.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of sh, setsid and /proc")

TIMEOUT = 0.1
SOON = 25  # seconds, on however loaded a machine; the kernels sleep for 45


def shell(script: str, *words: str) -> str:
    return shlex.join(["sh", "-c", script, *words])


def processes_of(adapter: ProcessAdapter) -> list[str]:
    """What runs with the mark of this adapter."""
    mark = f"{MARK}={adapter.mark}".encode()
    running = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                running.append(path.parent.name)
        except OSError:
            continue
    return running


@contextmanager
def soon(adapter: ProcessAdapter) -> Iterator[None]:
    """Nothing in the block takes long, nor does anything of the kernel outlive it."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SOON
    while processes_of(adapter):  # what was killed may take a moment to be gone
        assert time.monotonic() - started < SOON
        time.sleep(0.01)


HANGING = {
    "sleeps": "sleep 45",
    "has a child that sleeps": "sleep 45; true",
    "ignores SIGTERM": "trap '' TERM INT HUP; sleep 45; sleep 45",
    "stops itself": "kill -STOP $$",
    "has left its session": "setsid sleep 45; true",
    "floods standard error": "yes >&2",
}
HANGING_PIPE = {
    **HANGING,
    "comments": "while :; do echo '# in a moment'; sleep 0.02; done",
    "writes byte by byte": "while :; do printf x; sleep 0.02; done",
    "ends, but a child holds its pipes": "sleep 45 & exit 0",
    "ends, but what left its session holds its pipes": "setsid sleep 45 & exit 0",
    "closes its pipes": "exec <&- >&-; sleep 45",
}


def streamed(kind: str) -> Report:
    adapter = PipeAdapter(shell(HANGING_PIPE[kind]), timeout=TIMEOUT)
    with soon(adapter):
        # more than a pipe holds, so that who feeds it waits too
        return verify(adapter, operations=["clip"], generated=3000)


def commanded(kind: str) -> tuple[CommandAdapter, Answers, Answers]:
    adapter = CommandAdapter(shell(HANGING[kind], "{case}"), timeout=TIMEOUT)
    with soon(adapter):
        return adapter, answers(adapter, 8), answers(adapter, 3)


@pytest.fixture(scope="module")
def hanging() -> dict[tuple[str, str], Future[Any]]:
    """Of each kind of kernel, by the way in which it is asked; all at the same time."""
    with ThreadPoolExecutor(len(HANGING) + len(HANGING_PIPE)) as pool:
        return {
            (ask.__name__, kind): pool.submit(ask, kind)
            for ask, kinds in ((streamed, HANGING_PIPE), (commanded, HANGING))
            for kind in kinds
        }


@pytest.mark.parametrize("kind", HANGING_PIPE)
def test_a_stream_that_hangs_is_given_up_after_the_timeout(
    kind: str, hanging: dict[tuple[str, str], Future[Any]]
) -> None:
    report = hanging["streamed", kind].result()
    assert report.exit_code == EXIT_PROTOCOL
    assert report.problems.counts["hang"] == 1
    found = report.total(operation="clip")
    assert found["missing"] == 3120


@pytest.mark.parametrize("script", ["cat /dev/zero", "yes '#'", "yes 0 0", "yes '0 error x'"])
def test_a_stream_without_end_is_stopped(script: str) -> None:
    adapter = PipeAdapter(shell(script), timeout=30)
    with soon(adapter):
        report = verify(adapter, operations=["clip"], generated=0)
    assert report.problems.counts["endless"] == 1


def test_an_operation_that_hangs_is_not_asked_again_and_others_are() -> None:
    """Past bug: each of the 7 variations cost a timeout, and of a command each case."""
    script = "read head; case $head in *op=requantize*) sleep 45;; esac"
    every = Capabilities(requantization=("exact", "tflite_up", "tflite_away", "float32"))
    adapter = PipeAdapter(shell(script), timeout=2, capabilities=every)
    report = verify(adapter, operations=["requantize", "round"], generated=20)
    assert report.problems.counts["hang"] == 1
    (line,) = (text for text in report.problems.first if text.startswith("hang"))
    assert line.endswith("after 0 of 24 cases; requantize is not asked further")
    asked = [text for text in report.problems.first if text.startswith("missing: round")]
    assert len(asked) > 1


def test_a_new_run_asks_again() -> None:
    adapter = PipeAdapter(shell("sleep 45"), timeout=TIMEOUT)
    for runs in (1, 2):
        verify(adapter, operations=["clip"], generated=0)
        assert adapter.problems.counts["hang"] == runs


@pytest.mark.parametrize(
    "script",
    [
        "while read id rest; do [ $id = '#' ] || echo $id skip; done; sleep 45 >/dev/null 2>&1 &",
        "while read id rest; do [ $id = '#' ] || echo $id skip; done; "
        "setsid sleep 45 </dev/null >/dev/null 2>&1 &",
    ],
    ids=["in its session", "in another"],
)
def test_what_a_kernel_leaves_behind_is_ended(script: str) -> None:
    adapter = PipeAdapter(shell(script), timeout=10)
    with soon(adapter):
        report = verify(adapter, operations=["clip"], generated=0)
    assert not report.problems
    assert report.total()["unsupported"] == 144


def test_a_run_that_is_ended_ends_its_kernel(tmp_path: Path) -> None:
    """Past bug: the kernel, which is in a session of its own, went on."""
    program, said = "from aquant_ref.cli import main as cli; cli.command()", tmp_path / "said"
    words = ["verify", "clip", "--pipe", shell("echo $$ > $0; exec sleep 45", str(said))]
    run = subprocess.Popen([sys.executable, "-c", program, *words])
    while not (said.exists() and said.read_text().endswith("\n")):
        time.sleep(0.01)
        assert run.poll() is None
    run.terminate()
    assert run.wait(SOON) == 130
    command = Path(f"/proc/{said.read_text().strip()}/cmdline")
    assert not command.exists() or not command.read_bytes()  # gone, or dead and not waited for


@pytest.mark.parametrize(
    ("script", "kinds"),
    [
        ("exec <&-; true", {"missing"}),
        ("yes '# before it reads' | head -c 500000; cat >/dev/null", {"missing", "endless"}),
        ("exit 0", {"missing"}),
        ("head -n 1 >/dev/null; exit 3", {"missing", "crash"}),
        ("for k in 0 1 2; do echo $k 0; done", {"missing"}),
    ],
)
def test_a_kernel_that_does_not_read_is_no_deadlock(script: str, kinds: set[str]) -> None:
    adapter = PipeAdapter(shell(script), timeout=10)
    with soon(adapter):
        report = verify(adapter, operations=["clip"], generated=3000)
    assert set(report.problems.counts) == kinds


# A directory a case


def answers(adapter: CommandAdapter, count: int = 1) -> Answers:
    """To the first cases of `max_pool2d`, without `smoke`."""
    group = vectors.load("max_pool2d")[0]
    return adapter.answer(group.selection, group.cases.take(range(count)))


@pytest.mark.parametrize("kind", HANGING)
def test_a_command_that_hangs_is_given_up_once(
    kind: str, hanging: dict[tuple[str, str], Future[Any]]
) -> None:
    adapter, given, again = hanging["commanded", kind].result()
    assert given.other[0] == ("missing", "no end after 0.1 s")
    assert [given.other[k][0] for k in range(8)] == ["missing"] * 8
    assert len(again.other) == 3
    (line,) = adapter.problems.first
    assert line.endswith("no end after 0.1 s; max_pool2d is not asked further")


@pytest.mark.parametrize(
    ("script", "what", "words"),
    [
        ("mkfifo $0/out_q.npy", "invalid", "is a pipe, not a file"),
        ("ln -s /dev/zero $0/out_q.npy", "invalid", "is a device, not a file"),
        ("truncate -s 100G $0/out_q.npy", "invalid", "has 107374182400 bytes, more than"),
        ("mkdir $0/out_q.npy", "invalid", "is a directory, not a file"),
        ("ln -s out_q.npy $0/out_q.npy", "invalid", "cannot be read ("),
        ("ln -s nowhere $0/out_q.npy", "invalid", "no such file"),
        ("rm -r $0", "missing", "is not there"),
        ("rm -r $0; ln -s / $0", "missing", "is not there"),
        ("mkdir -p $0/a/b; chmod 0 $0/a/b $0/a", "missing", "is not there"),
        ("setsid sleep 45 &", "missing", "is not there"),
        ("printf '\\033[31mred\\033[0m\\n' >&2; exit 1", "missing", "exit code 1: \\x1b[31mred"),
        ("printf 'a\\vb\\fc\\034d\\302\\205e\\342\\200\\250f\\n' >&2; exit 3", "error", "\\u2028f"),
        ("yes long | tr -d '\\n' | head -c 100000 >&2; exit 4", "skip", "longlong"),
        ("printf '\\377\\n\\n' >&2; exit 9", "missing", "exit code 9: \ufffd"),
        ("kill -9 $$", "missing", "signal SIGKILL"),
    ],
)
def test_what_a_command_leaves_in_place_of_an_answer_is_told(
    script: str, what: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    adapter = CommandAdapter(shell(script, "{case}"), timeout=10)
    with soon(adapter):
        given, reason = answers(adapter).other[0]
    assert given == what
    assert words in reason
    assert len(reason) <= 200
    assert reason.isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    ["/no/such/kernel", "/", "./\x00", "./new\nline", "./\ud800", __file__],
    ids=ascii,
)
@pytest.mark.parametrize("kind", [PipeAdapter, CommandAdapter])
def test_what_cannot_be_started_is_one_line(
    command: str, kind: type[ProcessAdapter], tmp_path: Path
) -> None:
    quoted = shlex.quote(command) + " {case}"
    operation = "clip" if kind is PipeAdapter else "linear"
    with pytest.raises(InputError, match="cannot be started") as raised:
        verify(kind(quoted), operations=[operation], generated=0)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9])
@pytest.mark.parametrize("kind", [PipeAdapter, CommandAdapter])
def test_a_timeout_that_is_none_is_refused(timeout: float, kind: type[ProcessAdapter]) -> None:
    with pytest.raises(InputError, match="timeout: needs more than 0 seconds"):
        kind("./kernel {case}", timeout=timeout)


# Directories that are kept


def copying(keep: Path) -> CommandAdapter:
    script = "echo said >&2; cp $0/in_x.npy $0/out_y.npy; cp $0/in_x.npy $0/out_q.npy"
    return CommandAdapter(shell(script, "{case}"), keep=keep)


def test_what_lies_in_a_kept_directory_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    directory = tmp_path / "kept" / "smoke"
    directory.mkdir(parents=True)
    for name in ("desc.json", "in_x.npy", "stderr.txt", "out_y.npy"):
        (directory / name).symlink_to(victim)
    (directory / "notes").symlink_to(victim)
    copying(tmp_path / "kept").start()
    assert victim.read_text() == "mine"
    assert not (directory / "desc.json").is_symlink()
    assert (directory / "stderr.txt").read_text() == "said\n"
    assert (directory / "notes").is_symlink()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.symlink_to("/tmp"), "smoke: is a link, not a directory"),
        (lambda path: path.write_text(""), "smoke: is a file, not a directory"),
        (lambda path: (path / "desc.json").mkdir(parents=True), "smoke: cannot be written to"),
    ],
)
def test_a_kept_directory_that_cannot_be_made_is_one_line(
    make: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    make(tmp_path / "smoke")
    with pytest.raises(InputError, match=words):
        copying(tmp_path).start()


def test_cases_whose_names_collide_are_kept_apart_and_inside(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    group = vectors.load("max_pool2d")[0]
    names = ["a/b", "a_b", "A/b", "../../x", "..", "new\nline", "x" * 5000, "/", ""]
    cases = replace(group.cases.take([0] * len(names)), ids=names)
    copying(keep).answer(group.selection, cases)
    made = sorted(path.name for path in keep.iterdir())
    assert len(made) == len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]
    ids = {json.loads((keep / name / "desc.json").read_text())["id"] for name in made}
    assert ids == set(names)
