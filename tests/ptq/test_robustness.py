"""Calibration that meets dead channels, outliers, one image, or diverges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref import data
from aquant_ref.cli import main
from aquant_ref.data.shapes import CLASSES
from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.ptq import METHODS, observe, observers, quantize_with
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.reconstruction import run_pass
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.simulate import Simulation
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from tests.ptq import small

Parameters = dict[str, np.ndarray]


def as_they_are(p: Parameters) -> None:
    pass


def channels_of_zeros_with_a_bias(p: Parameters) -> None:
    """Of one the weights are below what a float32 holds; the last layer has none at all."""
    biases = iter((0.5, -0.5, 3.0, -1e3, 1e-12, 0.25, -2.0, 40.0))
    for name in ("stem.conv", *small.INNER, "tail.conv"):
        p[f"{name}.weight"][1] = 0
        p[f"{name}.bias"][1] = next(biases)
    p["body.conv1.weight"] = p["body.conv1.weight"].astype(np.float64)
    p["body.conv1.weight"][2] *= 1e-60
    p["head.linear.weight"][:] = 0


def dead_tensors_and_dead_weights(p: Parameters) -> None:
    """What reads a dead tensor has no weights either, and a bias of thousands."""
    p["stem.conv.bias"][:] = -1e3
    for name in ("body.conv1", "inverted.project", "tail.conv"):
        p[f"{name}.weight"][:] = 0
        p[f"{name}.bias"][:] = 2000


def channels_of_zeros(p: Parameters) -> None:
    for name, channel in (("stem.conv", 0), ("body.conv1", 1), ("body.conv2", 2)):
        p[f"{name}.weight"][channel] = p[f"{name}.bias"][channel] = 0
    p["inverted.depth.weight"][3] = p["inverted.expand.weight"][5] = 0


def a_layer_of_zeros(p: Parameters) -> None:
    for name in ("body.conv2", "inverted.project"):
        p[f"{name}.weight"][:] = p[f"{name}.bias"][:] = 0


def dead_channels(p: Parameters) -> None:
    for name, channel in (("stem.conv", 2), ("body.conv1", 1), ("inverted.expand", 0)):
        p[f"{name}.bias"][channel] = -1e3


def dead_tensors(p: Parameters) -> None:
    for name in ("body.conv1", "inverted.depth"):
        p[f"{name}.bias"][:] = -1e3


def everything_dead(p: Parameters) -> None:
    p["stem.conv.bias"][:] = -1e3


def outliers(p: Parameters) -> None:
    p["stem.conv.weight"][1] *= 1e6
    p["body.conv1.bias"][2] = 1e6
    p["inverted.project.bias"][0] = -1e6


CHANGES = (
    channels_of_zeros,
    channels_of_zeros_with_a_bias,
    dead_tensors_and_dead_weights,
    a_layer_of_zeros,
    dead_channels,
    dead_tensors,
    everything_dead,
    outliers,
)
IMAGES: dict[str, Callable[[], np.ndarray]] = {
    "one image": lambda: small.images(1),
    "all black": lambda: np.zeros_like(small.images(8)),
    "all white": lambda: np.full_like(small.images(8), 255),
    "one image eight times": lambda: np.repeat(small.images(1), 8, axis=0),
}
# those whose stages are all of another one here are left out
KINDS = [
    ("rtn", ""),
    ("aquant", ""),
    ("aquant", "row"),
    ("aquant", "row/window/clip/closed"),
    ("aquant-closed-form", ""),
    ("aquant-feedback-bias", ""),
]
FIXED = (FixedPoint(),)
kinds = pytest.mark.parametrize(("method", "border"), KINDS, ids=["@".join(k) for k in KINDS])


def check_survives(
    parameters: Parameters,
    images: np.ndarray,
    method: str,
    border: str,
    fixed: tuple[FixedPoint, ...] = FIXED,
) -> None:
    """It calibrates without a warning, what comes out is finite, also on other images, and every
    lowering computes it.
    """
    batch = min(4, len(images))
    config = replace(small.CONFIG, method=method, border=border, iterations=2, batch=batch)
    model = quantize_with(small.graph(), parameters, images, config)
    for entry in model.source["block_errors"]:
        assert np.isfinite([entry["before"], entry["after"]]).all()
    for tensor in model.tensors.values():
        assert np.isfinite(tensor.scale)
        assert tensor.scale > 0
        assert np.isfinite(tensor.crossings).all()
    others = np.concatenate([images[:2], small.images(3)])
    codes = Simulation(model).run(others)
    assert np.isfinite(codes["head.linear"]).all()
    check_same(Engine(lower(model)).run(others), codes)
    for options in fixed:
        program = lower(model, "fixed_point", **asdict(options))
        check_same(Engine(program).run(others), FixedPointSimulation(model, options).run(others))


def check_same(integers: Parameters, codes: Parameters) -> None:
    assert all(integers[name].tolist() == codes[name].tolist() for name in integers)


@kinds
@pytest.mark.parametrize("change", CHANGES)
def test_calibration_survives_weights_that_are(
    change: Callable[[Parameters], None], method: str, border: str
) -> None:
    parameters = small.parameters()
    change(parameters)
    # the biases of the last one are beyond the fraction bits of its weights
    fixed = FIXED if change is not outliers else ()
    check_survives(parameters, small.images(8), method, border, fixed)


@kinds
@pytest.mark.parametrize("images", IMAGES)
def test_calibration_survives_images_that_are(images: str, method: str, border: str) -> None:
    check_survives(small.parameters(), IMAGES[images](), method, border)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12])
def test_a_network_of_tiny_or_huge_activations_is_quantized(scale: float) -> None:
    parameters = small.parameters()
    for part in ("weight", "bias"):
        parameters[f"stem.conv.{part}"] *= np.float32(scale)
    config = replace(small.CONFIG, method="rtn")
    codes = Simulation(quantize_with(small.graph(), parameters, small.images(8), config)).run(
        small.images(8)
    )
    assert all(np.isfinite(tensor).all() for tensor in codes.values())


@pytest.mark.parametrize("name", ["stem.conv", "body.conv1", "head.linear"])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_parameters_beyond_float32_are_refused_by_name(name: str, part: str) -> None:
    parameters = {key: values.astype(np.float64) for key, values in small.parameters().items()}
    parameters[f"{name}.{part}"].flat[1] = -1e60
    with pytest.raises(InputError, match=rf"^{name}\.{part}: reaches 1e\+60, beyond float32$"):
        quantize_with(
            small.graph(), parameters, small.images(8), replace(small.CONFIG, method="rtn")
        )


# Divergence


def diverging(method: str, **settings: Any) -> Callable[[Any], tuple[Any, ...]]:
    ours = METHODS[method]
    return lambda config: tuple(replace(stage, **settings) for stage in ours(config))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("qdrop", {"scale_rate": 1e3}, r"scale/stem\.relu is -"),
        ("qdrop", {"weight_rate": 1e300}, r"weight/body\.conv1 is not finite"),
        ("qdrop-bias", {"bias_rate": 1e300}, r"bias/body\.conv1 is not finite"),
        ("qdrop-bias", {"bias_rate": 1e30}, "the error of the block is inf"),
        ("aquant", {"border_rate": 1e300}, r"border/stem\.relu is not finite"),
    ],
)
def test_learning_that_diverges_says_where_and_what_the_last_finite_error_was(
    method: str, settings: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, method, diverging(method, **settings))
    config = replace(small.CONFIG, method=method)
    with pytest.raises(InputError) as caught:
        quantize_with(small.graph(), small.parameters(), small.images(), config)
    pattern = rf"^\w+: learning diverged in pass '\w+', iteration \d: .*{words}"
    assert caught.match(pattern + r".*last finite error is \d.*lower the rates")


def test_an_error_that_is_not_finite_from_the_start_has_no_last_one() -> None:
    graph = small.graph()
    images = graph.to_float(small.images())
    network = observe(graph, small.parameters(), images, small.CONFIG)
    network.parameters["body.conv2.bias"][:] = np.inf
    settings = ReconstructionPass("a pass", 2, batch=8)
    with np.errstate(invalid="ignore"), pytest.raises(InputError) as caught:
        run_pass(network, images, settings, seed=(0,))
    assert caught.match(r"^body: learning diverged in pass 'a pass', iteration 0: the error")
    assert "last finite" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_last_step_of_all_is_looked_at_as_well() -> None:
    """Its result is in no loss of an iteration, but in what the next block would read."""
    graph = small.graph()
    images = graph.to_float(small.images())
    network = observe(graph, small.parameters(), images, small.CONFIG)
    settings = ReconstructionPass("a pass", 1, batch=8, biases=True, bias_rate=1e30)
    with pytest.raises(InputError, match=r"body: learning diverged .* iteration 0: the error"):
        run_pass(network, images, settings, seed=(0,))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_job_that_diverges_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def few(spec: str, *, split: str, **more: Any) -> data.Images:
        count = 32 if split == "train" else 4
        codes = np.random.default_rng(0).integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)
        return data.Images(codes, np.arange(count) % len(CLASSES), CLASSES, spec)

    monkeypatch.setattr(data, "load", few)
    monkeypatch.setitem(observers.SEARCHES, "qdrop", (2, (0,)))  # quick, and no matter here
    monkeypatch.setitem(METHODS, "qdrop", diverging("qdrop", scale_rate=1e3))
    out = tmp_path / "out"
    arguments = ["quantize", "--method", "qdrop", "--images", "32", "--iters", "1"]
    assert main.main([*arguments, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert "diverged" in captured.err
    assert captured.out == ""
    assert not out.exists() or not list(out.iterdir())
