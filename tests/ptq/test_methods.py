"""Every method and every form of the border, on one small network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.model.quantizers import FeedbackBorder
from aquant_ref.ptq import METHODS, BorderSpec, Config, observe, quantize_with
from aquant_ref.ptq.border_spec import CHOICES
from aquant_ref.ptq.network import Quantizers
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.pipeline import feed_back, learn
from aquant_ref.ptq.reconstruction import run_pass
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.window import WideCodes, WindowBorder, nearest_window
from aquant_ref.simulate import Simulation
from tests.ptq import small

CONFIG, INNER = small.CONFIG, small.INNER


BIASES = ("qdrop-bias", "aquant-bias", "aquant-feedback-bias")


FORMS = [
    "/".join(words)
    for words in product(*(CHOICES[k] for k in ("family", "squash", "granularity", "fusion")))
    if "mixed" not in words  # has a test of its own
]


def made(method: str, **options: Any) -> QuantizedModel:
    config = replace(CONFIG, method=method, **options)
    return quantize_with(small.graph(), small.parameters(), small.images(), config)


cached = lru_cache(made)


def runs(model: QuantizedModel) -> dict[str, np.ndarray]:
    """The simulation of `model`, all of it finite; equal to the engine where there is one."""
    images = small.images(6)
    codes = Simulation(model).run(images)
    assert all(np.isfinite(tensor).all() for tensor in codes.values())
    rounds_in_float = model.source.get("config", {}).get("method") == "a-rounding"
    if not model.windows and not model.floats and not rounds_in_float:
        integers = Engine(lower(model)).run(images)
        assert all(integers[name].tolist() == codes[name].tolist() for name in integers)
    return codes


def test_the_small_network_has_a_zero_point_where_there_is_no_relu() -> None:
    """Spec: AQ-AFFINE-4."""
    model = cached("rtn", weight_bits=2)
    assert 0 < model.tensors["inverted.project"].zero_point < 3
    assert {t.zero_point for n, t in model.tensors.items() if "relu" in n} == {0}


@pytest.mark.parametrize("weight_bits", [2, 32])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_network_that_runs(method: str, weight_bits: int) -> None:
    model = cached(method, weight_bits=weight_bits)
    assert len(np.unique(runs(model)["head.linear"])) > 6  # not the same for every image
    for entry in model.source["block_errors"]:
        assert np.isfinite([entry["before"], entry["after"]]).all()


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_the_border_is_learned_and_runs(text: str) -> None:
    form = BorderSpec.parse(text)
    model = made("aquant", border=text)
    runs(model)
    if not form.windowed:
        assert not model.windows
        rows = 1 if form.granularity == "tensor" else 4
        crossings = model.tensors["stem.relu"].crossings
        assert len(crossings) == rows
        assert (crossings != np.arange(3) + 0.5).any()
        return
    assert model.windows.keys() == {*INNER, "tail.conv"}
    for each in model.windows.values():
        assert isinstance(each, WindowBorder)
        assert (each.lift is not None) == form.fused
    border = model.windows["body.conv1"]
    assert isinstance(border, WindowBorder)
    table = border.codes if border.lift is None else border.lift
    assert len(table) == 4 * 9
    distinct = len(np.unique(table.reshape(4, 9, -1), axis=1)[0])
    assert distinct == 1 if form.granularity != "row" else distinct > 1


@pytest.mark.parametrize("method", ["aquant", "aquant-joint", "rtn"])
def test_mixed_borders_are_of_rows_where_a_kernel_has_positions_and_else_of_channels(
    method: str,
) -> None:
    """Tensors that only 1x1 convolutions and adds read have one border, for all their readers."""
    if method == "rtn":
        network = observed(weight_bits=2)
        last = Config("aquant-e2e", 2, 2, 2, batch=8, border="mixed").stages()[-1]
        assert isinstance(last, ReconstructionPass)
        run_pass(network, small.graph().to_float(small.images()), last, seed=(0,))
        model = snap(network, {})
    else:
        model = made(method, border="mixed")
    kernels = {"body.conv1", "body.conv2", "inverted.depth", "tail.conv"}
    assert model.windows.keys() == kernels
    pointwise = {"body.relu2", "inverted.relu6b"}  # read by inverted.expand, inverted.project
    for name, tensor in model.tensors.items():
        channels = model.graph.shapes[name][0]
        assert len(tensor.crossings) == (channels if name in pointwise else 1), name
    images = small.images(6)
    codes = Simulation(model).run(images)
    integers = Engine(lower(model)).run(images)
    assert all(np.array_equal(integers[name], codes[name]) for name in integers)


@pytest.mark.parametrize("border", ["mixed/window", "mixed/feedback", "mixed/closed"])
def test_mixed_borders_take_no_other_form(border: str) -> None:
    with pytest.raises(InputError, match="mixed has no window, feedback or closed"):
        Config("aquant", border=border)
    with pytest.raises(InputError, match="no closed form for mixed"):
        Config("aquant-closed-form", border="mixed")


@pytest.mark.parametrize("text", ["feedback", "feedback1", "feedback2/row/linear"])
def test_a_learned_border_with_feedback_runs(text: str) -> None:
    model = made("aquant", border=text)
    runs(model)
    ranks = {name: each.rank for name, each in model.windows.items()}
    wanted = BorderSpec.parse(text).feedback
    assert ranks["body.conv1"] == min(wanted, 4)
    assert ranks["inverted.depth"] == 1  # a group of its own has one output


def bent(tensor: Any) -> bool:
    return tensor.coefficients is not None


def observed(**options: Any) -> Any:
    config = replace(CONFIG, method="rtn", **options)
    graph = small.graph()
    return observe(graph, small.parameters(), graph.to_float(small.images()), config)


@pytest.mark.parametrize("family", ["constant", "linear", "quadratic"])
@pytest.mark.parametrize("rest", ["channel", "row/window"])
def test_a_coefficient_that_the_family_has_not_stays_zero(family: str, rest: str) -> None:
    network = observed()
    config = replace(CONFIG, method="aquant", border=f"{family}/{rest}")
    learn(network, small.graph().to_float(small.images()), config)
    learned = [t.coefficients for t in network.tensors.values() if bent(t)]
    for each in network.windows.values():
        learned += [each.coefficients, each.fusion]
    columns = BorderSpec(family).columns
    assert len(learned) >= 6
    for coefficients in learned:
        assert coefficients[:, :columns].any(axis=0).all()
        assert not coefficients[:, columns:].any()


@pytest.mark.parametrize("border", ["row", "window/clip"])
def test_padding_of_a_window_over_a_zero_point_equals_the_oracle(border: str) -> None:
    """tail.conv is padded, and reads inverted.project, whose zero is no code 0."""
    model = made("aquant", border=border)
    assert model.tensors["inverted.project"].zero_point > 0
    images = small.images(1)
    simulated = Simulation(model).run(images)
    judged = oracle.network(model.plain(), images[0].tolist())
    for name in ("inverted.project", "tail.relu"):
        assert simulated[name][0].tolist() == judged[name], name


@pytest.fixture
def second_pass(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the last stage of a method other settings."""

    def patch(method: str, **settings: Any) -> None:
        ours = METHODS[method]
        monkeypatch.setitem(
            METHODS, method, lambda c: (*ours(c)[:-1], replace(ours(c)[-1], **settings))
        )

    return patch


NONE = {"scale_rate": 0.0, "bias_rate": 0.0, "border_rate": 0.0}


@pytest.mark.parametrize("settings", [{"iterations": 0}, NONE], ids=["no iterations", "no rates"])
@pytest.mark.parametrize("method", ["qdrop-scales", "qdrop-bias", "aquant", "aquant-bias"])
def test_a_second_pass_that_learns_nothing_is_qdrop_to_the_last_bit(
    method: str, settings: dict[str, Any], second_pass: Callable[..., None]
) -> None:
    second_pass(method, **settings)
    assert small.same(made(method), cached("qdrop"))


@pytest.mark.parametrize("method", ["aquant", "aquant-bias"])
@pytest.mark.parametrize("border", ["tensor", "row", "row/window", "feedback"])
def test_no_iterations_are_qdrop_for_every_border(
    method: str, border: str, second_pass: Callable[..., None]
) -> None:
    second_pass(method, iterations=0)
    assert small.same(made(method, border=border), cached("qdrop"))


@pytest.mark.parametrize("border", ["row", "row/window"])
def test_a_border_in_windows_starts_at_nearest(
    border: str, second_pass: Callable[..., None]
) -> None:
    second_pass("aquant", **NONE)
    model = made("aquant", border=border)
    for name, tables in model.windows.items():
        source = model.tensors[model.code_source(model.graph.node(name).inputs[0])]
        nearest = nearest_window(source.bits, source.zero_point).codes[0]
        u = np.arange(len(nearest))
        size = len(tables.codes if tables.lift is None else tables.lift)
        wide = np.broadcast_to(u, (1, 1, size, len(u)))
        assert (tables.round(wide) == nearest).all()


@pytest.mark.parametrize("method", [m for m in METHODS if m not in BIASES])
def test_biases_change_only_with_a_method_that_learns_them(method: str) -> None:
    model, given = cached(method, weight_bits=2), small.parameters()
    for name, layer in model.layers.items():
        if name != "head.linear":  # whose bias is snapped
            assert layer.bias.astype(np.float32).tobytes() == given[f"{name}.bias"].tobytes()


@pytest.mark.parametrize("method", BIASES)
def test_a_bias_method_learns_those_of_inner_layers(method: str) -> None:
    model, given = cached(method, weight_bits=2), small.parameters()
    changed = {
        name
        for name, layer in model.layers.items()
        if (layer.bias.astype(np.float32) != given[f"{name}.bias"]).any()
    }
    assert changed - {"head.linear"} == {*INNER, "tail.conv"}


@pytest.mark.parametrize("method", METHODS)
def test_weights_of_32_bits_are_those_of_the_float_network(method: str) -> None:
    """Spec: AQ-IDEAL-3."""
    model, given = cached(method, weight_bits=32), small.parameters()
    assert not model.layers
    for name, value in given.items():
        learned = name.endswith("bias") and method in BIASES and name[:-5] in (*INNER, "tail.conv")
        assert (model.floats[name].tobytes() == value.tobytes()) != learned, name


def test_weights_in_floating_point_have_no_integer_form() -> None:
    """Spec: AQ-IDEAL-3."""
    with pytest.raises(InputError, match="floating point"):
        lower(cached("rtn", weight_bits=32))


@pytest.mark.parametrize("method", ["adaround", "brecq", "brecq-scales"])
def test_weights_do_not_depend_on_activations_that_are_not_quantized(method: str) -> None:
    """The weights that the first pass learns are the same at 2 and at 5 bits of the activations;
    those of qdrop are not."""

    def codes(method: str, bits: int) -> bytes:
        model = made(method, act_bits=bits, iterations=15)
        return b"".join(model.layers[name].codes.tobytes() for name in INNER)

    nearest = b"".join(cached("rtn", weight_bits=2).layers[name].codes.tobytes() for name in INNER)
    assert codes(method, 2) == codes(method, 5) != nearest
    assert codes("qdrop", 2) != codes("qdrop", 5)


def test_adaround_learns_layer_by_layer_and_the_others_block_by_block() -> None:
    def blocks(method: str) -> list[tuple[str, str]]:
        errors = cached(method, weight_bits=2).source["block_errors"]
        return [(each["pass"], each["block"]) for each in errors]

    assert blocks("adaround") == [("adaround", name) for name in (*INNER, "tail.conv")]
    names = ("body", "inverted", "tail")
    assert blocks("brecq-scales") == [(p, name) for p in ("brecq", "scales") for name in names]
    every = ("stem", *names, "head")  # the blocks that make a tensor with a quantizer
    assert blocks("brecq") == [("brecq", n) for n in names] + [("scales", n) for n in every]
    assert blocks("aquant-bias") == [(p, name) for p in ("qdrop", "border") for name in names]
    assert blocks("rtn") == []


@pytest.mark.parametrize("border", ["tensor", "row", "window", "row/feedback"])
def test_borders_are_learned_jointly_with_the_weights(border: str) -> None:
    """Past bug: those that round in windows were refused, since a pass that drops had none."""
    network = observed(weight_bits=2)
    images = small.graph().to_float(small.images())
    config = replace(CONFIG, method="aquant-joint", border=border)
    (entry, *_) = learn(network, images, config)
    assert entry["pass"] == "joint"
    (stage,) = config.stages()
    assert isinstance(stage, ReconstructionPass)
    assert stage.weights
    assert stage.dropping
    if border == "tensor":
        bent = [tensor.coefficients for tensor in network.tensors.values()]
        assert {b.shape for b in bent if b is not None} == {(1, 3)}
    else:
        assert network.windows.keys() == set(INNER) | {"tail.conv"}
        bent = [window.coefficients for window in network.windows.values()]
    assert all(b.any() for b in bent if b is not None)
    runs(snap(network, {}))


@pytest.mark.parametrize("mixing", ["qdrop", "brecq"])
def test_a_block_that_owns_its_output_learns_no_border_in_windows(mixing: str) -> None:
    for border in ("row", "window", "feedback"):
        with pytest.raises(InputError, match=f"pass 'a pass'.*mixing '{mixing}'.*layer that reads"):
            ReconstructionPass("a pass", 1, mixing=mixing, border=BorderSpec.parse(border))
    with pytest.raises(InputError, match="pass 'joint'"):
        Config("aquant-joint", border="row", mixing="qdrop")


@pytest.mark.parametrize("border", ["row", "window", "feedback"])
def test_a_border_in_windows_needs_fewer_than_8_bits(border: str) -> None:
    with pytest.raises(InputError, match="at most 7 bits"):
        Config("aquant", 2, 8, border=border)


@pytest.mark.parametrize("method", ["rtn", "qdrop", "qdrop-bias", "a-rounding"])
def test_a_border_for_a_method_that_has_none_is_refused(method: str) -> None:
    with pytest.raises(InputError, match=f"'{method}' does not take a border"):
        Config(method, border="row")


def steps_that_wide_codes_hold(network: Any) -> np.ndarray:
    """Images of the float stem, as the tensor stem.relu, moved to what its wide codes hold."""
    tensor = network.tensors["stem.relu"]
    rng = np.random.default_rng(4)
    t = (tensor.wide or WideCodes.of(tensor.bits, tensor.zero_point)).steps()
    return np.asarray(rng.choice(t, (5, 4, 5, 6)) * tensor.scale)


@pytest.mark.parametrize("kind", ["row", "row/window", "feedback", "feedback1", "window/clip"])
def test_the_learned_network_and_its_simulation_round_alike(kind: str) -> None:
    """From one tensor, on steps that wide codes hold: but for ties, and sums in another order.

    Spec: AQ-SNAP-4.
    """
    network = observed(weight_bits=32)
    network.tensors["stem.relu"] = replace(network.tensors["stem.relu"], scale=0.25)
    network.parameters = {n: v.astype(np.float64) for n, v in network.parameters.items()}
    images = small.graph().to_float(small.images())
    learn(network, images, replace(CONFIG, method="aquant", border=kind, iterations=40))
    network.tensors["stem.relu"] = replace(network.tensors["stem.relu"], scale=0.25)
    x = steps_that_wide_codes_hold(network)
    node = network.graph.node("body.conv1")
    own = {part: network.parameters[f"body.conv1.{part}"] for part in ("weight", "bias")}
    learned = Quantizers(network).operate(node, own, x)
    simulated = Simulation(snap(network, {}))._operate(node, own, x)
    differ = abs(learned - simulated) > 1e-9
    assert differ.mean() < (0.02 if "window" in kind else 0.005)  # a tie of 16 fraction bits


@pytest.mark.parametrize(
    ("errors", "wide", "end"), [("rounding", None, 0.75), ("clipping", WideCodes(5, 0), 255 / 128)]
)
def test_clipped_activations_are_fed_back_alike_in_learning_and_simulation(
    errors: str, wide: WideCodes | None, end: float
) -> None:
    network = observed(weight_bits=32)
    network.tensors["stem.relu"] = replace(network.tensors["stem.relu"], scale=0.25, wide=wide)
    network.parameters = {n: v.astype(np.float64) for n, v in network.parameters.items()}
    feed_back(network, 1 << 30, errors)
    x = steps_that_wide_codes_hold(network) * 1.5  # half as large again: many are clipped
    x = np.round(x * 128) / 128
    node = network.graph.node("body.conv1")
    own = {part: network.parameters[f"body.conv1.{part}"] for part in ("weight", "bias")}
    model = snap(network, {})
    assert isinstance(model.windows["body.conv1"], FeedbackBorder)
    stored = np.minimum(x, end)  # the wide codes of the model saturate
    learned = Quantizers(network).operate(node, own, x)
    simulated = Simulation(model)._operate(node, own, stored)
    assert learned == pytest.approx(simulated, abs=1e-9)


@pytest.mark.parametrize("method", ["aquant", "aquant-feedback-bias"])
def test_two_runs_with_one_seed_give_the_same_bytes(method: str) -> None:
    border = "row/window" if method == "aquant" else ""
    one, two = (made(method, border=border) for _ in range(2))
    for name in one.windows:
        for part in vars(one.windows[name]):
            assert np.array_equal(*(getattr(m.windows[name], part) for m in (one, two)))
    logits = [runs(model)["head.linear"].tobytes() for model in (one, two)]
    assert logits[0] == logits[1]


@pytest.mark.parametrize("border", ["row/feedback8", "linear", "window"])
def test_feedback_that_learns_no_border_takes_no_form_of_one(border: str) -> None:
    with pytest.raises(InputError, match="border"):
        Config("aquant-feedback", border=border)
