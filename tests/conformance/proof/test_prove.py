"""Proofs: each wrong way to requantize is refuted, each right one proved; no forgery passes."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest

from aquant_ref import oracle
from aquant_ref.conformance.adapters.library.process import Library
from aquant_ref.conformance.contract import VARIATIONS
from aquant_ref.conformance.faults import requantize
from aquant_ref.conformance.faults.fault import ScalarFault
from aquant_ref.conformance.proof.prove import Chosen, Counterexample, Proof, prove
from aquant_ref.conformance.proof.settings import Setting, of_words, provable
from aquant_ref.errors import InputError
from tests.meta.libraries import Compiled

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
WIDE = (
    "multiplier=1518500250,shift=50,zero_point=1,qmin=-30000,qmax=30000",
    # 5*2^28 +- 1: beside +-(12 + 1/2), a product that float64 takes for the tie
    "multiplier=1342177281,shift=57,zero_point=1,qmin=-128,qmax=127",
    "multiplier=2147483647,shift=62,zero_point=1,qmin=-8,qmax=7",
)
NARROW = Chosen((-600, 600))
ALL_BESIDE = Chosen((-(2**31), 2**31 - 1), beside=2)


def settings_of(variation: str, *texts: str) -> list[Setting]:
    return [of_words(REQUANTIZE, variation, text) for text in texts]


def attempt(path: Path, chosen_settings: list[Setting], chosen: Chosen) -> Proof | Counterexample:
    return prove(Library(path, 30), chosen_settings, chosen)


# The catalogue


@pytest.mark.parametrize("mutant", requantize.WRONG, ids=str)
def test_every_fault_of_the_catalogue_is_refuted_at_a_right_counterexample(
    mutant: ScalarFault, library: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spec: AQ-CONF-7. The counterexample is one for the same fault in Python, too."""
    name = mutant.name.removesuffix(f" for {mutant.profile}")
    monkeypatch.setenv("AQUANT_FAULT", name)
    found = attempt(library(KERNEL), settings_of(mutant.profile, *FIXED), NARROW)
    if isinstance(found, Proof):  # it needs wide accumulators
        found = attempt(library(KERNEL), settings_of(mutant.profile, *FIXED, *WIDE), ALL_BESIDE)
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


def test_a_function_that_is_missing_is_an_input_error(library: Compiled) -> None:
    with pytest.raises(InputError, match="has no function aquant_requantize"):
        attempt(library("hostile_library.c"), settings_of("exact", FIXED[0]), NARROW)
