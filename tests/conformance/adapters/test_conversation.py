"""A process that is asked through its pipes."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from aquant_ref.conformance.adapters import conversation
from aquant_ref.conformance.adapters.conversation import Conversation, Ended
from aquant_ref.errors import InputError

ECHO = """
import os, sys, time
for line in sys.stdin.buffer:
    if line == b"exit\\n":
        sys.exit("enough")
    if line == b"fork\\n" and os.fork():
        os._exit(0)  # and the child holds the pipe
    if line in (b"hang\\n", b"fork\\n"):
        time.sleep(60)
    if line == b"close\\n":
        os.close(1)
        time.sleep(60)
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
"""


@pytest.mark.parametrize(
    ("word", "kind", "reason"),
    [("exit", "crash", "exit code 1: enough"), ("hang", "hang", "no answer after 0.3 s")],
)
def test_a_process_that_ends_or_hangs_is_told_apart_and_starts_again(
    word: str, kind: str, reason: str
) -> None:
    talk = Conversation([sys.executable, "-S", "-c", ECHO], 0.3)
    talk.open()
    assert talk.ask([b"on", b"ce\n"], talk.line, 30) == b"once\n"
    with pytest.raises(Ended) as ended:
        talk.ask([f"{word}\n".encode()], talk.line)
    assert (ended.value.kind, ended.value.reason) == (kind, reason)
    assert not talk.runs
    talk.open()
    assert talk.ask([b"again\n"], lambda: talk.read(3), 30) == b"aga"
    talk.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="of fork")
def test_a_child_that_holds_the_pipe_is_ended_after_the_time_limit() -> None:
    """Past bug: an adapter that forked was waited for without end."""
    talk = Conversation([sys.executable, "-S", "-c", ECHO], 0.3)
    talk.open()
    started = time.monotonic()
    with pytest.raises(Ended):
        talk.ask([b"fork\n"], talk.line)
    assert time.monotonic() - started < 20
    assert not talk.runs


def test_what_ends_a_process_that_hangs_does_not_end_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Past bug: it was still looking for what the process had left when the next was started."""
    sweep = conversation.sweep

    def slow(mark: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.3)
        sweep(mark)

    monkeypatch.setattr(conversation, "sweep", slow)
    talk = Conversation([sys.executable, "-S", "-c", ECHO], 0.3)
    talk.open()
    with pytest.raises(Ended):
        talk.ask([b"hang\n"], talk.line)
    talk.open()
    time.sleep(0.5)
    assert talk.ask([b"again\n"], talk.line, 30) == b"again\n"
    talk.close()


def test_a_process_that_closes_its_output_has_ended() -> None:
    talk = Conversation([sys.executable, "-S", "-c", ECHO], 1)
    talk.open()
    with pytest.raises(Ended):
        talk.ask([b"close\n"], talk.line)
    assert not talk.runs


def test_an_interrupt_ends_the_process() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    talk = Conversation([sys.executable, "-S", "-c", ECHO], 30)
    talk.open()
    with pytest.raises(KeyboardInterrupt):
        talk.ask([b"hang\n"], interrupted)
    assert not talk.runs


def test_what_cannot_be_started_is_one_line() -> None:
    with pytest.raises(InputError, match="/no/such: cannot be started"):
        Conversation(["/no/such"], 1).open()
