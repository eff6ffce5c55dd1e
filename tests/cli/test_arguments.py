"""Every number, list and path of every command: what is none is one line, before any work."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aquant_ref.cli import main
from aquant_ref.errors import InputError
from aquant_ref.given import integer, number

# What a command needs beside the option that is looked at.
NEEDED = {
    "run": ["DIR"],
    "train": ["tiny"],
    "table": ["--out", "rows.json"],
    "exact": ["--out", "rows.json"],
    "claim": ["2"],
    "certify": ["DIR"],
    "compare": ["A", "B"],
    "gen": ["round"],
    "check": ["round"],
    "vectors": ["lint"],
    "prove": ["clip", "--library", "none.so"],
}


NO_INTEGER = ("", " 1", "1_0", "１２", "1.5", "1e3", "0x10", "nan", "inf", "9" * 5000, "\udc80")


NO_NUMBER = ("", "much", "1_0", "１.5", "0x10", "9" * 5000, "1e", "\udc80")


SMALL = ("--model=tiny", "--data=idx:set", "--weights=w.npz", "--images=40", "--iters=1")


HUGE = "9" * 30


# Numbers that are none for the option, by its name; of a whole run where it is looked at there.
BEYOND = {
    "threads": ("-1", "0", "100000"),
    "images": ("-1", "0", "31", HUGE),
    "iters": ("-1", HUGE),
    "epochs": ("-1", "0", HUGE),
    "seed": ("-1",),
    "weight_bits": ("-1", "0", "17", HUGE),
    "act_bits": ("-1", "0", "17", HUGE),
    "fraction_bits": ("-1", "17", HUGE),
    "number": ("-1", "0", "7", HUGE),
    "n": ("-1", HUGE),
    "beside": ("-1", "0", HUGE),
    "edition": ("-1", HUGE),
    "timeout": ("-1", "0", "1e99", "nan", "inf", "-inf", "1e999"),
}


LISTS = {
    "bits": ("W2A2,W2A2", "2,2", "W２A2", "W2A" + "9" * 5000, "2,x", "2," + HUGE),
    "fraction_bits": ("2,2", "2,x", "１", "9" * 5000),
    "seeds": ("0,0", "0,x", "１", "0,1e3", "-1", "9" * 5000),
    "only": ("3,3", "3,x", "-1"),
    "methods": ("rtn,rtn", "rtn,magic"),
    "profiles": ("exact,exact", "magic"),
    "lowerings": ("lut,lut", "magic"),
    "signs": ("signed,signed", "magic"),
    "rounding": ("floor,floor", "magic"),
    "granularity": ("tensor,tensor", "magic"),
}


PARSER = main.parser()


def commands() -> dict[str, argparse.ArgumentParser]:
    (actions,) = (
        action for action in PARSER._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(actions.choices)


def options() -> Iterator[tuple[str, argparse.Action]]:
    for name, parser in commands().items():
        for action in parser._actions:
            yield name, action


def given(command: str, action: argparse.Action, word: str) -> list[str]:
    """The command with all that it needs, and `word` for the option or argument."""
    if not action.option_strings:
        return [command, *small(command), "--", word]
    needed = NEEDED.get(command, [])
    return [command, *small(command), *needed, f"{action.option_strings[-1]}={word}"]


def small(command: str) -> list[str]:
    """Options that keep what a command would do short."""
    has = {option for action in commands()[command]._actions for option in action.option_strings}
    return [option for option in SMALL if option.partition("=")[0] in has]


NUMBERS = [(name, action) for name, action in options() if action.type is not None]


def test_every_number_is_read_by_one_of_two_functions() -> None:
    assert {action.type for _, action in options()} <= {None, integer, number}
    assert len(NUMBERS) > 40


@pytest.mark.parametrize(
    ("command", "action"), NUMBERS, ids=lambda each: each if isinstance(each, str) else each.dest
)
def test_what_is_no_number_is_one_line(command: str, action: argparse.Action) -> None:
    for word in NO_INTEGER if action.type is integer else NO_NUMBER:
        words = given(command, action, word)
        with pytest.raises(InputError, match=f"{action.dest.replace('_', '-')}|NUMBER") as caught:
            PARSER.parse_args(words)
        assert len(str(caught.value)) < 300


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main.main(words) == 2, words
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    lines = [line for line in lines if not line.endswith(" s")]  # what is done before images count
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("aquant-ref: error: ")
    return lines[0]


@pytest.mark.parametrize("command", commands())
def test_numbers_that_mean_nothing_and_lists_with_holes_are_one_line(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(place.rglob("*"))
    for action in commands()[command]._actions:
        if action.type in (integer, number):
            if action.dest == "seed" and command in ("gen", "check", "verify", "identify"):
                continue  # any integer is a seed there
            words = BEYOND[action.dest]
        elif action.dest in LISTS:
            words = (",", "a,,b", ",2", *LISTS[action.dest])
        else:
            continue
        for word in words:
            refused(given(command, action, word), capsys)
    assert sorted(place.rglob("*")) == before


OUTPUTS = [
    (command, action)
    for command, action in options()
    if action.dest in ("out", "record", "junit", "html")
]


SUFFIXES = {"claim": ".txt", "table": ".json", "exact": ".json", "fixed-point": ".json"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    ("command", "action"), OUTPUTS, ids=lambda each: each if isinstance(each, str) else each.dest
)
def test_what_cannot_be_a_file_is_refused_before_the_work(
    command: str, action: argparse.Action, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix = SUFFIXES.get(command, ".npz")
    (place / f"folder{suffix}").mkdir()
    os.mkfifo(place / f"pipe{suffix}")
    (place / f"full{suffix}").symlink_to("/dev/full")
    for kind in ("folder", "pipe", "full", "w.npz/x", "none/x"):
        name = f"{kind}{suffix}"
        if command == "quantize":
            name = {"folder": "", "none/x": ""}.get(kind, kind if "/" in kind else name)
        if name:
            line = refused(given(command, action, name), capsys)
            assert kind.partition("/")[0] in line
    assert not (place / "none").exists()


LONG = "0" * 300  # more than a name may have


@pytest.mark.parametrize("command", commands())
def test_a_name_longer_than_any_file_has_is_one_line(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: `vectors lint --dir` asked the system about it and ended with its OSError."""
    before = sorted(place.rglob("*"))
    for action in commands()[command]._actions:
        if action.type is not None or action.nargs == 0 or action.dest in ("exec", "case"):
            continue
        for word in (LONG, f"{LONG}.json", f"none/{LONG}.npz", f"{LONG}.py:build"):
            refused(given(command, action, word), capsys)
        if action.dest == "data":
            for kind in ("folder", "idx", "cifar10"):
                refused(given(command, action, f"{kind}:{LONG}"), capsys)
    assert sorted(place.rglob("*")) == before
