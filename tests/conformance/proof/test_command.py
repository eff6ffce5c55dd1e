"""The command `prove`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.cli import main
from aquant_ref.conformance import check_proof
from aquant_ref.conformance.proof.inputs import FLOATS
from aquant_ref.conformance.proof.settings import SWEPT
from tests.conformance.proof.test_prove import KERNEL
from tests.meta.libraries import Compiled

ADD = "a_scale=0.5,a_zero=1,b=3,b_scale=0.25,b_zero=0,zero_point=3,qmin=0,qmax=15"


def command(*words: Any) -> int:
    return main.main(["prove", *map(str, words)])


@pytest.mark.parametrize("operation", sorted(SWEPT))
def test_every_operation_is_proved_and_its_certificate_checked(
    operation: str, library: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = library(KERNEL)
    given = {
        "requantize": "multiplier=1518500250,shift=38,zero_point=3,qmin=-128,qmax=127",
        "threshold": f"t0={-(2**62)},t1=5,t2=700",
        "clip": "low=-8,high=7",
        "add": f"{ADD},scale=0.375",
        "avg_pool": "count=9,x_scale=0.1,x_zero=3,scale=0.11,zero_point=-3,qmin=-8,qmax=7",
        "quantize": "rounding=half_even,scale=0.1,zero_point=3,qmin=0,qmax=15",
        "round": "rounding=half_up",
        "border_round": "border=0.3",
    }[operation]
    ranges = ["--range=-4..4", "--beside=8"] if SWEPT[operation].inputs is FLOATS else []
    proof = tmp_path / "proof.json"
    arguments = ["--library", path, "--set", given, "--out", proof]
    assert command(operation, *arguments, *(ranges or ["--range=-900..900"])) == 0
    assert capsys.readouterr().out.startswith(f"proved: {operation}")
    assert check_proof.main([str(proof), str(path)]) == 0
    assert "all were asked again" in capsys.readouterr().out


def test_an_add_in_float64_is_refuted_although_it_passes_every_vector(
    library: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    """-0.75 / 0.3 is -2.5 in float64; the float64 that 0.3 stands for is less, so it is below."""
    assert Fraction(-0.75) / Fraction(0.3) < Fraction(-5, 2)
    words = ["--library", library(KERNEL), "--range=-900..900"]
    assert command("add", *words, "--set", f"{ADD},scale=0.3") == 1
    assert "a=-2 gives 1, not 0 (AQ-IDEAL-1, AQ-LOWER-2)" in capsys.readouterr().out


def test_the_stored_vectors_are_settings(library: Compiled) -> None:
    assert command("clip", "--library", library(KERNEL), "--range=-300..300") == 0


def test_a_crash_is_located_and_is_no_proof(
    library: Compiled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("aquant_ref.conformance.proof.prove.FEW", 64)  # and so halved before
    words = ["--library", library("hostile_library.c"), "--set", "low=-8,high=7", "--range=0..200"]
    monkeypatch.setenv("AQUANT_WAY", "crashes")
    assert command("clip", *words) == 2
    assert "v=77 gives signal SIGSEGV" in capsys.readouterr().out
    monkeypatch.setenv("AQUANT_WAY", "refuses")
    assert command("clip", *words) == 1
    assert "v=77 gives refused, not 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["multiplier"], "multiplier: cannot be proved by steps; requantize, clip,"),
        (["blur"], "'blur'"),
        (["clip", "--set", "low=1"], "set: high: missing"),
        (["clip", "--set", "low=1,up=2"], "set: 'up=2' is none of low=, high="),
        (["clip", "--set", "low=1,high=x"], "set: high: needs an integer"),
        (["clip", "--set", "low=9,high=2"], "clip core-int low=9 high=2: is outside the contract"),
        (["clip", "--range", "5"], "range: needs LOW..HIGH or all, got '5'"),
        (["clip", "--range", "5..1"], "range: '5..1' is empty"),
        (["clip", "--range", "0..1.5"], "range: needs LOW..HIGH"),
        (["clip", "--beside", "0"], "beside: needs 1 to 4294967296"),
        (["clip", "--profile", "exact"], "unknown profile 'exact'; choose from core-int"),
        (["requantize", "--profile", "nearest"], "unknown profile 'nearest'; choose from exact,"),
        (
            ["clip", "--program", "x"],
            "program: has no clip; requantize and threshold can be proved",
        ),
        (["clip", "--program", "x", "--set", "low=1,high=2"], "set: not with --program"),
        (["clip", "--timeout", "0"], "timeout"),
        (["avg_pool", "--library", "/none.so"], "/none.so: no such file"),
    ],
)
def test_bad_arguments_are_one_line(
    words: list[str], said: str, library: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--library", library(KERNEL), *words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
