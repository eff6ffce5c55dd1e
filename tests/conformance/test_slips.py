"""A slip in an option is one line, which names the option and what may have been meant."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from aquant_ref.cli.main import main

MODULE = """
from aquant_ref.conformance import Adapter
class Mine(Adapter):
    def clip(self, *, v, low, high):
        return v.clip(low, high)
class Other: ...
ready = Mine()
"""
SLIPS = {
    "verify --adapter slipped": "adapter: 'slipped' needs a module and a class, such as mine:Mine",
    "verify --adapter slipped:": "needs a module and a class",
    "verify --adapter :Mine": "needs a module and a class",
    "verify --adapter slipped:Mien": "module 'slipped' has no 'Mien' (did you mean 'Mine'?)",
    "verify --adapter slipped:Other": "'slipped:Other' is not an aquant_ref.conformance.Adapter",
    "verify --adapter slipped.py:Mine": "as it is imported, such as slipped:Mine",
    "verify --adapter ./slipped.py:Mine": "as it is imported, such as slipped:Mine",
    "verify --adapter slippd:Mine": "No module named 'slippd'",
    "verify --adapter onnxruntim": "(did you mean 'onnxruntime'?)",
    "verify --adapter litert-optimized": "(did you mean 'litert-optimised'?)",
    "verify --adapter torch_fbgemm": "(did you mean 'torch-fbgemm'?)",
    "verify --in-process --adapter slipped:Mien": "(did you mean 'Mine'?)",
    "verify clip --profile linear:": "profile: 'linear:' needs an operation before ':', and a word",
    "verify clip --profile :exact": "profile: ':exact' needs an operation before ':', and a word",
    "verify clip --profile linaer:exact": "profile: unknown operation 'linaer'",
    "verify clip --profile linear:exct": "(did you mean 'exact'?)",
    "verify clip --variations float32": "variations: needs words such as quantize:float32, got 'fl",
    "verify clip --variations quantize:": "variations: unknown variation of quantize ''",
    "verify clip --variations quantize:float33": "(did you mean 'float32'?)",
    "verify clip --variations quantise:float32": "(did you mean 'quantize'?)",
    "verify clip --variations clip:float32": "variations: clip has no alternatives",
    "verify clip --signs sined": "signs: unknown sign 'sined'; choose from unsigned, signed (did",
    "verify clip --sizes smal": "sizes: unknown size 'smal'; choose from small, large (did you",
    "verify clip --bits -8,4": "bits: needs 1 to 16 bits, got -8",
    "verify clip --bits quantize:": "bits: 'quantize:' needs an operation before ':'",
    "verify clip --n -1": "n: needs 0 to 10000000, got -1",
    "verify clip --case clip/insid/1": "unknown id 'clip/insid/1' (did you mean 'clip/inside/1'?)",
    "gen quantize --signs plus": "signs: unknown sign 'plus'",
    "prove clip --library none.so --range -1..30": "library: none.so: no such file",
    "prove clip --library none.so --range 3..1": "range: '3..1' is empty or beyond",
    "prove clip --library none.so --range -3": "range: needs LOW..HIGH or all, got '-3'",
}


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slipped.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("command", SLIPS)
def test_a_slip_is_one_line_that_says_what_may_be_meant(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = command if "--in-process" in command else f"{command} --in-process"
    words = shlex.split(inside if "--adapter slip" in command else command)
    assert main(words) == 2
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.splitlines()) == 1
    assert SLIPS[command] in said.err
    assert "Traceback" not in said.err
    assert "AttributeError" not in said.err


def test_an_object_is_taken_as_its_class_is(capsys: pytest.CaptureFixture[str]) -> None:
    command = "verify clip --n 0 --in-process --adapter slipped:"
    for name in ("Mine", "ready"):
        assert main([*shlex.split(command)[:-1], f"slipped:{name}"]) == 0
        assert "120 of 144 pass" in capsys.readouterr().out
