"""One operation at a time, at its edges, against the oracle."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.certification.certificate import margins
from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import Step
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.engine.validate import check
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.lowering import Lowering, lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.model.quantizers import QuantizedTensor
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.border import nearest_crossings
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.simulate import Simulation
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from tests.engine import graphs, networks
from tests.engine.judge import assert_engine_equals_oracle, assert_engine_equals_simulation


def alone(shape: tuple[int, int, int], op: str, zero: Any = (), **attributes: Any) -> Graph:
    """One operation on the image, and logits."""
    layer = Builder(shape, zero)
    with layer.block("all"):
        x = layer("op", op, INPUT, **attributes)
        layer("linear", "linear", layer("flatten", "flatten", x), channels=2)
    return layer.graph()


ALL_STORED = (INPUT, "all.relu", "all.act", "all.mul")
ALONE: dict[str, tuple[tuple[int, int, int], str, dict[str, Any]]] = {
    "one pixel": ((1, 1, 1), "conv2d", {"kernel": 1, "channels": 2}),
    "one pixel in padding": ((2, 1, 1), "conv2d", {"kernel": 3, "channels": 1, "padding": 1}),
    "kernel of the image": ((2, 3, 4), "conv2d", {"kernel": (3, 4), "channels": 3}),
    "dilated to the image": (
        (2, 5, 4),
        "conv2d",
        {"kernel": (3, 2), "dilation": (2, 3), "channels": 2},
    ),
    "stride beyond kernel": ((1, 5, 7), "conv2d", {"kernel": 1, "stride": (3, 4), "channels": 2}),
    "padding of four sides": (
        (2, 3, 2),
        "conv2d",
        {"kernel": 2, "channels": 2, "padding": ((0, 2), (3, 1)), "stride": (2, 1)},
    ),
    "depthwise": (
        (3, 4, 5),
        "conv2d",
        {"kernel": 2, "channels": 3, "groups": 3, "dilation": (1, 2), "padding": ((1, 0), (0, 2))},
    ),
    "two outputs a channel": (
        (2, 3, 3),
        "conv2d",
        {"kernel": (2, 1), "channels": 4, "groups": 2, "padding": (1, (0, 1))},
    ),
    "max of one pixel": ((2, 1, 1), "max_pool", {"kernel": 1}),
    "max of the image": ((2, 3, 4), "max_pool", {"kernel": (3, 4)}),
    "max in padding": (
        (2, 3, 2),
        "max_pool",
        {"kernel": 2, "stride": 1, "padding": ((1, 0), (0, 1))},
    ),
    "max with gaps": ((1, 5, 4), "max_pool", {"kernel": 2, "stride": (3, 1), "dilation": (2, 3)}),
    "mean of one pixel": ((2, 1, 1), "avg_pool", {"kernel": 1}),
    "mean of the image": ((2, 3, 4), "global_avg_pool", {}),
    "mean over padding": ((2, 3, 5), "avg_pool", {"kernel": 3, "stride": 2, "padding": 1}),
    "mean without padding": (
        (2, 3, 5),
        "avg_pool",
        {"kernel": 3, "stride": 2, "padding": ((1, 2), (2, 0)), "count_padding": False},
    ),
    "mean with gaps": (
        (1, 4, 4),
        "avg_pool",
        {"kernel": 2, "stride": 1, "dilation": 2, "padding": 1, "count_padding": False},
    ),
    "requantize": ((2, 2, 3), "requantize", {}),
    **{
        f"leaky by {alpha}": ((2, 2, 3), "leaky_relu", {"alpha": alpha})
        for alpha in (0, 5e-324, 1e-40, 0.01, 0.25, 1 / 3, 1)
    },
}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("zero", [0, 116])
def test_an_operation_at_its_edges_equals_the_oracle(name: str, zero: int) -> None:
    """Spec: AQ-IDEAL-4."""
    shape, op, attributes = ALONE[name]
    graph = alone(shape, op, (zero,) * shape[0], **attributes)
    for seed, signed in product(range(3), (False, True)):
        rng = np.random.default_rng(seed)
        model = graphs.draw_model(rng, graph, ties=seed == 0, signed=signed)
        images = networks.hard_images(model, 4, seed)
        assert_engine_equals_oracle(model, images)
        assert_engine_equals_oracle(model, images[:1])
        assert_engine_equals_simulation(model, images)


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("signed", [False, True])
def test_codes_of_every_width_equal_the_oracle(bits: int, signed: bool) -> None:
    """Spec: AQ-LOWER-6."""
    graph = alone((1, 1, 3), "conv2d", kernel=(1, 2), channels=1)
    model = graphs.draw_model(np.random.default_rng(bits), graph, bits=bits, signed=signed)
    made = assert_engine_equals_oracle(model, networks.hard_images(model, 5))
    width, kind = (8 if bits <= 8 else 16), ("int" if signed else "uint")
    assert made["all.op"].dtype == f"{kind}{width}"


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("shared", [False, True])
def test_weights_of_every_width_equal_the_oracle(bits: int, shared: bool) -> None:
    """With a zero point, and a scale for each output or one for all."""
    graph = alone((2, 2, 3), "conv2d", kernel=(2, 1), channels=3)
    model = graphs.draw_model(np.random.default_rng(bits), graph, bits=4)
    rng, layer = np.random.default_rng(bits), model.layers["all.op"]
    codes, zero_point = (
        rng.integers(0, 2**bits, shape).astype(np.uint16) for shape in (layer.codes.shape, 3)
    )
    codes[0], codes[1], zero_point[:2] = 0, 2**bits - 1, (2**bits - 1, 0)  # the largest products
    unit = layer.unit[:1].repeat(3) if shared else layer.unit
    wide = replace(layer, bits=bits, codes=codes, zero_point=zero_point.astype(np.int32), unit=unit)
    changed = replace(model, layers={**model.layers, "all.op": wide})
    changed.check()
    assert_engine_equals_oracle(changed, networks.hard_images(model, 4))


def stored(scale: float, bits: int, zero_point: int = 0, signed: bool = False) -> QuantizedTensor:
    """A tensor rounded to nearest; the zero point is counted from the smallest code."""
    scale = float(np.float32(scale))
    tensor = QuantizedTensor(scale, bits, nearest_crossings(bits, zero_point), 0, signed)
    return replace(tensor, zero_point=zero_point + tensor.qmin)


def with_tensors(model: QuantizedModel, **tensors: QuantizedTensor) -> QuantizedModel:
    changed = {f"all.{name}": tensor for name, tensor in tensors.items()}
    return replace(model, tensors={**model.tensors, **changed})


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("scale", [1 / 256, 1 / 8, 0.03, 2.0])
def test_every_code_is_requantized_as_the_oracle_does(scale: float, signed: bool) -> None:
    """Spec: AQ-LOWER-9."""
    model = graphs.draw_model(np.random.default_rng(0), alone((1, 16, 16), "requantize", (3,)))
    tensors = {INPUT: stored(2.0**-8, 8), "all.op": stored(scale, 4, 5, signed)}
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    assert_engine_equals_oracle(replace(model, tensors=tensors), images)


@pytest.mark.parametrize("count_padding", [False, True])
@pytest.mark.parametrize("zero", [0, 2])
def test_every_small_image_has_the_mean_of_the_oracle(count_padding: bool, zero: int) -> None:
    """Codes 0..3 in two by two pixels, rounded in steps of one code: half of the means are ties.

    Spec: AQ-LOWER-3.
    """
    places = {"kernel": 2, "stride": 1, "padding": ((1, 0), (0, 1))}
    graph = alone((1, 2, 2), "avg_pool", (zero,), **places, count_padding=count_padding)
    model = graphs.draw_model(np.random.default_rng(0), graph, ties=True)
    tensors = {INPUT: stored(2.0**-8, 8), "all.op": stored(2.0**-8, 3, 3)}
    images = np.array(list(product(range(4), repeat=4)), np.uint8).reshape(-1, 1, 2, 2)
    made = assert_engine_equals_oracle(replace(model, tensors=tensors), images)
    assert len(np.unique(made["all.op"])) >= 4


def test_a_mean_without_padding_brings_all_windows_to_one_divisor() -> None:
    """Spec: AQ-LOWER-8."""
    places = {"kernel": 3, "stride": 1, "padding": 1, "count_padding": False}
    model = graphs.draw_model(np.random.default_rng(0), alone((1, 3, 4), "avg_pool", **places))
    program = lower(model)
    factor = program.instructions[0].arrays["factor"]
    assert factor.tolist() == [[9, 6, 6, 9], [6, 4, 4, 6], [9, 6, 6, 9]]  # 36/4, 36/6, 36/9
    low, high = program.bounds["all.op.acc"]
    assert (low.tolist(), high.tolist()) == ([0], [36 * 255])
    white = np.full((1, 1, 3, 4), 255, np.uint8)
    acc = apply(Step(program.instructions[0]), [white])
    assert (acc == 36 * 255).all()


def test_a_sum_that_could_leave_int32_is_refused_with_its_bound() -> None:
    def program(factor: int) -> Program:
        places = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [1, 1]}
        arrays = {"zero_point": np.zeros(1, np.int32), "factor": np.array([[factor]], np.int32)}
        each = Instruction("mean", "sum", (INPUT,), {"kernel": [2, 2], **places}, arrays)
        return Program((1, 2, 2), (each,))

    largest = (2**31 - 1) // (4 * 255)
    white = np.full((1, 1, 2, 2), 255, np.uint8)
    assert Engine(program(largest)).run(white)["mean"].item() == largest * 4 * 255
    with pytest.raises(AccumulatorOverflow, match=rf"mean: .*{(largest + 1) * 4 * 255}"):
        Engine(program(largest + 1))


def test_a_bound_that_int64_does_not_hold_is_refused_too() -> None:
    """Past bug: the bound of a product was itself computed in int64, where it could wrap."""
    places = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [1, 1]}
    arrays = {"zero_point": np.array([-(2**15)], np.int32), "factor": np.array([[2**30]], np.int32)}
    each = Instruction("mean", "sum", (INPUT,), {"kernel": [1024, 1024], **places}, arrays)
    with pytest.raises(AccumulatorOverflow, match=rf"mean: .*{2**50 * (2**15 + 255)}"):
        Program((1, 1024, 1024), (each,)).validate(part=True)
    count = 2**17
    arrays = {
        "weight": np.full((1, count), -(2**31), np.int64).astype(np.int32),
        "bias": np.zeros(1, np.int32),
        "zero_point": np.full(count, -(2**15), np.int32),
    }
    codes = np.zeros(count, np.int64), np.full(count, 255)
    layer = Instruction("logits", "linear", ("flat",), {}, arrays)
    with pytest.raises(AccumulatorOverflow, match=rf"logits: .*{count * 2**31 * (2**15 + 255)}"):
        OPERATIONS["linear"].bounds(layer, [codes], (count,))


def test_windows_without_a_common_divisor_inside_int32_are_refused() -> None:
    """Along either axis windows of 12 to 23 pixels: their least common multiple has 15 digits."""
    places = {"kernel": 23, "stride": 1, "padding": 11, "count_padding": False}
    model = graphs.draw_model(np.random.default_rng(0), alone((1, 23, 23), "avg_pool", **places))
    with pytest.raises(AccumulatorOverflow, match=r"all.op.acc: .* no common divisor"):
        lower(model)


@pytest.mark.parametrize("signed", [False, True])
def test_all_pairs_of_four_bit_codes_are_added_as_the_oracle_does(signed: bool) -> None:
    """Spec: AQ-LOWER-2."""
    layer = Builder((1, 16, 16))
    with layer.block("all"):
        terms = [layer(name, "requantize", INPUT) for name in ("one", "two")]
        x = layer("flatten", "flatten", layer("add", "add", *terms))
        layer("linear", "linear", x, channels=1)
    model = graphs.draw_model(np.random.default_rng(0), layer.graph())
    one, two = stored(0.37, 4, 3, signed), stored(0.11, 4, 12)
    total = stored(0.29, 5, 9)
    program = lower(with_tensors(model, one=one, two=two, add=total))
    *_, add, threshold, _, _ = program.instructions
    assert (add.op, threshold.op) == ("add", "threshold")
    pairs = np.array(list(product(range(16), repeat=2))).T.reshape(2, 256, 1, 1, 1)
    a, b = pairs[0] + one.qmin, pairs[1] + two.qmin
    types = np.int8 if signed else np.uint8, np.uint8
    acc = apply(Step(add), [x.astype(kind) for x, kind in zip((a, b), types, strict=True)])
    codes = apply(Step(threshold), [acc]).ravel().tolist()
    crossings = [Fraction(c) for c in total.crossings[0].tolist()]
    scales = [Fraction(tensor.scale) for tensor in (one, two)]
    steps = np.stack([a - one.zero_point, b - two.zero_point], axis=-1).reshape(-1, 2).tolist()
    judged = [
        oracle.add_code(list(zip(pair, scales, strict=True)), Fraction(total.scale), crossings)
        for pair in steps
    ]
    assert codes == judged


def product_network(shape: tuple[int, int, int] = (1, 16, 16)) -> QuantizedModel:
    """The product of two tensors, each with a quantizer of its own."""
    layer = Builder(shape)
    with layer.block("all"):
        factors = [layer(name, "requantize", INPUT) for name in ("one", "two")]
        x = layer("flatten", "flatten", layer("mul", "mul", *factors))
        layer("linear", "linear", x, channels=1)
    return graphs.draw_model(np.random.default_rng(0), layer.graph())


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("scale", [0.37 * 0.11 * 2, 0.5, 0.01])
def test_all_pairs_of_four_bit_codes_are_multiplied_as_fractions_are(
    signed: bool, scale: float
) -> None:
    """Both zero points inside of the codes, and ties of the product with odd halves of a step.

    Spec: AQ-LOWER-12.
    """
    one, two = stored(0.5, 4, 3, signed), stored(0.25, 4, 12)
    made = stored(scale, 6, 31)
    program = lower(with_tensors(product_network(), one=one, two=two, mul=made))
    *_, mul, threshold, _, _ = program.instructions
    assert (mul.op, threshold.op) == ("mul", "threshold")
    pairs = np.array(list(product(range(16), repeat=2))).T.reshape(2, 256, 1, 1, 1)
    a, b = pairs[0] + one.qmin, pairs[1] + two.qmin
    types = np.int8 if signed else np.uint8, np.uint8
    acc = apply(Step(mul), [x.astype(kind) for x, kind in zip((a, b), types, strict=True)])
    low, high = program.bounds["all.mul.acc"]
    assert (acc.min(), acc.max()) == (low, high)
    codes = apply(Step(threshold), [acc]).ravel().tolist()
    for p, q, code in zip(a.ravel().tolist(), b.ravel().tolist(), codes, strict=True):
        real = Fraction(1, 2) * (p - one.zero_point) * Fraction(1, 4) * (q - two.zero_point)
        nearest = oracle.half_up(real / Fraction(made.scale)) + made.zero_point
        assert code == oracle.clip(nearest, made.qmin, made.qmax)


@pytest.mark.parametrize(
    ("bits", "zeros"), [((16, 16), (0, 0)), ((16, 16), (2**15, 2**15)), ((16, 15), (0, 0))]
)
def test_a_product_fits_int32_or_is_refused(bits: tuple[int, int], zeros: tuple[int, int]) -> None:
    """Spec: AQ-LOWER-12."""
    tensors = {
        name: stored(1 / 512, width, zero)
        for name, width, zero in zip(("one", "two"), bits, zeros, strict=True)
    }
    model = with_tensors(product_network((1, 2, 3)), **tensors, mul=stored(1.0, 8))
    ends = [max(zero, 2**width - 1 - zero) for width, zero in zip(bits, zeros, strict=True)]
    if ends[0] * ends[1] >= 2**31:
        with pytest.raises(AccumulatorOverflow, match=rf"all.mul.acc: .*{ends[0] * ends[1]}"):
            lower(model)
    else:
        assert_engine_equals_oracle(model, networks.hard_images(model, 5))


def test_a_product_of_what_is_no_codes_is_refused_with_its_name() -> None:
    layer = Builder((2, 3, 4))
    with layer.block("all"):
        x = layer("conv", "conv2d", INPUT, channels=2, kernel=1)
        x = layer("flatten", "flatten", layer("mul", "mul", INPUT, x))
        layer("linear", "linear", x, channels=1)
    model = graphs.draw_model(np.random.default_rng(0), layer.graph())
    tensors = {name: each for name, each in model.tensors.items() if name != "all.conv"}
    with pytest.raises(InputError, match=r"all.conv: is read as codes"):
        lower(replace(model, tensors=tensors))


def test_a_product_with_itself_is_a_square() -> None:
    graph = Builder((1, 3, 4), (7,))
    with graph.block("all"):
        x = graph("flatten", "flatten", graph("mul", "mul", INPUT, INPUT))
        graph("linear", "linear", x, channels=2)
    model = graphs.draw_model(np.random.default_rng(3), graph.graph(), bits=6)
    assert_engine_equals_oracle(model, networks.hard_images(model, 6))
    assert_engine_equals_simulation(model, networks.hard_images(model, 6))


@pytest.mark.parametrize("windows", ["row", "fused", "feedback"])
def test_a_factor_that_is_stored_wide_is_rounded_before_the_product(windows: str) -> None:
    """The convolution rounds the same tensor in its own windows. Spec: AQ-WINDOW-4."""
    rng = np.random.default_rng(1)
    layer = Builder((2, 4, 3))
    with layer.block("all"):
        x = layer("relu", "relu", layer("stem", "conv2d", INPUT, channels=4, kernel=3, padding=1))
        y = layer("act", "relu", layer("conv", "conv2d", x, channels=4, kernel=3, padding=1))
        x = layer("flatten", "flatten", layer("mul", "mul", x, y))
        layer("linear", "linear", x, channels=2)
    graph = layer.graph()
    tensors = {name: LearnedTensor(0.2, 8 if name == INPUT else 2) for name in ALL_STORED}
    drawn = networks.draw_layers(rng, graph, lambda name: 3, shared=("all.linear",))
    network = LearnedNetwork(graph, *drawn, tensors)
    network.windows["all.conv"] = networks._window(rng, (4, 4, 3, 3), windows)
    model = snap(network, {})
    assert model.wide() == {"all.relu"}
    assert "lookup" in {each.op for each in lower(model).instructions}
    assert_engine_equals_oracle(model, networks.hard_images(model, 4))
    assert_engine_equals_simulation(model, networks.hard_images(model, 4))


def joined() -> Graph:
    """A concat of three branches, which a convolution reads."""
    layer = Builder((2, 3, 4), (9, 200))
    with layer.block("all"):
        branches = [layer(name, "requantize", INPUT) for name in ("one", "two")]
        x = layer("concat", "concat", *branches, layer("pool", "max_pool", INPUT, kernel=1))
        x = layer("relu", "relu", layer("conv", "conv2d", x, channels=3, kernel=2))
        layer("linear", "linear", layer("flatten", "flatten", x), channels=2)
    return layer.graph()


def test_a_concat_of_codes_of_one_scale_is_read_without_a_quantizer() -> None:
    """Its zero points differ: that of the image is another one for each channel.

    Spec: AQ-LOWER-9.
    """
    model = graphs.draw_model(np.random.default_rng(1), joined(), bits=8)
    scale = model.tensors[INPUT].scale
    exact = with_tensors(model, one=stored(scale, 8, 31), two=stored(scale, 4, 3, signed=True))
    tensors = {name: t for name, t in exact.tensors.items() if name != "all.concat"}
    exact = replace(exact, tensors=tensors)
    exact.check()
    assert exact.zero_point("all.concat").tolist() == [31, 31, -5, -5, 9, 200]
    images = networks.hard_images(exact, 5)
    assert_engine_equals_oracle(exact, images)
    assert_engine_equals_simulation(exact, images)
    check(exact.graph.shapes[INPUT], lower(exact).instructions)
    other = with_tensors(exact, one=stored(scale * 2, 8, 31))
    with pytest.raises(ValueError, match=r"all.conv: all.concat: .* codes of one scale"):
        other.check()
    with pytest.raises(InputError, match=r"all.conv: all.concat: .* codes of one scale"):
        lower(other)


@pytest.mark.parametrize("alpha", [0, 5e-324, 0.01, 0.125, 0.25, 1 / 3, 0.5, 1])
@pytest.mark.parametrize(("zero_point", "signed"), [(0, False), (5, False), (10, True)])
def test_every_code_of_an_image_is_leaked_as_fractions_are(
    alpha: float, zero_point: int, signed: bool
) -> None:
    """Pixels of -131 to 124, in steps of 2 pixels, so that every odd one is a tie where alpha is 1,
    and below zero others are where it is a power of two.

    Spec: AQ-LOWER-13.
    """
    graph = alone((1, 16, 16), "leaky_relu", (131,), alpha=alpha)
    model = graphs.draw_model(np.random.default_rng(0), graph)
    made = stored(2.0**-7, 4, zero_point, signed)
    changed = replace(model, tensors={INPUT: stored(2.0**-8, 8), "all.op": made})
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    codes = assert_engine_equals_oracle(changed, images)["all.op"].ravel().tolist()
    assert_engine_equals_simulation(changed, images)
    for pixel, code in enumerate(codes):
        real = Fraction(pixel - 131, 2**8)
        leaked = real if real >= 0 else Fraction(alpha) * real
        nearest = oracle.half_up(leaked / Fraction(made.scale)) + made.zero_point
        assert code == oracle.clip(nearest, made.qmin, made.qmax)


def leaky_network(alpha: float) -> QuantizedModel:
    """Negative sums of whole steps, so that ties are common, in a convolution and an add."""
    layer = Builder((1, 3, 4), (101,))
    with layer.block("all"):
        x = layer("conv", "conv2d", INPUT, channels=2, kernel=2)
        x = layer("first", "leaky_relu", x, alpha=alpha)
        y = layer("again", "conv2d", x, channels=2, kernel=1)
        x = layer("second", "leaky_relu", layer("add", "add", x, y), alpha=alpha)
        layer("linear", "linear", layer("flatten", "flatten", x), channels=2)
    return graphs.draw_model(np.random.default_rng(2), layer.graph(), ties=True, bits=4)


@pytest.mark.parametrize("alpha", [0, 0.01, 0.25, 0.5, 1])
def test_a_leaky_relu_after_sums_with_ties_needs_no_instruction(alpha: float) -> None:
    """Spec: AQ-LOWER-13."""
    model = leaky_network(alpha)
    ops = [each.op for each in lower(model).instructions]
    assert ops == ["conv2d", "threshold", "conv2d", "add", "threshold", "flatten", "linear"]
    for first, second in ((0, 0), (1, 7), (15, 8)):
        tensors = {"first": stored(0.5, 4, first), "second": stored(2.0, 4, second, signed=True)}
        images = networks.hard_images(model, 40, first)
        assert_engine_equals_oracle(with_tensors(model, **tensors), images)
        assert_engine_equals_simulation(with_tensors(model, **tensors), images)


@pytest.mark.parametrize(("alpha", "like"), [(0, "relu"), (1, "requantize")])
def test_at_its_ends_a_leaky_relu_has_the_thresholds_of_a_relu_or_of_none(
    alpha: float, like: str
) -> None:
    model = leaky_network(alpha)
    nodes = [
        replace(node, op=like, attributes={}) if node.op == "leaky_relu" else node
        for node in model.graph.nodes
    ]
    other = replace(model, graph=Graph(model.graph.shapes[INPUT], nodes, model.graph.zero))
    for one, two in zip(lower(model).instructions, lower(other).instructions, strict=True):
        assert one.arrays.keys() == two.arrays.keys()
        assert all(np.array_equal(one.arrays[key], two.arrays[key]) for key in one.arrays)


@pytest.mark.parametrize("alpha", [5e-324, 1e-46, 1e-30])
def test_where_float32_loses_a_small_slope_the_certificate_says_fragile(alpha: float) -> None:
    """With a border of 1 below zero, a crossing is 0, which nothing negative reaches: neither do
    130 pixels of 1/256 less 130.5, half a step below it.

    Spec: AQ-LOWER-13, AQ-LOWER-5.
    """
    layer = Builder((1, 16, 16))
    with layer.block("all"):
        x = layer("conv", "conv2d", INPUT, channels=1, kernel=1)
        x = layer("flatten", "flatten", layer("op", "leaky_relu", x, alpha=alpha))
        layer("linear", "linear", x, channels=2)
    model = graphs.draw_model(np.random.default_rng(0), layer.graph())
    made = stored(1.0, 4, 5)
    crossings = made.crossings.copy()
    crossings[0, 4] = 0.0
    conv = replace(
        model.layers["all.conv"],
        codes=np.ones((1, 1, 1, 1), np.uint8),
        zero_point=np.zeros(1, np.int32),
        unit=np.array([2.0**-8]),
        bias=np.array([-130.5 * 2.0**-8]),
    )
    tensors = {**model.tensors, INPUT: stored(2.0**-8, 8)}
    model = replace(model, layers={**model.layers, "all.conv": conv}, tensors=tensors)
    model = with_tensors(model, op=replace(made, crossings=crossings))
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    codes = assert_engine_equals_oracle(model, images)["all.op"].ravel().tolist()
    assert codes == [4] * 131 + [5] * 125
    simulated = Simulation(model, dtype=np.float32).run(images)["all.op"].ravel().tolist()
    assert (simulated[130] == 5) == (alpha < 1e-30)
    fragile = margins(Lowering(model), dtype=np.float32)["all.op"].fragile
    assert fragile[0, 4] == (alpha < 1e-30)


def test_fixed_point_refuses_a_leaky_relu_by_its_name() -> None:
    """Spec: AQ-LOWER-13."""
    for alpha in (0, 0.01, 1):
        model = leaky_network(alpha)
        for make in (
            lambda model=model: lower(model, "fixed_point"),
            lambda model=model: FixedPointSimulation(model, FixedPoint()),
        ):
            with pytest.raises(InputError, match=r"^all\.first: a leaky_relu has no fixed point"):
                make()


@pytest.mark.parametrize("op", ["relu", "leaky_relu"])
def test_an_activation_that_a_concat_reads_unrounded_is_refused_by_its_name(op: str) -> None:
    layer = Builder((1, 3, 4))
    with layer.block("all"):
        x = layer("op", op, layer("conv", "conv2d", INPUT, channels=2, kernel=1))
        x = layer("flatten", "flatten", layer("concat", "concat", x, INPUT))
        layer("linear", "linear", x, channels=2)
    model = graphs.draw_model(np.random.default_rng(0), layer.graph())
    tensors = {name: t for name, t in model.tensors.items() if name != "all.op"}
    with pytest.raises(InputError, match=rf"^all\.op: a {op} without a quantizer has no integer"):
        lower(replace(model, tensors=tensors))


def test_a_requantize_without_a_quantizer_is_refused() -> None:
    model = graphs.draw_model(np.random.default_rng(1), joined())
    tensors = {name: t for name, t in model.tensors.items() if name != "all.two"}
    with pytest.raises(InputError, match=r"all.two: a requantize without a quantizer"):
        lower(replace(model, tensors=tensors))


def test_the_bias_of_a_linear_layer_before_the_last_is_counted_once() -> None:
    """Past bug: it was added to the accumulator and subtracted from the thresholds as well, where
    it was a whole number of units, and refused where it was not.

    Spec: AQ-LOWER-1.
    """
    layer = Builder((1, 2, 2))
    with layer.block("all"):
        x = layer("flatten", "flatten", INPUT)
        x = layer("relu", "relu", layer("hidden", "linear", x, channels=3))
        layer("linear", "linear", x, channels=2)
    for seed, ties in product(range(3), (False, True)):
        model = graphs.draw_model(np.random.default_rng(seed), layer.graph(), ties=ties, bits=5)
        assert_engine_equals_oracle(model, networks.hard_images(model, 5, seed))


def test_a_padded_zero_does_not_win_over_negative_codes() -> None:
    layer = Builder((1, 2, 2))
    with layer.block("all"):
        x = layer("codes", "requantize", INPUT)
        x = layer("op", "max_pool", x, kernel=2, stride=1, padding=1)
        layer("linear", "linear", layer("flatten", "flatten", x), channels=2)
    model = graphs.draw_model(np.random.default_rng(0), layer.graph())
    changed = with_tensors(model, codes=stored(1.0, 8, 0, signed=True))
    program = lower(changed)
    codes, pool = program.instructions[:2]
    least = apply(Step(codes), [np.zeros((1, 1, 2, 2), np.uint8)])
    assert least.tolist() == [[[[-128, -128], [-128, -128]]]]
    assert apply(Step(pool), [least]).max() == -128
    assert_engine_equals_oracle(changed, networks.hard_images(changed, 4))
