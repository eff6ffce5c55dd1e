"""The simulation of borders that round in every window, with tables or with feedback."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.simulate import Simulation
from tests.engine import networks

options = st.fixed_dictionaries(
    {
        "act_bits": st.sampled_from([1, 2, 3, 5]),
        "stride": st.sampled_from([1, 2]),
        "groups": st.sampled_from([1, 2, 4]),
        "size": st.sampled_from([(4, 3), (2, 5)]),
        "shortcut": st.booleans(),
        "pool": st.booleans(),
        "signed": st.booleans(),
        "relu": st.sampled_from(["relu", "relu6"]),
    }
)


@pytest.mark.parametrize("windows", ["row", "fused", "feedback"])
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), choice=options)
def test_a_network_that_rounds_in_windows_equals_the_oracle(
    windows: str, seed: int, choice: dict[str, Any]
) -> None:
    model = networks.residual_network(seed, windows=windows, **choice)
    images = networks.hard_images(model, 3, seed)
    simulated = Simulation(model).run(images)
    plain = model.plain()
    for number, image in enumerate(images):
        judged = oracle.network(plain, image.tolist())
        for name, tensor in simulated.items():
            if name == model.graph.output:
                ideal = [oracle.half_even(Fraction(v)) for v in judged[name]]
                assert tensor[number].tolist() == ideal
            else:
                assert tensor[number].tolist() == judged[name], name


def test_the_tensors_that_are_read_in_windows_have_wide_codes() -> None:
    model = networks.residual_network(3, windows="row", act_bits=2)
    assert model.wide() == {"stem.relu", "body.relu1"}
    codes = Simulation(model).run(networks.hard_images(model, 8))
    assert 3 < codes["stem.relu"].max() <= 3 * 64


@pytest.mark.parametrize("windows", ["row", "fused", "feedback", "rounding"])
def test_a_model_with_windows_comes_back_from_its_file(windows: str, tmp_path: Path) -> None:
    model = networks.residual_network(5, windows=windows)
    model.save(tmp_path / "model.npz")
    again = QuantizedModel.load(tmp_path / "model.npz")
    images = networks.hard_images(model, 4)
    one, two = Simulation(model).run(images), Simulation(again).run(images)
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_the_withdrawn_feedback_is_not_lowered() -> None:
    with pytest.raises(InputError, match=r"body\.conv1: a border with feedback of AQ-FEEDBACK-1"):
        lower(networks.residual_network(5, windows="rounding"))
