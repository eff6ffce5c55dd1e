"""The checker of certificates trusts nothing, and stands alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.conformance import check_proof
from aquant_ref.conformance.contract import VARIATIONS
from aquant_ref.conformance.proof.inputs import FLOATS
from aquant_ref.conformance.proof.prove import Chosen, Proof
from aquant_ref.conformance.proof.settings import choices, of_words, provable
from aquant_ref.conformance.proof.steps import admitted
from tests.conformance.proof.test_prove import FIXED, KERNEL, attempt, settings_of
from tests.meta.libraries import Compiled


@pytest.fixture(scope="module")
def certificate(library: Compiled) -> str:
    found = attempt(library(KERNEL), settings_of("exact", *FIXED[:2]), Chosen((-600, 600)))
    assert isinstance(found, Proof)
    return found.certificate()


def checked(proof: Any, path: Path, *words: str) -> int:
    path.write_text(json.dumps(proof))
    return check_proof.main([str(path), *words])


def forge(proof: dict[str, Any], where: list[Any], value: Any) -> None:
    *parents, last = where
    place: Any = proof
    for each in parents:
        place = place[each]
    place[last] = value(place[last])


RANGE = ["settings", 1, "ranges", 0]


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ([*RANGE, "starts", 3], lambda v: v + 1, "does not give"),
        ([*RANGE, "starts", 3], lambda v: v - 1, "does not give"),
        ([*RANGE, "results", 3], lambda v: v + 1, "does not give"),
        ([*RANGE, "starts"], lambda v: [*v[:3], *v[4:]], "do not begin"),
        ([*RANGE, "starts", 0], lambda v: v + 1, "do not begin"),
        ([*RANGE, "starts", 2], lambda v: 0.5, "no integer"),
        ([*RANGE, "high"], lambda v: 10**6, "does not give"),
        ([*RANGE, "high"], lambda v: 2**31, "does not give"),
        ([*RANGE, "low"], lambda v: v - 1, "do not begin"),
        (["total"], lambda v: v + 1, "it claims"),
        (["settings"], lambda v: v[:1], "it claims"),
        (["settings", 0, "ranges"], lambda v: [], "has no input"),
        (["settings", 0, "ranges"], lambda v: v * 2, "not in order"),
        (["settings", 0, "given", "multiplier"], lambda v: -v, "may fall"),
        (["settings", 0, "given", "qmin"], lambda v: 200, "may fall"),
        (["settings", 0, "given", "shift"], lambda v: v + 1, "does not give"),
        (["settings", 0, "variation"], lambda v: "float64", "does not give"),
        (["settings", 0, "variation"], lambda v: "nearest", "no variation 'nearest'"),
        (["swept"], lambda v: "shift", "no rule here grows with 'shift'"),
        (["operation"], lambda v: "blur", "no operation 'blur'"),
        (["format"], lambda v: "mine", "its format"),
    ],
)
def test_a_forged_certificate_is_refused(
    where: list[Any],
    value: Any,
    said: str,
    certificate: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    proof = json.loads(certificate)
    assert checked(proof, tmp_path / "right.json") == 0
    forge(proof, where, value)
    assert checked(proof, tmp_path / "forged.json") == 1
    assert said in capsys.readouterr().out


def test_a_certificate_is_about_one_file(
    certificate: str, library: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = library("hostile_library.c")
    assert checked(json.loads(certificate), tmp_path / "proof.json", str(other)) == 1
    assert "is another file than the one that was proved" in capsys.readouterr().out


def test_the_checker_sees_a_library_that_is_wrong(
    certificate: str,
    library: Compiled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AQUANT_FAULT", "half_even")
    assert checked(json.loads(certificate), tmp_path / "proof.json", str(library(KERNEL))) == 1
    assert "given: -259 gives -127, not -126" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", "{}", "7", '{"format": "aquant-ref proof 1"}'])
def test_what_is_no_certificate_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_text(text)
    assert check_proof.main([str(path)]) == 2


def test_the_checker_stands_alone_and_is_short(certificate: str, tmp_path: Path) -> None:
    source = Path(check_proof.__file__)
    assert len(source.read_text().splitlines()) < 300
    (tmp_path / "proof.json").write_text(certificate)
    copy = tmp_path / "check.py"
    copy.write_bytes(source.read_bytes())
    command = [sys.executable, "-I", "-S", str(copy), str(tmp_path / "proof.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "right: 2,402 inputs" in done.stdout


@settings(max_examples=40)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(2**30, 2**31 - 1),
    st.integers(0, 62),
    st.sampled_from(list(VARIATIONS)),
)
def test_the_rules_of_the_checker_are_those_of_the_oracle(
    acc: int, multiplier: int, shift: int, variation: str
) -> None:
    numbers = {"multiplier": multiplier, "shift": shift, "zero_point": 3, "qmin": -(2**31)}
    (setting,) = settings_of(
        variation, ",".join(f"{k}={v}" for k, v in numbers.items()) + ",qmax=127"
    )
    inside = admitted(setting.rule(), -(2**31), 2**31 - 1)
    assert inside is not None
    acc = min(max(acc, inside[0]), inside[1])
    got = check_proof.requantize(acc, variation, qmax=127, **numbers)
    assert got == setting.rule()(acc)


@settings(max_examples=40)
@given(
    st.floats(width=32, allow_nan=False),
    st.floats(1e-30, 1e30),
    st.integers(-8, 7),
    st.sampled_from(choices(provable("quantize"))),
    st.sampled_from(list(oracle.ROUNDINGS)),
)
def test_the_quantizers_of_the_checker_are_those_of_the_oracle(
    r: float, scale: float, zero: int, variation: str, rounding: str
) -> None:
    text = f"rounding={rounding},scale={scale.hex()},zero_point={zero},qmin=-8,qmax=7"
    setting = of_words(provable("quantize"), variation, text)
    got = check_proof.quantize(r, variation, **setting.given)
    assert got == setting.rule()(FLOATS.key(r))
