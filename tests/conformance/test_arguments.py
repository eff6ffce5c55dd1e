"""The arguments of the kit's commands."""

from __future__ import annotations

import argparse

import pytest

from aquant_ref.conformance.arguments import (
    COUNT,
    case_arguments,
    check_arguments,
    vectors_arguments,
    verify_arguments,
)


def test_cases_are_ten_thousand_of_seed_0_unless_told() -> None:
    args = case_arguments().parse_args(["clip"])
    assert (args.operation, args.n, args.seed, args.edition) == ("clip", COUNT, 0, 0)
    assert args.only is args.bits is args.profile is None
    assert not args.rejects
    args = case_arguments().parse_args(["add", "--n", "5", "--seed", "7", "--only", "3,17"])
    assert (args.n, args.seed, args.only) == (5, 7, "3,17")


def test_verify_tells_what_was_given_from_what_was_not() -> None:
    args = verify_arguments().parse_args([])
    given = {name: value for name, value in vars(args).items() if value not in (None, [], False)}
    assert given == {}
    args = verify_arguments().parse_args(["clip", "add", "--case", "a", "--case", "b", "--n", "0"])
    assert (args.operations, args.case, args.n) == (["clip", "add"], ["a", "b"], 0)


@pytest.mark.parametrize("parser", [check_arguments, verify_arguments])
def test_reports_are_written_alike(parser: type[argparse.ArgumentParser]) -> None:
    args = parser().parse_args(["--json", "--junit", "j", "--html", "h", "--timeout", "0.5"])
    assert (args.json, args.junit, args.html, args.timeout) == (True, "j", "h", 0.5)


@pytest.mark.parametrize(
    ("parser", "words"),
    [
        (case_arguments, ["clip", "--n", "many"]),
        (case_arguments, ["clip", "--seed", "1.5"]),
        (case_arguments, []),
        (check_arguments, ["--timeout", "soon"]),
        (vectors_arguments, ["print"]),
    ],
)
def test_words_that_are_no_number_or_action_are_refused(
    parser: type[argparse.ArgumentParser], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SystemExit, argparse.ArgumentError, ValueError)):
        parser().parse_args(words)
    capsys.readouterr()
