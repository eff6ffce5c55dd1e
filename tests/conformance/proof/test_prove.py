"""Proofs: each wrong way to requantize is refuted, each right one proved; no forgery passes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.cli import main
from aquant_ref.conformance import check_proof
from aquant_ref.conformance.adapters.library.process import Library
from aquant_ref.conformance.contract import VARIATIONS
from aquant_ref.conformance.proof.inputs import FLOATS
from aquant_ref.conformance.proof.prove import Chosen, Counterexample, Proof, prove
from aquant_ref.conformance.proof.settings import SWEPT, Setting, of_words, provable
from aquant_ref.conformance.proof.steps import admitted, expanded, steps
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.quant.fixed_point import FixedPoint
from tests.engine.networks import residual_network
from tests.meta.libraries import Compiled
from tests.meta.mutants import MUTANTS, Mutant

REQUANTIZE = provable("requantize")
KERNEL = "kernel_library.c"
# Between them they show each fault of the catalogue: ties, ends, ReLUs, shifts, wide accumulators.
FIXED = (
    "multiplier=1073741824,shift=31,zero_point=3,qmin=-128,qmax=127",  # every second one is a tie
    "multiplier=1518500250,shift=38,zero_point=3,qmin=-128,qmax=127",
    "multiplier=1610612736,shift=34,zero_point=-1,qmin=-1,qmax=127",
    "multiplier=1610612736,shift=34,zero_point=5,qmin=5,qmax=13",
    "multiplier=1518500250,shift=50,zero_point=0,qmin=-128,qmax=127",
    "multiplier=1518500250,shift=26,zero_point=0,qmin=-128,qmax=127",
    "multiplier=1073741824,shift=0,zero_point=1,qmin=-8,qmax=7",
)
WIDE = "multiplier=1518500250,shift=50,zero_point=1,qmin=-30000,qmax=30000"
NARROW = Chosen((-600, 600))
ALL_BESIDE = Chosen((-(2**31), 2**31 - 1), beside=2)


def settings_of(variation: str, *texts: str) -> list[Setting]:
    return [of_words(REQUANTIZE, variation, text) for text in texts]


def attempt(path: Path, chosen_settings: list[Setting], chosen: Chosen) -> Proof | Counterexample:
    return prove(Library(path, 30), chosen_settings, chosen)


# The catalogue


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.operation == "requantize"], ids=lambda m: str(m)
)
def test_every_fault_of_the_catalogue_is_refuted_at_a_right_counterexample(
    mutant: Mutant, library: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spec: AQ-CONF-7. The counterexample is one for the same fault in Python, too."""
    name = mutant.name.removesuffix(f" for {mutant.profile}")
    monkeypatch.setenv("AQUANT_FAULT", name)
    found = attempt(library(KERNEL), settings_of(mutant.profile, *FIXED), NARROW)
    if isinstance(found, Proof):  # it needs wide accumulators
        found = attempt(library(KERNEL), settings_of(mutant.profile, *FIXED, WIDE), ALL_BESIDE)
    assert isinstance(found, Counterexample)
    numbers = list(found.setting.given.values())
    assert int(found.got) == mutant.function(found.key, *numbers) != found.expected
    assert found.alone


def test_every_right_variation_is_proved(library: Compiled) -> None:
    right = [s for v in VARIATIONS for s in settings_of(v, *FIXED[:4])]
    found = attempt(library(KERNEL), right, NARROW)
    assert isinstance(found, Proof), found.text()
    assert {setting.variation for setting, _ in found.settings} == set(VARIATIONS)
    assert found.inputs == 1201 * len(right)


def test_rounding_twice_is_found_where_random_cases_miss_it(
    library: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """182 of the 2^26 accumulators around zero differ: 10,000 random ones miss them with 97 %."""
    monkeypatch.setenv("AQUANT_FAULT", "rounded twice, up")
    rare = settings_of("exact", "multiplier=1518500250,shift=38,zero_point=3,qmin=-128,qmax=127")
    found = attempt(library(KERNEL), rare, Chosen((0, 5000)))
    assert isinstance(found, Counterexample)
    by_hand = [
        acc
        for acc in range(5001)
        if math.floor(Fraction(acc * 1518500250, 2**38) + Fraction(1, 2))
        != oracle.scale_accumulator(acc, 1518500250, 38, "tflite_up")
    ]
    assert (found.key, found.wrong) == (by_hand[0], len(by_hand))
    assert len(by_hand) == 13


# The steps


@settings(max_examples=30)
@given(st.lists(st.integers(-50, 50), max_size=8), st.integers(-60, 0), st.integers(0, 60))
def test_the_steps_are_where_the_results_change(places: list[int], low: int, high: int) -> None:
    def rule(key: int) -> int:
        return sum(key >= place for place in places)

    starts, results = steps(rule, low, high)
    keys = np.arange(low, high + 1)
    expected = [rule(int(key)) for key in keys]
    assert expanded(np.array(starts), np.array(results), low, len(keys)).tolist() == expected
    assert len(set(results)) == len(results)


def test_a_setting_is_proved_where_the_contract_admits_it() -> None:
    """M >= 1 in tflite: 2^5 * acc has to stay inside int32."""
    (setting,) = settings_of("tflite_up", FIXED[5])
    assert admitted(setting.rule(), -(2**31), 2**31 - 1) == (-(2**26), 2**26 - 1)


@settings(max_examples=30)
@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_the_keys_of_floats_are_in_the_order_of_the_floats(a: float, b: float) -> None:
    assert FLOATS.values(np.array([FLOATS.key(a)])).item() == a
    assert (a < b) <= (FLOATS.key(a) < FLOATS.key(b))
    assert FLOATS.key(-0.0) + 1 == FLOATS.key(0.0) == 0


# Other operations, from the command line

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


def test_a_function_that_is_missing_is_an_input_error(library: Compiled) -> None:
    with pytest.raises(InputError, match="has no function aquant_requantize"):
        attempt(library("hostile_library.c"), settings_of("exact", FIXED[0]), NARROW)


# Certificates


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
    st.sampled_from(provable("quantize").choices),
    st.sampled_from(list(oracle.ROUNDINGS)),
)
def test_the_quantizers_of_the_checker_are_those_of_the_oracle(
    r: float, scale: float, zero: int, variation: str, rounding: str
) -> None:
    text = f"rounding={rounding},scale={scale.hex()},zero_point={zero},qmin=-8,qmax=7"
    setting = of_words(provable("quantize"), variation, text)
    got = check_proof.quantize(r, variation, **setting.given)
    assert got == setting.rule()(FLOATS.key(r))


# Programs


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What `quantize --out` writes of a small residual network, with either lowering."""
    model = residual_network(0)
    options = {"threshold": None, "fixed_point": FixedPoint(2, "tflite_up")}
    folders = {name: tmp_path_factory.mktemp(name) for name in options}
    for name, folder in folders.items():
        model.save(folder / "model.npz")
        lowering_of(model, options[name]).program.save(folder / "program.npz")
    return folders


def ranges_of(certificate: dict[str, Any]) -> dict[str, list[int]]:
    """The least and the largest input of each channel."""
    found = {}
    for setting in certificate["settings"]:
        (part,) = setting["ranges"]
        keys = part["low"], part["high"]
        found[setting["source"]] = [key * setting["step"] + setting["offset"] for key in keys]
    return found


def test_every_channel_in_fixed_point_is_proved_within_its_bounds(
    folders: dict[str, Path], library: Compiled, tmp_path: Path
) -> None:
    proof, folder = tmp_path / "proof.json", folders["fixed_point"]
    words = ["--library", library(KERNEL), "--program", folder, "--out", proof]
    assert command("requantize", *words) == 0
    assert check_proof.main([str(proof)]) == 0
    certificate, program = json.loads(proof.read_text()), Program.load(folder / "program.npz")
    assert certificate["program_sha256"] == program.sha256()
    assert {setting["variation"] for setting in certificate["settings"]} == {"tflite_up"}
    by_hand, known = {}, program.bounds
    for each in program.instructions:
        if each.op == "rescale":
            for c, (left, bias) in enumerate(
                zip(each.arrays["left"], each.arrays["bias"], strict=True)
            ):
                ends = [int(end[c]) * 2 ** int(left) + int(bias) for end in known[each.inputs[0]]]
                by_hand[f"{each.name} channel {c}"] = ends
    assert len(by_hand) == 20
    assert ranges_of(certificate) == by_hand


def test_a_program_of_thresholds_is_proved_as_classical_requantization(
    folders: dict[str, Path], library: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--library", library(KERNEL), "--program", folders["threshold"]]
    assert command("requantize", *words, "--profile", "float32") == 0
    assert "proved: requantize float32: 20 settings" in capsys.readouterr().out


def test_a_program_that_multiplies_by_reals_is_told_so(
    library: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = lowering_of(residual_network(0), FixedPoint(2, "float32")).program
    program.save(tmp_path / "program.npz")
    assert command("requantize", "--library", library(KERNEL), "--program", tmp_path) == 2
    assert "its multipliers are reals, not mantissa and shift" in capsys.readouterr().err


def test_thresholds_of_two_bits_are_proved_and_others_named(
    folders: dict[str, Path], library: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = tmp_path / "proof.json"
    words = ["--library", library(KERNEL), "--program", folders["threshold"]]
    assert command("threshold", *words, "--out", proof) == 0
    said = capsys.readouterr().out
    assert "proved: threshold: 8 settings" in said
    assert "left out: body.relu2 and head.mean, with more than 3 thresholds a channel" in said
    certificate = json.loads(proof.read_text())
    assert certificate["left_out"] == ["body.relu2", "head.mean"]
    ends = Program.load(folders["threshold"] / "program.npz").bounds["stem.conv.acc"]
    by_hand = [[int(low), int(high)] for low, high in zip(*ends, strict=True)]
    assert list(ranges_of(certificate).values())[:4] == by_hand
