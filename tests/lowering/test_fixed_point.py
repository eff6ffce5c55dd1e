from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Instruction, Program
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.lowering import lower
from aquant_ref.model.fixed_point import scale_of_sum
from aquant_ref.model.quantized_model import QuantizedModel
from tests.engine import networks
from tests.engine.test_fixed_point import rescale


def test_a_sum_that_is_in_the_right_steps_is_not_rescaled_again() -> None:
    program = lower(networks.residual_network(2), "fixed_point")
    by_name = {i.name: i for i in program.instructions}
    assert by_name["body.relu2"].inputs == ("body.add.acc",)
    assert by_name["body.add.acc"].inputs == ("body.add.a", "body.add.b")
    assert by_name["body.relu2"].attributes["fraction_bits"] == 8


def test_the_program_says_how_it_was_lowered() -> None:
    model = networks.residual_network(2)
    keys = ("lowering", "fraction_bits", "profile")
    fixed = lower(model, "fixed_point", fraction_bits=3, profile="tflite_up").source
    assert [fixed[key] for key in keys] == ["fixed_point", 3, "tflite_up"]
    assert [lower(model).source.get(key) for key in keys] == ["threshold", None, None]


def with_layer(model: QuantizedModel, name: str, **changes: Any) -> QuantizedModel:
    layer = replace(model.layers[name], **changes)
    return replace(model, layers={**model.layers, name: layer})


def test_a_bias_that_leaves_int32_is_refused_by_name() -> None:
    model = networks.residual_network(1)
    far = with_layer(model, "body.conv1", bias=np.full(4, 1e12))
    with pytest.raises(
        InputError, match=r"body\.relu1\.steps: its bias is \d+ units, beyond int32"
    ):
        lower(far, "fixed_point")


def test_an_accumulator_that_leaves_int32_once_shifted_is_refused_by_name() -> None:
    model = networks.residual_network(1)
    unit = np.full(4, model.tensors["body.relu1"].scale * 2.0**14)
    coarse = with_layer(model, "body.conv1", unit=unit, bias=np.zeros(4))
    with pytest.raises(AccumulatorOverflow, match=r"relu1\.steps: its accumulator .* beyond int32"):
        lower(coarse, "fixed_point", fraction_bits=16)


@pytest.mark.parametrize("term", ["a", "b", "sum"])
def test_an_add_that_could_leave_int32_is_refused_with_its_bound(term: str) -> None:
    def program(a: int, b: int) -> Program:
        image = Instruction("t", "flatten", ("image",), {"positions": 1})
        scaled = [
            replace(rescale("exact", Fraction(m)), name=name, inputs=("t",))
            for name, m in (("a", a), ("b", b))
        ]
        plus = Instruction("y", "plus", ("a", "b"))
        return Program((1, 1, 1), (image, *scaled, plus))

    largest = (2**31 - 1) // 255
    factors = {"a": (largest + 1, 1), "b": (1, largest + 1), "sum": (largest // 2 + 1,) * 2}
    program(largest - 1, 1).validate(part=True)
    with pytest.raises(AccumulatorOverflow, match=r"y: its sum can reach \d+, beyond 2147483647"):
        program(*factors[term]).validate(part=True)


def test_a_border_whose_polynomial_was_not_stored_is_refused() -> None:
    model = networks.residual_network(1)
    tensor = replace(model.tensors["stem.relu"], coefficients=None)
    old = replace(model, tensors={**model.tensors, "stem.relu": tensor})
    assert lower(old).instructions  # thresholds need none
    with pytest.raises(InputError, match=r"stem\.relu: has crossings alone"):
        lower(old, "fixed_point")


def test_more_fraction_bits_than_int32_has_room_for_are_refused() -> None:
    model = networks.residual_network(1, act_bits=9)
    stem = model.tensors["stem.relu"]
    long = replace(stem, bits=16, crossings=np.arange(2**16 - 1)[None] + 0.5)
    model = replace(model, tensors={**model.tensors, "stem.relu": long})
    with pytest.raises(InputError, match=r"stem\.relu: 16 fraction bits of 65535 steps"):
        lower(model, "fixed_point", fraction_bits=16)


def test_an_add_that_no_quantizer_follows_is_refused_by_name() -> None:
    """A model from elsewhere; ours always have one."""
    model = networks.residual_network(1)
    tensors = {n: t for n, t in model.tensors.items() if n not in ("body.relu2", "head.mean")}
    without = replace(model, tensors=tensors)
    with pytest.raises(InputError, match=r"no quantizer follows"):
        scale_of_sum(without, "body.add")
    with pytest.raises(InputError, match=r"^head\.linear: .*is read as codes"):
        lower(without, "fixed_point")
