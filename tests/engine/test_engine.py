from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.engine import Engine, Program
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from tests.engine import networks
from tests.engine.judge import assert_engine_equals_oracle, assert_engine_equals_simulation

options = st.fixed_dictionaries(
    {
        "weight_bits": st.sampled_from([1, 2, 3, 4, 8]),
        "act_bits": st.sampled_from([1, 2, 3, 4]),
        "stride": st.sampled_from([1, 2]),
        "groups": st.sampled_from([1, 2, 4]),
        "size": st.sampled_from([(4, 3), (3, 5), (2, 3), (5, 4)]),
        "shortcut": st.booleans(),
        "pool": st.booleans(),
        "border": st.booleans(),
        "relu": st.sampled_from(["relu", "relu6"]),
        "signed": st.booleans(),
        "zero": st.sampled_from([(0, 0), (3, 116), (255, 0)]),
        "windows": st.sampled_from(["", "row", "fused", "feedback"]),
    }
)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), choice=options)
def test_engine_equals_oracle_on_random_networks(seed: int, choice: dict[str, Any]) -> None:
    """Spec: AQ-IDEAL-1, AQ-IDEAL-2, AQ-LOWER-4."""
    model = networks.residual_network(seed, **choice)
    assert_engine_equals_oracle(model, networks.hard_images(model, 3))


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6), choice=options)
def test_engine_equals_simulation_on_random_networks(seed: int, choice: dict[str, Any]) -> None:
    model = networks.residual_network(seed, **choice)
    assert_engine_equals_simulation(model, networks.hard_images(model, 12, seed))


def test_a_program_and_a_model_come_back_from_their_files(tmp_path: Path) -> None:
    model = networks.residual_network(8, pool=True)
    program = lower(model)
    program.save(tmp_path / "program.npz")
    model.save(tmp_path / "model.npz")
    images = networks.hard_images(model, 5)
    expected = Engine(program).run(images)
    for again in (
        Program.load(tmp_path / "program.npz"),
        lower(QuantizedModel.load(tmp_path / "model.npz")),
    ):
        result = Engine(again).run(images)
        assert {n: t.tobytes() for n, t in result.items()} == {
            n: t.tobytes() for n, t in expected.items()
        }
    with pytest.raises(InputError, match="holds a model file, not a program file"):
        Program.load(tmp_path / "model.npz")
