from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.experiments.experiment import Experiment, one_origin
from aquant_ref.ptq.methods import Config
from aquant_ref.quant.fixed_point import FixedPoint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 3),
        ("model", ""),
        ("data", None),
        ("data", " "),
        ("weights", ""),
        ("config", "aquant"),
        ("lowering", 8),
        ("images", 0),
        ("images", 31),  # fewer than a batch
        ("images", 64.0),
        ("images", True),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{field}: ") as refused:
        Experiment(**{field: value})
    assert "\n" not in str(refused.value)


def test_a_row_says_how_the_network_is_quantized() -> None:
    config = Config("aquant", 2, 4, 50, seed=3, border="row")
    assert Experiment(config=config, images=64).settings() == {
        "method": "aquant",
        "weight_bits": 2,
        "act_bits": 4,
        "border": str(config.form),
        "iterations": 50,
        "seed": 3,
        "images": 64,
    }
    assert Experiment(config=Config("rtn")).settings()["border"] == ""


def test_experiments_with_the_same_fields_are_equal() -> None:
    one = Experiment(images=64, lowering=FixedPoint(4))
    assert one == Experiment(images=np.int64(64), lowering=FixedPoint(4))
    assert type(Experiment(images=np.int64(64)).images) is int
    assert one != Experiment(images=64)


def test_rows_of_one_table_have_one_origin(loads: list[Any]) -> None:
    configs = [Config("rtn", seed=seed) for seed in (0, 1)]
    origin = one_origin([Experiment("tiny", "a:x", config) for config in configs])
    assert (origin.model, origin.data_set, origin.data) == ("tiny", "a:x", "a")
    assert not loads
    with pytest.raises(InputError, match="^experiments: needs at least one, got none"):
        one_origin([])


@pytest.mark.parametrize(
    ("field", "values"),
    [("model", ("a", "b")), ("data", ("a", "b")), ("weights", ("a", None)), ("images", (32, 64))],
)
def test_experiments_of_two_origins_make_no_table(field: str, values: tuple[Any, Any]) -> None:
    experiments = [Experiment(**{field: value}) for value in values]
    message = f"^experiments: a table has one {field}, got {values[0]!r} and {values[1]!r}"
    with pytest.raises(InputError, match=message):
        one_origin(experiments)
