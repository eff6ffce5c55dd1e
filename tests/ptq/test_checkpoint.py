from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.ptq import checkpoint
from aquant_ref.ptq.network import LearnedNetwork, LearnedWindow
from tests.claims import networks


def observed() -> LearnedNetwork:
    """Rounded to nearest; no borders."""
    return networks.network(coefficients=None)


def moved(network: LearnedNetwork) -> LearnedNetwork:
    """As after a first pass: other codes and other scales."""
    made = deepcopy(network)
    for name, codes in made.codes.items():
        made.codes[name] = (made.scales[name].qmax - codes).astype(codes.dtype)
    for name, tensor in made.tensors.items():
        object.__setattr__(tensor, "scale", tensor.scale * 1.5)
        made.tensors[name] = tensor
    return made


def test_a_first_pass_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    path, start = tmp_path / "first.npz", observed()
    learned = moved(start)
    checkpoint.save(path, learned, {"seconds": 1.5})
    assert any((learned.codes[name] != start.codes[name]).any() for name in start.codes)
    meta = checkpoint.load(path, start)
    assert meta["seconds"] == 1.5
    for name, codes in learned.codes.items():
        assert start.codes[name].tolist() == codes.tolist()
        assert start.scales[name].scale.tobytes() == learned.scales[name].scale.tobytes()
        assert start.scales[name].zero_point.tolist() == learned.scales[name].zero_point.tolist()
    assert start.tensors == learned.tensors


def test_results_of_later_stages_are_not_stored(tmp_path: Path) -> None:
    bordered, windowed, biased = networks.network(), observed(), observed()
    windowed.windows["body.conv"] = LearnedWindow(np.zeros((4, 3), np.float32))
    biased.biases["body.conv"] = np.zeros(3, np.float32)
    for network in (bordered, windowed, biased):
        with pytest.raises(ValueError, match="checkpoint: stores the result of a first pass only"):
            checkpoint.save(tmp_path / "first.npz", network, {})
    assert not list(tmp_path.iterdir())


def change_of(key: str, value: Any) -> Any:
    return lambda meta, arrays: arrays.update({key: value(arrays[key])})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta, arrays: meta["bits"].pop("body.conv"), r"body\.conv is missing"),
        (lambda meta, arrays: meta["bits"].update(more=2), "more is unexpected"),
        (lambda meta, arrays: meta["bits"].update({"body.conv": 3}), "has 3 bits, needs 2"),
        (lambda meta, arrays: meta["bits"].update({"body.conv": True}), "has True bits"),
        (lambda meta, arrays: meta.pop("tensors"), "tensors"),
        (
            lambda meta, arrays: meta["tensors"].update({"stem.relu": [2, 4]}),
            "zero point 4 is not a code of 2 bits",
        ),
        (lambda meta, arrays: meta["tensors"].update({"stem.relu": [2]}), "not enough values"),
        (lambda meta, arrays: arrays.update(more=np.zeros(1)), "array 'more' belongs to no layer"),
        (lambda meta, arrays: arrays.pop("codes/body.conv"), "codes/body.conv"),
        (change_of("codes/body.conv", lambda a: a + 4), "codes needs integers from 0 to 3"),
        (change_of("codes/body.conv", lambda a: a[:1]), "codes of shape"),
        (change_of("scale/body.conv", lambda a: a * 2.0**200), "beyond float32"),
        (change_of("tensor/stem.relu", lambda a: a * 0), "the scale is not a float64 above 0"),
        (change_of("tensor/stem.relu", lambda a: a * np.nan), "not a float64 above 0"),
        (change_of("tensor/stem.relu", lambda a: a.astype("f4")), "not a float64 above 0"),
    ],
)
def test_a_file_of_another_network_is_refused_and_changes_nothing(
    tmp_path: Path, change: Any, message: str
) -> None:
    path, network = tmp_path / "first.npz", observed()
    checkpoint.save(path, moved(network), {})
    meta, arrays = native.load(path, "checkpoint")
    change(meta, arrays)
    native.save(path, "checkpoint", meta=meta, arrays=arrays)
    before = deepcopy(network)
    with pytest.raises(InputError, match=rf"first\.npz: is not the first pass .*{message}"):
        checkpoint.load(path, network)
    assert network.tensors == before.tensors
    assert all((network.codes[name] == codes).all() for name, codes in before.codes.items())
