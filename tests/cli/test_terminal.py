"""The command where its standard streams are closed, full or in ASCII, and where it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aquant_ref.cli import main
from aquant_ref.cli.terminal import signals_interrupt

COMMAND = [sys.executable, "-m", "aquant_ref"]
STREAMS = ("stdin", "stdout", "stderr")
CLOSED = [(1,), (2,), (0, 1, 2)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such streams")
@pytest.mark.parametrize("closed", CLOSED, ids=lambda each: "-".join(STREAMS[i] for i in each))
def test_a_command_works_where_standard_streams_are_closed(
    closed: tuple[int, ...], tmp_path: Path
) -> None:
    """Past bug: a traceback; and a file that is opened then gets the number of a stream."""
    out = tmp_path / "junit.xml"
    words = ["verify", "clip", "--n", "0", "--junit", str(out)] if len(closed) > 1 else ["models"]
    redirected = " ".join(f"{each}{'<>'[each > 0]}&-" for each in closed)
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "-", *COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (1 not in closed)
    assert len(closed) == 1 or out.read_text().endswith("</testsuite>\n")


FAULTS = """
import sys
from aquant_ref.cli import main as cli
from aquant_ref.cli.terminal import signals_interrupt

def faulty(args, statement=sys.argv[1]):
    exec(statement)

cli.COMMANDS["models"] = faulty
sys.argv[1:] = ["models", *sys.argv[2:]]
cli.command()
"""


def fails(statement: str, *more: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", FAULTS, statement, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="of other systems")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_end_what_waits_for_others(name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        signal.raise_signal(number)
    assert signal.getsignal(number) == signal.SIG_DFL
    signal.signal(number, signal.SIG_IGN)  # as nohup does
    with signals_interrupt():
        signal.raise_signal(number)
    signal.signal(number, before)


def test_a_defect_ends_with_70_and_says_how_to_report_it() -> None:
    """Past bug: it ended with 1, which means a wrong value."""
    done = fails("{}['key']")
    *lines, last = done.stderr.splitlines()
    assert done.returncode == 70
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "KeyError: 'key'"
    assert "defect of aquant_ref; please report it" in last
    assert fails("raise BaseException").returncode == 70  # past bug: 1


@pytest.mark.parametrize(
    ("statement", "code", "line"),
    [
        ("raise cli.InputError('é\\udc80\\x1b')", 2, "aquant-ref: error: \\xe9\\udc80\\x1b"),
        ("from aquant_ref.cli.terminal import show; show('é\\udc80')", 1, None),
        ("raise KeyboardInterrupt", 130, "aquant-ref: interrupted"),
    ],
)
def test_what_ends_a_command_is_one_line_in_any_encoding(
    statement: str, code: int, line: str | None
) -> None:
    plain = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = fails(statement + "; sys.exit(1)", env=plain)
    assert done.returncode == code
    if line is None:
        assert (done.stdout, done.stderr) == ("\\xe9\\udc80\n", "")
    else:
        assert done.stderr.startswith(line)
        assert done.stderr.count("\n") == 1


def test_debug_shows_where_an_error_came_from_and_changes_no_exit_code() -> None:
    """Past bug: with --debug bad input ended with 1, which means that something differs."""
    done = fails("raise cli.InputError('bad')", "--debug")
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("\naquant-ref: error: bad\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("words", [["models"], ["--help"]])
def test_a_full_disk_at_standard_output_is_one_line(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
        assert done.returncode == 2
        assert done.stderr.startswith("aquant-ref: error: standard output: cannot be written (")
        assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_at_standard_error_changes_no_exit_code() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "models", "none"], stderr=full, timeout=60)
    assert done.returncode == 2


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def large(args: object) -> int:
        raise MemoryError("Unable to allocate 2 EiB")

    monkeypatch.setitem(main.COMMANDS, "models", large)
    monkeypatch.setattr(main, "parser", main.parser.__wrapped__)  # which is made once
    assert main.main(["models"]) == 2
    error = capsys.readouterr().err
    assert error == "aquant-ref: error: there is not enough memory (Unable to allocate 2 EiB)\n"


def test_a_broken_pipe_elsewhere_is_no_reader_that_has_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: any broken pipe of the work itself ended the command with 0."""

    def broken(args: object) -> int:
        raise BrokenPipeError

    monkeypatch.setitem(main.COMMANDS, "models", broken)
    monkeypatch.setattr(main, "parser", main.parser.__wrapped__)  # which is made once
    assert main.main(["models"]) == 70
    assert "BrokenPipeError" in capsys.readouterr().err
