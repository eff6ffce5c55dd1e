"""ResNet-18 against a computation of torchvision's network that shares no code with ours."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.numpy import save_file

import reference_models
from aquant_ref import nn
from aquant_ref.cli import main
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from reference_models import resnet18

Array = np.ndarray[Any, Any]
State = dict[str, Array]

MEAN = np.array([0.485, 0.456, 0.406])[:, None, None]
STD = np.array([0.229, 0.224, 0.225])[:, None, None]
CODES = np.array([124, 116, 104])[:, None, None]  # the codes nearest to 255*mean
STRIDED = ("layer2.0", "layer3.0", "layer4.0")
MODEL = reference_models.get("resnet18")


def state_dict(classes: int, seed: int = 0) -> State:
    """Random tensors under torchvision's names, float64; the dictionary is the caller's."""
    return dict(drawn(classes, seed))


@cache
def drawn(classes: int, seed: int) -> State:
    """Written down layer by layer."""
    rng = np.random.default_rng(seed)
    state: State = {}

    def conv_norm(conv: str, norm: str, *shape: int) -> None:
        state[f"{conv}.weight"] = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        channels = shape[0]
        state[f"{norm}.weight"] = rng.uniform(0.5, 1.5, channels)
        state[f"{norm}.bias"] = rng.normal(0, 0.2, channels)
        state[f"{norm}.running_mean"] = rng.normal(0, 0.2, channels)
        state[f"{norm}.running_var"] = rng.uniform(0.5, 2, channels)
        state[f"{norm}.num_batches_tracked"] = np.array(7)

    conv_norm("conv1", "bn1", 64, 3, 7, 7)
    before = 64
    for stage, channels in enumerate((64, 128, 256, 512), 1):
        for block in (f"layer{stage}.0", f"layer{stage}.1"):
            conv_norm(f"{block}.conv1", f"{block}.bn1", channels, before, 3, 3)
            conv_norm(f"{block}.conv2", f"{block}.bn2", channels, channels, 3, 3)
            if block in STRIDED:
                conv_norm(f"{block}.downsample.0", f"{block}.downsample.1", channels, before, 1, 1)
            before = channels
    state["fc.weight"] = rng.standard_normal((classes, 512)) / 16
    state["fc.bias"] = rng.standard_normal(classes)
    for tensor in state.values():
        tensor.setflags(write=False)
    return state


# torchvision's network, from its definition


def windows(x: Array, size: int, stride: int) -> Array:
    """(N, C, OH, OW, size, size) views."""
    return sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def conv(x: Array, weight: Array, stride: int) -> Array:
    """Cross-correlation of images that are padded already."""
    return np.moveaxis(
        np.tensordot(windows(x, weight.shape[2], stride), weight, ([1, 4, 5], [1, 2, 3])), 3, 1
    )


def padded(x: Array, by: int, value: float | Array = 0.0) -> Array:
    n, c, h, w = x.shape
    out = np.empty((n, c, h + 2 * by, w + 2 * by))
    out[...] = value
    out[:, :, by : by + h, by : by + w] = x
    return out


def norm(state: State, name: str, x: Array) -> Array:
    gamma, beta, mean, variance = (
        state[f"{name}.{part}"][:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def first_convolution(state: State, codes: Array, padding: float | Array) -> Array:
    normalised = (codes / 255 - MEAN) / STD
    return conv(padded(normalised, 3, padding), state["conv1.weight"], 2)


def logits(state: State, codes: Array) -> Array:
    """Of images padded with the pixel nearest to the mean."""
    x = first_convolution(state, codes, (CODES / 255 - MEAN) / STD)
    x = np.maximum(norm(state, "bn1", x), 0)
    x = windows(padded(x, 1, -np.inf), 3, 2).max(axis=(4, 5))
    for block in (f"layer{stage}.{index}" for stage in (1, 2, 3, 4) for index in (0, 1)):
        stride = 2 if block in STRIDED else 1
        y = conv(padded(x, 1), state[f"{block}.conv1.weight"], stride)
        y = np.maximum(norm(state, f"{block}.bn1", y), 0)
        y = conv(padded(y, 1), state[f"{block}.conv2.weight"], 1)
        y = norm(state, f"{block}.bn2", y)
        if block in STRIDED:
            x = conv(x, state[f"{block}.downsample.0.weight"], 2)
            x = norm(state, f"{block}.downsample.1", x)
        x = np.maximum(x + y, 0)
    return np.asarray(x.mean(axis=(2, 3)) @ state["fc.weight"].T + state["fc.bias"])


def images(n: int, side: int) -> Array:
    return np.random.default_rng(3).integers(0, 256, (n, 3, side, side), np.uint8)


def as_zeros(state: State) -> State:
    """What the same tensors are without their values, which makes a small file."""
    return {name: np.zeros(tensor.shape, np.float32) for name, tensor in state.items()}


# The network


def test_it_has_torchvisions_parameters_and_products() -> None:
    graph = MODEL.build(1000)
    statistics = ("mean", "variance")  # buffers, which torchvision does not count
    parameters = {n: s for n, s in graph.parameter_shapes.items() if not n.endswith(statistics)}
    assert sum(int(np.prod(s)) for s in parameters.values()) == 11_689_512
    layers = [n.name for n in graph.nodes if n.op in ("conv2d", "linear")]
    products = sum(
        int(np.prod(graph.parameter_shapes[f"{name}.weight"]) * np.prod(graph.shapes[name][1:]))
        for name in layers
    )
    first = 112 * 112 * 64 * 3 * 49
    stages = 4 * 56 * 56 * 64 * 64 * 9  # the first; each later one has as many, save for the
    later = stages - 28 * 28 * 128 * 64 * 9 + 28 * 28 * 128 * 64  # halved input, and a shortcut
    assert products == first + stages + 3 * later + 512 * 1000 == 1_814_073_344


def test_its_blocks_are_those_that_are_reconstructed() -> None:
    graph = MODEL.build(1000)
    basic = [f"layer{stage}_{index}" for stage in (1, 2, 3, 4) for index in (0, 1)]
    assert [b.name for b in graph.blocks()] == ["stem", *basic, "head"]
    assert all(len(b.inputs) == 1 for b in graph.blocks())
    assert graph.shapes["stem.pool"] == (64, 56, 56)
    assert graph.shapes["layer4_1.relu2"] == (512, 7, 7)


def test_a_padded_pixel_is_the_code_nearest_to_the_mean() -> None:
    assert MODEL.build(10).zero == (124, 116, 104)
    assert np.abs(CODES / 255 - MEAN).max() < 0.5 / 255


def test_names_are_those_of_torchvision_one_to_one() -> None:
    theirs = [resnet18.torchvision_name(n) for n in MODEL.build(1000).parameter_shapes]
    state = {n for n in state_dict(1000) if not n.endswith("num_batches_tracked")}
    assert len(theirs) == len(set(theirs)) == len(state)
    assert set(theirs) == state


@pytest.mark.parametrize("side", [64, 50])
def test_logits_equal_an_independent_computation(side: int) -> None:
    state, codes = state_dict(10), images(3, side)
    graph, parameters = resnet18.convert(state, side)
    expected = logits(state, codes)
    assert np.ptp(expected, axis=0).min() > 0.01  # the images differ in every logit
    floats = graph.to_float(codes, np.float64)
    np.testing.assert_allclose(graph.run(parameters, floats), expected, rtol=0, atol=1e-10)
    folded, folded_parameters = nn.fold_batch_norm(graph, parameters)
    assert folded.zero == graph.zero
    np.testing.assert_allclose(folded.run(folded_parameters, floats), expected, rtol=0, atol=1e-10)


def test_only_the_edge_of_the_first_convolution_sees_what_padding_is() -> None:
    state, side = state_dict(10), 64
    codes = images(2, side)
    graph, parameters = resnet18.convert(state, side)
    tensors = graph.evaluate(parameters, {nn.INPUT: graph.to_float(codes, np.float64)})
    ours = tensors["stem.conv_norm"]
    theirs = norm(state, "bn1", first_convolution(state, codes, 0.0))
    positions = 2 * np.arange(side // 2)  # of the middle of a window, which reaches 3 pixels
    inside = (positions >= 3) & (positions + 3 < side)
    inner = inside[:, None] & inside
    assert inner.sum() == 29**2  # of 32**2
    difference = np.abs(ours - theirs)
    assert difference[:, :, inner].max() < 1e-12
    assert difference[:, :, ~inner].min(axis=(0, 1)).max() > 1e-5
    slope = state["bn1.weight"] / np.sqrt(state["bn1.running_var"] + 1e-5)
    half_code = np.abs(state["conv1.weight"] / STD).sum(axis=(1, 2, 3)) * 0.5 / 255
    assert (difference.max(axis=(0, 2, 3)) <= half_code * slope).all()


# Checkpoints


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_checkpoint_is_loaded_in_float32(tmp_path: Path, suffix: str) -> None:
    state = {n: t.astype(np.float32) if t.ndim else t for n, t in state_dict(7).items()}
    path = tmp_path / f"mine{suffix}"
    if suffix == ".npz":
        np.savez(path, **state)
    else:
        save_file(state, path)
    graph, parameters, meta = MODEL.load(path)
    assert meta["model"] == "resnet18"
    assert {p.dtype for p in parameters.values()} == {np.dtype(np.float32)}
    codes = images(1, 224)
    found = graph.run(parameters, graph.to_float(codes))
    assert found.shape == (1, 7)
    np.testing.assert_allclose(found, logits(state, codes), rtol=0, atol=1e-4)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "state_dict."])
def test_what_a_wrapper_puts_before_every_name_is_left_out_and_named(
    tmp_path: Path, prefix: str
) -> None:
    """Past bug: a checkpoint of DataParallel was said to lack 'bn1.bias'."""
    path, state = tmp_path / "wrapped.npz", as_zeros(state_dict(3))
    np.savez_compressed(path, **{prefix + name: tensor for name, tensor in state.items()})
    graph, _, meta = MODEL.load(path)
    assert graph.shapes[graph.output] == (3,)
    assert meta == {"model": "resnet18", "left_out": prefix}


def test_a_prefix_that_some_names_lack_is_left_in_place(tmp_path: Path) -> None:
    path, state = tmp_path / "wrapped.npz", as_zeros(state_dict(3))
    names = {name: f"module.{name}" for name in state} | {"fc.bias": "fc.bias"}
    np.savez_compressed(path, **{names[name]: tensor for name, tensor in state.items()})
    with pytest.raises(InputError, match=r"tensor 'module.bn1.bias' is unexpected"):
        MODEL.load(path)


def test_our_own_file_is_loaded_as_well(tmp_path: Path) -> None:
    _, parameters = resnet18.convert(as_zeros(state_dict(3)))
    meta = {"model": "resnet18", "classes": ["a", "b", "c"]}
    path = tmp_path / "ours.npz"
    native.save(path, "weights", meta=meta, arrays=parameters)
    graph, loaded, found = MODEL.load(path)
    assert found == meta
    assert graph.shapes[graph.output] == (3,)
    assert all(loaded[n].tobytes() == p.tobytes() for n, p in parameters.items())
    native.save(path, "weights", meta={**meta, "model": "resnet8"}, arrays=parameters)
    with pytest.raises(InputError, match="of 'resnet8', not of 'resnet18'"):
        MODEL.load(path)


def test_a_checkpoint_is_no_weights_file_of_another_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", w=np.zeros(3))
    with pytest.raises(InputError, match="not a weights file of aquant_ref"):
        reference_models.get("resnet8").load(tmp_path / "mine.npz")


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("bn1.running_var", None, "is missing"),
        ("fc.bias", None, "is missing"),
        ("layer1.0.conv3.weight", np.zeros(2), "is unexpected"),
        ("layer2.0.downsample.0.weight", np.zeros((128, 64)), "has shape"),
        ("fc.weight", np.zeros((4, 512)), "has shape"),
        ("fc.bias", np.zeros((3, 1)), "has shape"),
        ("layer4.1.bn2.bias", np.zeros(512, np.int32), "needs a float dtype"),
        ("layer3.1.bn1.running_var", np.full(256, -1.0), "variance below 0"),
    ],
)
def test_tensors_of_another_network_are_refused_by_name(
    name: str, tensor: Array | None, reason: str
) -> None:
    state: dict[str, Any] = {**state_dict(3), name: tensor}
    with pytest.raises(InputError, match=f"^tensor '{re.escape(name)}' .*{reason}"):
        resnet18.convert({n: t for n, t in state.items() if t is not None})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("fc.bias", np.nan, "tensor 'fc.bias' holds NaN or infinity"),
        ("fc.bias", 1e300, "parameter 'head.linear.bias' holds NaN or infinity"),  # in float32
        ("layer1.0.conv3.weight", 1, "tensor 'layer1.0.conv3.weight' is unexpected"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_the_name_of_its_file(
    tmp_path: Path, name: str, value: float, reason: str
) -> None:
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **{**as_zeros(state_dict(3)), name: np.full(3, value)})
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {reason}')}$"):
        MODEL.load(path)


def test_the_commands_say_that_no_weights_are_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["quantize", "--model", "resnet18"]) == 2
    assert "ships no weights; give a torchvision checkpoint" in capsys.readouterr().err
    assert main.main(["train", "resnet18", "--epochs", "1"]) == 2
    assert "resnet18: is not trained here" in capsys.readouterr().err
    assert main.main(["models", "resnet18"]) == 0
    listed = capsys.readouterr().out
    assert "weights for no data set" in listed
    assert "60.3 %" in listed
