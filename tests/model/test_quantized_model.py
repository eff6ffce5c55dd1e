from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.model.quantized_model import QuantizedModel
from tests.engine import networks

Change = Callable[[dict[str, Any], dict[str, Any]], Any]


def array(name: str, change: Callable[[Any], Any]) -> Change:
    return lambda meta, arrays: arrays.update({name: change(arrays[name])})


def as_type(name: str, dtype: Any) -> Change:
    return array(f"windows/body.conv1/{name}", lambda a: a.clip(0).astype(dtype))


def with_first(value: float) -> Callable[[Any], Any]:
    def change(old: Any) -> Any:
        new = old.copy()
        new.flat[0] = value
        return new

    return change


def bits(kind: str, name: str, count: Any) -> Change:
    return lambda meta, arrays: meta[f"{kind}_bits"].update({name: count})


def attribute(name: str, **changes: Any) -> Change:
    def change(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        node = next(node for node in meta["nodes"] if node["name"] == name)
        node["attributes"].update(changes)

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "codes of another shape": (array("layers/stem.conv/codes", lambda a: a[:, :1]), "stem.conv"),
    "codes beyond their bits": (array("layers/body.conv1/codes", lambda a: a + 4), "0 to 3"),
    "float codes": (array("layers/body.conv1/codes", lambda a: a.astype(float)), "integers"),
    "a zero point beyond": (array("layers/body.conv1/zero_point", with_first(4)), "zero_point"),
    "a NaN bias": (array("layers/stem.conv/bias", with_first(np.nan)), "stem.conv: bias"),
    "a negative unit": (array("layers/stem.conv/unit", with_first(-1)), "stem.conv: unit"),
    "an infinite unit": (array("layers/stem.conv/unit", with_first(np.inf)), "stem.conv: unit"),
    "a NaN scale": (array("tensors/stem.relu/scale", lambda a: a * np.nan), "stem.relu: scale"),
    "a scale of 0": (array("tensors/stem.relu/scale", lambda a: a * 0), "stem.relu: scale"),
    "two scales": (array("tensors/stem.relu/scale", lambda a: np.array([a, a])), ""),
    "a code that is none": (array("tensors/stem.relu/zero_point", lambda a: a + 4), "0 to 3"),
    "a code that is not signed": (
        lambda meta, arrays: (
            meta["signed"].append("stem.relu"),
            arrays.update({"tensors/stem.relu/zero_point": np.array(2)}),
        ),
        "-2 to 1",
    ),
    "a signed image": (lambda meta, arrays: meta["signed"].append("image"), "image"),
    "no signs": (lambda meta, arrays: meta.pop("signed"), "signed"),
    "a negative padding": (attribute("body.pool", padding=[[0, -1], [0, 0]]), "body.pool"),
    "a dilation of 0": (attribute("stem.conv", dilation=0), "stem.conv"),
    "half a kernel": (attribute("body.pool", kernel=[1.5, 1]), "body.pool"),
    "a NaN crossing": (array("tensors/body.relu2/crossings", with_first(np.nan)), "body.relu2"),
    "a crossing elsewhere": (array("tensors/stem.relu/crossings", with_first(1.5)), "outside"),
    "crossings of others": (array("tensors/stem.relu/crossings", lambda a: a[:2]), "crossings"),
    "99 bits": (bits("tensor", "stem.relu", 99), "1 to 16"),
    "no bits": (bits("layer", "stem.conv", None), "1 to 16"),
    "other bits": (bits("tensor", "stem.relu", 3), "crossings"),
    "a tensor of no node": (lambda meta, arrays: meta["tensor_bits"].update(no=2), "no"),
    "a layer without codes": (lambda meta, arrays: meta["layer_bits"].pop("stem.conv"), "codes"),
    "no codes to read": (lambda meta, arrays: meta["tensor_bits"].pop("stem.relu"), "body"),
    "no image": (lambda meta, arrays: meta["tensor_bits"].pop("image"), "image"),
    "no nodes": (lambda meta, arrays: meta.update(nodes=[]), ""),
    "nodes that are none": (lambda meta, arrays: meta.update(nodes=["conv"]), ""),
    "no source": (lambda meta, arrays: meta.pop("source"), "source"),
    "a zero too many": (lambda meta, arrays: meta.update(zero=[0, 0, 0]), "zero"),
    "a stride of 0": (attribute("stem.conv", stride=[0, 0]), "stem.conv"),
    "a kernel of 0": (attribute("body.pool", kernel=0), "body.pool"),
    "no groups": (attribute("body.conv1", groups=0), ""),
    "three groups": (attribute("body.conv1", groups=3), "3 groups"),
    "an array too few": (lambda meta, arrays: arrays.pop("layers/stem.conv/bias"), "bias"),
    "a NaN coefficient": (array("tensors/stem.relu/coefficients", with_first(np.nan)), "stem.relu"),
    "four coefficients": (
        array("tensors/stem.relu/coefficients", lambda a: a[:, [0, 1, 2, 2]]),
        "stem.relu: coefficients of shape (4, 4)",
    ),
    "coefficients of others": (array("tensors/stem.relu/coefficients", lambda a: a[:2]), "(2, 3)"),
    "an attribute too many": (attribute("stem.conv", strides=2), "no attribute 'strides'"),
    "groups of text": (attribute("stem.conv", groups="1"), "stem.conv: groups: needs"),
    "groups of a boolean": (attribute("stem.conv", groups=True), "stem.conv: groups: needs"),
    "a negative stride": (attribute("stem.conv", stride=-1), "stem.conv: stride: needs"),
    "a padding beyond any": (attribute("stem.conv", padding=2**53), "stem.conv: padding: needs"),
    "a padding too large": (attribute("stem.conv", padding=2**20), "stem.conv: the windows"),
    "a kernel too large": (attribute("stem.conv", kernel=2**20), "stem.conv: a window"),
    "a huge layer": (attribute("stem.conv", channels=2**40), "stem.conv: channels: needs"),
    "no bias": (attribute("stem.conv", bias=False), "stem.conv: has no bias"),
    "an image of text": (lambda meta, arrays: meta.update(input_shape="233"), "input_shape: "),
    "a huge image": (lambda meta, arrays: meta.update(input_shape=[2, 2**20, 2**20]), "too large"),
    "a negative image": (lambda meta, arrays: meta.update(input_shape=[2, -5, 6]), "input_shape: "),
    "a zero that is no code": (lambda meta, arrays: meta.update(zero=[0.5, 0]), "zero: needs"),
    "bits of text": (lambda meta, arrays: meta["layer_bits"].update({"stem.conv": "8"}), "bits"),
    "true bits": (lambda meta, arrays: meta["tensor_bits"].update({"stem.relu": True}), "bits"),
    "an image of 4 bits": (
        lambda meta, arrays: meta["tensor_bits"].update(image=4),
        "image: its codes are pixels",
    ),
    "signed of text": (lambda meta, arrays: meta.update(signed="stem.relu"), "stem.relu: "),
    "signed of nobody": (lambda meta, arrays: meta["signed"].append("nobody"), "metadata"),
    "metadata too many": (lambda meta, arrays: meta.update(more=1), "metadata"),
    "an array too many": (
        lambda meta, arrays: arrays.update(more=np.zeros(1)),
        "array 'more' is not one of such a model",
    ),
    "a scale of two numbers": (
        array("tensors/stem.relu/scale", lambda a: np.array([a, a])),
        "is not a quantized model",
    ),
    "a zero point of a fraction": (
        array("tensors/stem.relu/zero_point", lambda a: np.array(0.5)),
        "array 'tensors/stem.relu/zero_point' is not",
    ),
    "a relu without a quantizer": (
        lambda meta, arrays: [
            meta["tensor_bits"].pop("body.relu1"),
            meta.get("squash", {}).pop("body.relu1", None),
            *(arrays.pop(n) for n in list(arrays) if n.startswith("tensors/body.relu1/")),
        ],
        "body.relu1: ",
    ),
    "a head that is cut off": (
        lambda meta, arrays: meta["nodes"].pop(),
        "the last node must be linear",
    ),
    "an unknown squash": (
        lambda meta, arrays: meta["squash"].update({"stem.relu": "tanh"}),
        "stem.relu: squash is 'tanh'",
    ),
}
WINDOWS: dict[str, tuple[str, Change, str]] = {
    "codes beyond": ("row", array("windows/body.conv1/codes", lambda a: a + 4), "0 to 3"),
    "codes of others": ("row", array("windows/body.conv1/codes", lambda a: a[:2]), "codes"),
    "codes of two bytes": ("row", as_type("codes", np.uint16), "codes is uint16, needs uint8"),
    "signed codes": ("fused", as_type("codes", np.int8), "codes is int8, needs uint8"),
    "a wide lift": ("fused", as_type("lift", np.int64), "lift is int64, needs int32"),
    "a lift of floats": ("fused", as_type("lift", np.float32), "lift is float32, needs int32"),
    "unsigned fusion": ("fused", as_type("fusion", np.uint16), "fusion is uint16, needs int32"),
    "no lift": ("fused", lambda meta, arrays: arrays.pop("windows/body.conv1/lift"), "lift"),
    "no rank": (
        "rounding",
        lambda meta, arrays: meta["feedback"].update({"body.conv1": 0}),
        "rank",
    ),
    "a NaN": ("rounding", array("windows/body.conv1/border", with_first(np.nan)), "border"),
    "no pull": ("feedback", lambda meta, arrays: arrays.pop("windows/body.conv1/pull"), "pull"),
    "a pull of floats": ("feedback", as_type("pull", np.float32), "pull is float32, needs int32"),
    "an error of others": ("feedback", array("windows/body.conv1/error", lambda a: a.T), "error"),
    "no error bits": (
        "feedback",
        lambda meta, arrays: meta["error_bits"].pop("body.conv1"),
        "body.conv1",
    ),
}


def refusal(model: QuantizedModel, change: Change, path: Path) -> str:
    model.save(path)
    meta, arrays = native.load(path, "model")
    change(meta, arrays)
    native.save(path, "model", meta=meta, arrays=arrays)
    with pytest.raises(InputError, match=r"model.npz: is not a quantized model") as error:
        QuantizedModel.load(path)
    return str(error.value)


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_that_makes_no_sense_is_refused(tmp_path: Path, name: str) -> None:
    """Past bugs: tracebacks, mismatches, errors without the file, and no error at all."""
    change, words = CHANGES[name]
    model = networks.residual_network(3, pool=True)
    assert words in refusal(model, change, tmp_path / "model.npz")


@pytest.mark.parametrize("name", WINDOWS)
def test_a_border_that_makes_no_sense_is_refused(tmp_path: Path, name: str) -> None:
    windows, change, words = WINDOWS[name]
    model = networks.residual_network(3, windows=windows)
    message = refusal(model, change, tmp_path / "model.npz")
    assert "body.conv1: " in message
    assert words in message


@pytest.mark.parametrize("windows", ["", "row", "fused", "feedback", "rounding"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_model_comes_back_from_its_file(tmp_path: Path, windows: str, signed: bool) -> None:
    model = networks.residual_network(4, pool=True, signed=signed, windows=windows, zero=(3, 116))
    model.save(tmp_path / "model.npz")
    again = QuantizedModel.load(tmp_path / "model.npz")
    assert again.sha256() == model.sha256()
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()


def test_a_file_from_before_polynomials_were_stored_still_loads_and_keeps_its_digest(
    tmp_path: Path,
) -> None:
    """So that its program still belongs to it; only fixed point asks for the polynomial."""
    model = networks.residual_network(4)
    tensors = {name: replace(t, coefficients=None) for name, t in model.tensors.items()}
    old = replace(model, tensors=tensors)
    model.save(tmp_path / "new.npz")
    meta, arrays = native.load(tmp_path / "new.npz", "model")
    del meta["squash"]
    arrays = {name: a for name, a in arrays.items() if not name.endswith("/coefficients")}
    native.save(tmp_path / "old.npz", "model", meta=meta, arrays=arrays)
    again = QuantizedModel.load(tmp_path / "old.npz")
    assert again.sha256() == old.sha256() == native.digest(meta, arrays) != model.sha256()


def test_a_tensor_goes_on_into_the_first_quantizer_after_it() -> None:
    model = networks.residual_network(4)
    assert model.rounded_into("stem.conv") == "stem.relu"
    assert model.rounded_into("body.conv2") == model.rounded_into("body.add") == "body.relu2"
    assert model.rounded_into("body.relu2") == "body.relu2"
    with pytest.raises(ValueError, match=r"head\.linear: no quantizer follows"):
        model.rounded_into("head.linear")
