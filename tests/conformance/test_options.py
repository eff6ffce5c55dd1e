"""What the options ask of an implementation: what it declares, or less."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.arguments import verify_arguments
from aquant_ref.conformance.options import asked_for
from aquant_ref.errors import InputError

ALL = ("round", "quantize", "requantize", "clip", "add", "conv2d", "linear")
NARROW = Capabilities(
    bits=(8, 16),
    signs=("signed",),
    rounding=("half_even", "floor"),
    requantization=("exact", "tflite_up"),
    granularity=("tensor",),
    variations=("quantize:float32", "add:tflite"),
    by_operation={"conv2d": {"bits": (8,)}, "linear": {"requantization": ("float64",)}},
)


def asked(declared: Capabilities, *options: str, operations: Any = ALL) -> Capabilities:
    return asked_for(verify_arguments().parse_args(options), declared, operations)


def test_without_options_everything_declared_is_asked() -> None:
    assert asked(NARROW) == NARROW


@pytest.mark.parametrize(
    ("options", "field", "expected"),
    [
        (["--bits", "8"], "bits", (8,)),
        (["--signs", "signed"], "signs", ("signed",)),
        (["--rounding", "floor"], "rounding", ("floor",)),
        (["--granularity", "tensor"], "granularity", ("tensor",)),
        (["--rejects"], "rejects", True),
        (["--variations", "add:tflite"], "variations", ("quantize:float32", "add:tflite")),
    ],
)
def test_an_option_narrows_what_an_adapter_declares(
    options: list[str], field: str, expected: Any
) -> None:
    assert getattr(asked(NARROW, *options), field) == expected
    assert getattr(asked(NARROW, *options).of("linear"), field) == expected


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--bits", "4"], "bits: the adapter declares 8, 16 for quantize, not 4"),
        (["--bits", "8,16"], "bits: the adapter declares 8 for conv2d, not 16"),
        (["--bits", "conv2d:16"], "bits: the adapter declares 8 for conv2d, not 16"),
        (["--signs", "unsigned"], "signs: the adapter declares signed for quantize, not unsigned"),
        (["--rounding", "ceil"], "rounding: the adapter declares half_even, floor for round, not"),
        (["--granularity", "channel"], "granularity: the adapter declares tensor for conv2d"),
        (["--profile", "float32"], "profile: the adapter declares exact, tflite_up for requantize"),
        (["--profile", "exact"], "profile: the adapter declares float64 for linear, not exact"),
        (["--variations", "add:torch"], "variations: the adapter declares add:tflite, not add:to"),
    ],
)
def test_more_than_is_declared_is_refused(options: list[str], line: str) -> None:
    with pytest.raises(InputError) as raised:
        asked(NARROW, *options)
    assert str(raised.value).startswith(line)


def test_only_the_operations_that_are_asked_for_have_to_declare_it() -> None:
    assert asked(NARROW, "--bits", "16", operations=["quantize", "clip"]).of("quantize").bits == (
        16,
    )


def test_what_is_left_at_its_default_is_what_the_option_says() -> None:
    found = asked(Capabilities(), "--profile", "tflite_up", "--variations", "add:torch")
    assert found.requantization == ("tflite_up",)
    assert found.variations == ("add:torch",)


def test_a_word_may_be_for_one_operation() -> None:
    found = asked(
        Capabilities(),
        *("--profile", "conv2d:tflite_away,linear:float64,linear:exact"),
        *("--bits", "8,quantize:16,quantize:4", "--signs", "conv2d:signed"),
    )
    assert found.choices("conv2d") == ["tflite_away"]
    assert found.choices("linear") == ["exact", "float64"]
    assert found.choices("requantize") == found.choices("depthwise") == ["exact"]
    assert (found.of("quantize").bits, found.of("conv2d").bits) == ((16, 4), (8,))
    assert (found.of("conv2d").signs, found.of("linear").signs) == (
        ("signed",),
        ("unsigned", "signed"),
    )


@pytest.mark.parametrize(
    ("option", "conv2d", "linear"),
    [
        ("tflite_away", ["tflite_away"], ["tflite_away"]),
        ("linear:float64", ["fbgemm"], ["float64"]),
        ("tflite_away,linear:float64", ["tflite_away"], ["float64"]),
    ],
)
def test_a_profile_takes_the_place_of_alternatives_of_layers(
    option: str, conv2d: list[str], linear: list[str]
) -> None:
    """Past bug: `--profile tflite_away` left the alternatives that an adapter declares."""
    declared = Capabilities(variations=("conv2d:fbgemm", "linear:qnnpack", "quantize:float32"))
    chosen = asked(declared, "--profile", option)
    assert chosen.choices("conv2d") == conv2d
    assert chosen.choices("linear") == linear
    assert chosen.choices("quantize") == ["float32"]
