from __future__ import annotations

import json
from math import sqrt
from typing import Any

import numpy as np
import pytest

from aquant_ref.claims.layer_errors import LayerErrors, layer_errors
from aquant_ref.claims.switched import WHOLE
from aquant_ref.claims.tables import of_errors
from aquant_ref.errors import InputError
from aquant_ref.nn.feedback import Feedback, fed_back_by_rows
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.nn.straight_through import CodeRange
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS
from aquant_ref.ptq.network import LearnedNetwork, LearnedWindow
from aquant_ref.ptq.pipeline import observe
from aquant_ref.quant.border import bordered_codes
from tests.claims import networks

inputs = networks.inputs
network = networks.network
windowed = networks.windowed

CODES = inputs().test.batch(np.arange(8))


def conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """body.conv, in loops: kernel (1, 2), one padded pixel on the left and the right."""
    n, channels, height, width = x.shape
    padded = np.zeros((n, channels, height, width + 2))
    padded[..., 1:-1] = x
    out = np.zeros((n, len(weight), height, width + 1))
    for index in np.ndindex(*out.shape):
        i, o, y, j = index
        out[index] = bias[o]
        for c in range(channels):
            for k in range(2):
                out[index] += float(weight[o, c, 0, k]) * float(padded[i, c, y, j + k])
    return out


def rounded(x: np.ndarray, made: LearnedNetwork) -> np.ndarray:
    tensor = made.tensors["stem.relu"]
    coefficients = tensor.coefficients
    coefficients = np.zeros((1, 3)) if coefficients is None else coefficients.astype(np.float64)
    return tensor.scale * bordered_codes(x / tensor.scale, coefficients, tensor.bits)


def stem(parameters: Any) -> np.ndarray:
    """stem.relu before its quantizer; kernel 1, one input channel."""
    weight, bias = parameters["stem.conv.weight"], parameters["stem.conv.bias"]
    image = CODES[:, :1] / 255
    return np.maximum(image * weight.reshape(1, 2, 1, 1) + bias.reshape(1, 2, 1, 1), 0)


def of_layer(found: list[LayerErrors], name: str) -> LayerErrors:
    return next(each for each in found if each.name == name)


def same(each: Any, error: np.ndarray) -> None:
    for o in range(error.shape[1]):
        values = [float(v) for v in error[:, o].ravel()]
        mean = sum(values) / len(values)
        deviation = sqrt(sum((v - mean) ** 2 for v in values) / len(values))
        assert each.bias[o] == pytest.approx(mean, abs=1e-5)
        assert each.deviation[o] == pytest.approx(deviation, abs=1e-5)


def test_every_number_of_a_layer_is_that_of_its_definition() -> None:
    made = network()
    made.biases["body.conv"] = made.parameters["body.conv.bias"] + np.float32(0.1)
    found = of_layer(layer_errors(made, CODES), "body.conv")
    exact, quantized = made.parameters, made.weights()
    w, b = exact["body.conv.weight"], exact["body.conv.bias"]
    w_hat, b_hat = quantized["body.conv.weight"], quantized["body.conv.bias"]
    x, arriving = stem(exact), stem(quantized)
    x_hat = rounded(arriving, made)
    output = conv(x, w, b)
    assert found.spread == pytest.approx(sqrt(np.mean(output.std(axis=(0, 2, 3)) ** 2)), abs=1e-6)
    same(found.without[WHOLE], conv(x_hat, w_hat, b_hat) - output)
    same(found.without["weight"], conv(x_hat, w, b_hat) - output)
    same(found.without["activation"], conv(arriving, w_hat, b_hat) - output)
    same(found.without["propagated"], conv(rounded(x, made), w_hat, b_hat) - output)
    assert any(abs(each.bias).max() > 0.01 for each in found.without.values())


@pytest.mark.parametrize("rank", [0, ALL_DIRECTIONS])
def test_in_windows_the_roundings_stay_when_the_weight_error_goes(rank: int) -> None:
    coefficients = np.random.default_rng(4).uniform(-0.3, 0.3, (4, 3)).astype(np.float32)
    if rank:
        coefficients[:] = 0
    made = windowed(LearnedWindow(coefficients, feedback=rank))
    found = of_layer(layer_errors(made, CODES), "body.conv")
    quantized = made.weights()
    w, b = made.parameters["body.conv.weight"], made.parameters["body.conv.bias"]
    w_hat = quantized["body.conv.weight"]
    scale = made.tensors["stem.relu"].scale
    x = stem(quantized)
    n, channels, height, width = x.shape
    padded = np.zeros((n, channels, height, width + 2))
    padded[..., 1:-1] = x / scale
    rows = np.stack([padded[:, c, :, k : k + width + 1] for c in (0, 1) for k in (0, 1)], axis=1)
    t = rows.reshape(n, 1, 4, -1)
    tau = np.clip(t, 0, 3) / 3
    b0, b1, b2 = (coefficients[:, k].reshape(1, 1, 4, 1) for k in range(3))
    border = 1 / (1 + np.exp(-4 * (b0 + b1 * tau + b2 * tau**2)))
    feedback = Feedback.of(w_hat)
    if not rank:
        feedback = Feedback(feedback.directions, 0 * feedback.gain)
    q = np.clip(fed_back_by_rows(t, border, feedback, CodeRange(0, 3)), 0, 3) * scale
    output = conv(stem(made.parameters), w, b)
    for what, weight in ((WHOLE, w_hat), ("weight", w)):
        got = np.einsum("or,nrp->nop", weight.reshape(3, 4), q[:, 0]) + b[:, None]
        same(found.without[what], got.reshape(output.shape) - output)
    same(found.without["activation"], conv(x, w_hat, b) - output)


def test_a_layer_that_reads_the_image_has_only_a_weight_error() -> None:
    made = network()
    made.parameters["stem.conv.weight"] = made.parameters["stem.conv.weight"] + np.float32(0.1)
    found = of_layer(layer_errors(made, CODES), "stem.conv")
    assert found.without["weight"].rms_error == 0
    for what in ("activation", "propagated"):
        assert np.array_equal(found.without[what].bias, found.without[WHOLE].bias)
    assert found.without[WHOLE].rms_error > 0


def test_codes_that_are_only_moved_are_unrounded_where_they_were_made() -> None:
    made = network()
    found = of_layer(layer_errors(made, CODES), "head.linear")
    exact, quantized = made.parameters, made.weights()
    x_hat = rounded(stem(quantized), made)
    arriving = np.maximum(
        conv(x_hat, quantized["body.conv.weight"], quantized["body.conv.bias"]), 0
    )
    x = np.maximum(conv(stem(exact), exact["body.conv.weight"], exact["body.conv.bias"]), 0)
    weight, bias = quantized["head.linear.weight"], quantized["head.linear.bias"]
    output = x.reshape(8, -1) @ exact["head.linear.weight"].T + exact["head.linear.bias"]
    same(found.without["activation"], arriving.reshape(8, -1) @ weight.T + bias - output)
    tensor = made.tensors["body.relu"]
    q = np.clip(np.floor(x / tensor.scale + 0.5), 0, tensor.qmax) * tensor.scale
    same(found.without["propagated"], q.reshape(8, -1) @ weight.T + bias - output)


def residual() -> LearnedNetwork:
    layer = Builder((1, 2, 3))
    with layer.block("stem"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=2, kernel=1))
    with layer.block("body"):
        y = layer("conv", "conv2d", x, channels=2, kernel=1)
        x = layer("relu", "relu", layer("add", "add", y, x))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=2)
    graph = layer.graph()
    rng = np.random.default_rng(5)
    parameters = {
        name: rng.normal(0.3, 0.7, shape).astype(np.float32)
        for name, shape in graph.parameter_shapes.items()
    }
    return observe(graph, parameters, graph.to_float(CODES), networks.CONFIG)


@pytest.mark.parametrize("in_windows", [False, True])
def test_an_add_is_the_sum_of_its_branches_each_with_the_part_off(in_windows: bool) -> None:
    made = residual()
    if in_windows:  # the shortcut is then rounded by its reader
        made.windows["body.conv"] = LearnedWindow(np.zeros((2, 3), np.float32))
    found = of_layer(layer_errors(made, CODES), "body.add")
    exact, quantized = made.parameters, made.weights()

    def add(x: np.ndarray, weights: Any) -> np.ndarray:
        weight, bias = weights["body.conv.weight"][:, :, 0, 0], exact["body.conv.bias"]
        return np.einsum("oc,nchw->nohw", weight, x) + bias.reshape(1, 2, 1, 1) + x

    x, arriving = stem(exact), stem(quantized)
    output = add(x, exact)
    same(found.without[WHOLE], add(rounded(arriving, made), quantized) - output)
    same(found.without["weight"], add(rounded(arriving, made), exact) - output)
    same(found.without["activation"], add(arriving, quantized) - output)
    same(found.without["propagated"], add(rounded(x, made), quantized) - output)


def test_root_mean_squares_are_over_channels() -> None:
    each = of_layer(layer_errors(network(), CODES), "body.conv").without[WHOLE]
    total = sum(b * b for b in each.bias.tolist()) / 3
    assert each.rms_bias == pytest.approx(sqrt(total))
    spread = sum(d * d for d in each.deviation.tolist()) / 3
    assert each.rms_error == pytest.approx(sqrt(total + spread))


def test_batches_do_not_matter() -> None:
    many = np.concatenate([CODES] * 9)  # more than a batch, and the same moments
    for once, often in zip(
        layer_errors(network(), CODES), layer_errors(network(), many), strict=True
    ):
        for what in once.without:
            a, b = once.without[what], often.without[what]
            assert a.bias == pytest.approx(b.bias, abs=1e-6)
            assert a.deviation == pytest.approx(b.deviation, abs=1e-6)


def test_no_images_are_refused() -> None:
    with pytest.raises(InputError, match="images: needs at least one"):
        layer_errors(network(), CODES[:0])


def test_the_table_is_in_percent_of_the_spread_and_the_result_json() -> None:
    found = layer_errors(network(), CODES)
    assert json.loads(json.dumps([each.result() for each in found]))[1]["layer"] == "body.conv"
    lines = of_errors({"rtn": found}).splitlines()
    assert len(lines) == 6 + 3 + 1
    cells = lines[7].split()
    body = of_layer(found, "body.conv")
    assert cells[:2] == ["body.conv", "rtn"]
    bias, error = body.without[WHOLE].rms_bias, body.without["propagated"].rms_error
    products = body.product_bias["weight"]
    assert float(cells[3]) == pytest.approx(100 * products / body.product_size, abs=0.006)
    assert float(cells[6]) == pytest.approx(100 * bias / body.spread, abs=0.006)
    assert float(cells[13]) == pytest.approx(100 * error / body.spread, abs=0.006)


def columns(x: np.ndarray) -> np.ndarray:
    """The rows (channel, position) of body.conv's windows: (4, all windows)."""
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1)))
    return np.stack(
        [padded[:, c, :, k : k + x.shape[3] + 1].ravel() for c in (0, 1) for k in (0, 1)]
    )


def test_the_bias_of_products_is_that_of_every_weight_by_itself() -> None:
    made = network()
    found = of_layer(layer_errors(made, CODES), "body.conv")
    exact, quantized = made.parameters["body.conv.weight"], made.weights()["body.conv.weight"]
    x, arriving = stem(made.parameters), stem(made.weights())
    x_hat, cut = rounded(arriving, made), rounded(x, made)
    cases = {
        WHOLE: (quantized, x_hat),
        "weight": (exact, x_hat),
        "activation": (quantized, arriving),
        "propagated": (quantized, cut),
    }
    size = 0.0
    for what, (weight, read) in cases.items():
        total = 0.0
        size = 0.0
        for o in range(3):
            for row in range(4):
                w, w_hat = float(exact.reshape(3, 4)[o, row]), float(weight.reshape(3, 4)[o, row])
                products = w * columns(x)[row]
                total += float(np.mean(w_hat * columns(read)[row] - products)) ** 2
                size += float(np.mean(products**2))
        assert found.product_bias[what] == pytest.approx(sqrt(total / 12), abs=1e-6)
    assert found.product_size == pytest.approx(sqrt(size / 12), abs=1e-6)


def test_a_network_of_zeros_has_no_errors_and_no_percent_of_its_products() -> None:
    given = networks.inputs()
    zeros = {name: np.zeros_like(values) for name, values in given.parameters.items()}
    images = given.graph.to_float(given.calibration)
    made = observe(given.graph, zeros, images, networks.CONFIG)
    found = layer_errors(made, given.test.batch(np.arange(1)))
    lines = of_errors({"rtn": found}).splitlines()
    assert "nan" not in "".join(lines)
    assert {*lines[-1].split()} == {"all", "rtn", "0.00"}
