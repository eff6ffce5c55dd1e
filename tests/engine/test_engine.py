from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.certification.certificate import certify
from aquant_ref.comparison.agreement import compare
from aquant_ref.data import Images
from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.engine.bounds import magnitude, product_types
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import Step
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.lowering import Lowering, lower
from aquant_ref.lowering.thresholds import CEILINGS, UNREACHED
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.pipeline import quantize_with
from aquant_ref.simulate import Simulation
from aquant_ref.threads import set_threads
from tests.engine import networks
from tests.engine.judge import assert_engine_equals_oracle, assert_engine_equals_simulation

NO_PADDING = [[0, 0], [0, 0]]

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
        "windows": st.sampled_from(["", "row", "fused"]),
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


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), choice=options)
def test_thresholds_are_sorted_and_each_is_the_least_accumulator(
    seed: int, choice: dict[str, Any]
) -> None:
    """Spec: AQ-LOWER-1."""
    model = networks.residual_network(seed, **choice)
    lowering = Lowering(model)
    tables = {
        i.name: i.arrays["thresholds"]
        for i in lowering.program.instructions
        if i.arrays and i.op == "threshold"
    }
    for decisions in lowering.decisions:
        tensor = model.stored(decisions.name)
        table = tables[decisions.name]
        assert (np.diff(table, axis=1) >= 0).all()
        meaning = decisions.accumulator
        rows = np.broadcast_to(tensor.crossings, table.shape)
        for channel in range(len(table)):
            unit, bias = meaning.unit[channel], meaning.bias[channel]
            for k, least in enumerate(table[channel].tolist()):
                crossing = Fraction(rows[channel, k])
                value = crossing * Fraction(tensor.scale)
                op = model.graph.node(decisions.name).op
                if op in CEILINGS and not 0 < value <= (CEILINGS[op] or value):
                    assert abs(least) == UNREACHED  # always, or never, whatever the accumulator
                    assert (least < 0) == (value <= 0)
                    continue
                for acc, reached in ((least, True), (least - 1, False)):
                    t = (unit * acc + bias) / Fraction(tensor.scale)
                    assert (t >= crossing) == reached
                expected = oracle.threshold(crossing, Fraction(tensor.scale), unit, bias)
                assert least == expected


def test_every_accumulator_of_a_channel_gets_the_code_of_the_oracle() -> None:
    """Spec: AQ-LOWER-1."""
    model = networks.residual_network(7)
    lowering = Lowering(model)
    known = lowering.program.bounds
    for each in lowering.program.instructions:
        if each.op != "threshold" or each.inputs[0].startswith("body.add"):
            continue
        low, high = known[each.inputs[0]]
        least, largest = int(low.min()), int(high.max())
        accs = np.arange(least, largest + 1)
        if len(accs) > 3000:
            accs = np.unique(np.linspace(least, largest, 400).astype(np.int64))
        channels = len(each.arrays["thresholds"])
        x = np.broadcast_to(accs[:, None, None, None], (len(accs), channels, 1, 1))
        codes = apply(Step(each), [x.astype(np.int32)])
        tensor = model.tensors[each.name]
        decisions = next(d for d in lowering.decisions if d.name == each.name)
        rows = np.broadcast_to(tensor.crossings, (channels, tensor.crossings.shape[1]))
        for channel in range(channels):
            unit = decisions.accumulator.unit[channel]
            bias = decisions.accumulator.bias[channel]
            crossings = [Fraction(c) for c in rows[channel].tolist()]
            for acc, code in zip(accs.tolist(), codes[:, channel, 0, 0].tolist(), strict=True):
                t = (unit * acc + bias) / Fraction(tensor.scale)
                assert code == oracle.code(t, crossings)


@pytest.mark.parametrize("bits", [2, 8])
def test_the_integer_product_gives_the_same_bytes(bits: int) -> None:
    model = networks.residual_network(3, weight_bits=bits, act_bits=bits)
    images = networks.hard_images(model, 9)
    fast = Engine(lower(model)).run(images)
    slow = Engine(lower(model), product="integer").run(images)
    assert {n: t.tobytes() for n, t in fast.items()} == {n: t.tobytes() for n, t in slow.items()}
    with pytest.raises(ValueError, match="product"):
        Engine(lower(model), product="float16")


def test_threads_and_the_split_into_batches_change_no_byte() -> None:
    model = networks.residual_network(5)
    engine, images = Engine(lower(model)), networks.hard_images(model, 23)
    try:
        set_threads(1)
        alone = {name: t.tobytes() for name, t in engine.run(images).items()}
        set_threads(3)
        assert {name: t.tobytes() for name, t in engine.run(images).items()} == alone
        parts = [engine.run(images[:1]), engine.run(images[1:7]), engine.run(images[7:])]
        joined = {n: np.concatenate([p[n] for p in parts]).tobytes() for n in alone}
        assert joined == alone
    finally:
        set_threads(None)


def conv_program(weight: np.ndarray, thresholds: np.ndarray | None = None) -> Program:
    attributes = {"stride": [1, 1], "padding": NO_PADDING, "dilation": [1, 1], "groups": 1}
    instructions = [
        Instruction(
            "acc",
            "conv2d",
            ("image",),
            attributes,
            {"weight": weight, "zero_point": np.zeros(weight.shape[1], np.int32)},
        ),
    ]
    if thresholds is not None:
        instructions.append(
            Instruction("codes", "threshold", ("acc",), {"least": 0}, {"thresholds": thresholds})
        )
    return Program((weight.shape[1], 1, 1), tuple(instructions))


def test_the_image_that_the_signs_of_the_weights_make_reaches_the_bounds_exactly() -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (3, 5, 1, 1)).astype(np.int8)
    program = conv_program(weight)
    low, high = program.bounds["acc"]
    for o in range(3):
        brightest = (255 * (weight[o] > 0)).astype(np.uint8)
        darkest = (255 * (weight[o] < 0)).astype(np.uint8)
        assert Engine(program).run(brightest[None])["acc"][0, o, 0, 0] == high[o]
        assert Engine(program).run(darkest[None])["acc"][0, o, 0, 0] == low[o]


def test_a_product_that_float32_cannot_hold_is_computed_in_float64_exactly() -> None:
    weight = np.full((1, 3, 1, 1), 2**15 + 1, np.int32)
    program = conv_program(weight)
    assert product_types(program.instructions, program.bounds) == {"acc": "float64"}
    image = np.array([[[[255]], [[254]], [[253]]]], np.uint8)
    assert Engine(program).run(image)["acc"].item() == (2**15 + 1) * (255 + 254 + 253)


def linear_program(weight: np.ndarray, bias: np.ndarray) -> Program:
    arrays = {"weight": weight, "bias": bias, "zero_point": np.zeros(weight.shape[1], np.int32)}
    return Program(
        (weight.shape[1], 1, 1),
        (
            Instruction("flat", "flatten", ("image",), {"positions": 1}),
            Instruction("logits", "linear", ("flat",), {}, arrays),
        ),
    )


def test_a_bias_that_centres_the_accumulator_does_not_make_its_product_exact() -> None:
    """Past bug: float32 was chosen by the bounds of product + bias, and sums above 2^24 lost
    bits."""
    weight = np.full((1, 3072), -39, np.int32)
    program = linear_program(weight, np.array([39 * 255 * 3072 // 2], np.int32))
    assert magnitude(program.bounds["logits"]) < 2**24 < 39 * 255 * 3072
    assert product_types(program.instructions, program.bounds) == {"logits": "float64"}


def test_a_learned_layer_with_a_large_bias_is_exact_as_its_certificate_says() -> None:
    """Past bug: 94 of 4000 logits of such a network were wrong, and certified."""
    rng = np.random.default_rng(0)
    build = Builder((3, 32, 32))
    with build.block("head"):
        x = build("conv", "conv2d", INPUT, channels=2, kernel=3, padding=1, stride=2)
        x = build("flatten", "flatten", build("relu", "relu", x))
        build("linear", "linear", x, channels=2)
    weight = -rng.uniform(0.5, 1, (2, 512))
    parameters = {
        "head.conv.weight": rng.uniform(0.2, 1, (2, 3, 3, 3)),
        "head.conv.bias": np.zeros(2),
        "head.linear.weight": weight,
        "head.linear.bias": -4 * weight.sum(axis=1),
    }
    single = {name: array.astype(np.float32) for name, array in parameters.items()}
    images = rng.integers(200, 256, (300, 3, 32, 32)).astype(np.uint8)
    calibration = images[:32] // 2
    model = quantize_with(build.graph(), single, calibration, Config("rtn", 8, 8))
    lowering = Lowering(model)
    logits = certify(lowering)[-1]
    assert max(-logits.low, logits.high) < 2**24
    assert (logits.product, logits.certified) == ("float64", True)
    assert compare(model, lowering.program, Labelled(images)).exact
    fast, slow = (Engine(lowering.program, product=p).run(images) for p in ("auto", "integer"))
    assert fast["head.linear"].tolist() == slow["head.linear"].tolist()


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), log_size=st.floats(4, 22), centre=st.floats(-1.5, 1.5))
def test_no_bias_makes_the_product_inexact(seed: int, log_size: float, centre: float) -> None:
    """Biases that move the range of the accumulator to and fro; the judge is Python's `int`."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(-int(2**log_size), int(2**log_size) + 1, (3, 16)).astype(np.int32)
    weight[0], weight[1] = -abs(weight[0]), abs(weight[1])
    low = 255 * np.minimum(weight, 0).sum(axis=1)
    high = 255 * np.maximum(weight, 0).sum(axis=1)
    bias = np.rint(-centre * (low + high) / 2).astype(np.int64)
    ends = np.concatenate([low, high, low + bias, high + bias])
    if abs(bias).max() > 2**31 - 1:
        with pytest.raises(InputError, match="logits: its bias is int64, not int32"):
            Engine(linear_program(weight, bias))
        return
    program = linear_program(weight, bias.astype(np.int32))
    if abs(ends).max() > 2**31 - 1:
        with pytest.raises(AccumulatorOverflow, match="logits"):
            Engine(program)
        return
    images = rng.integers(0, 256, (8, 16, 1, 1)).astype(np.uint8)
    images[:3] = (255 * (weight > 0)).astype(np.uint8)[:, :, None, None]
    images[3:6] = (255 * (weight < 0)).astype(np.uint8)[:, :, None, None]
    exact = [
        [
            sum(map(mul, row, image)) + b
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        for image in images.reshape(8, 16).tolist()
    ]
    assert Engine(program).run(images)["logits"].tolist() == exact


def test_a_product_that_leaves_int32_before_its_bias_is_refused() -> None:
    """Past bug: the sum fitted, and the product wrapped on its way from float64 to int32."""
    program = linear_program(np.full((1, 3072), -4000, np.int32), np.array([2 * 10**9], np.int32))
    with pytest.raises(AccumulatorOverflow, match=r"logits.*3133440000"):
        Engine(program)


def test_an_accumulator_that_could_leave_int32_is_refused_with_its_bound() -> None:
    weight = np.full((1, 1, 1, 1), 2**24, np.int32)
    with pytest.raises(AccumulatorOverflow, match=r"acc.*4278190080"):
        Engine(conv_program(weight))
    largest = (2**31 - 1) // 255
    assert magnitude(conv_program(weight * 0 + largest).bounds["acc"]) == largest * 255


def add_program(multiplier: int) -> Program:
    arrays = {key: np.array([multiplier]) for key in ("multiplier_a", "multiplier_b")}
    return Program((1, 1, 1), (Instruction("sum", "add", ("image", "image"), {}, arrays),))


def test_the_sum_of_an_add_may_leave_int32_but_not_2_to_the_53() -> None:
    """AQ-LOWER-2: int32 is the limit of an accumulator (AQ-INT-3), and an add is none.

    Spec: AQ-LOWER-2.
    """
    image = np.full((1, 1, 1, 1), 255, np.uint8)
    for multiplier in (2**30 + 1, 2**53 // 510):
        (total,) = Engine(add_program(multiplier)).run(image)["sum"].ravel().tolist()
        assert total == 2 * 255 * multiplier > 2**31
    for multiplier in (2**53 // 510 + 1, 2**62):
        with pytest.raises(AccumulatorOverflow, match=f"sum: .*{510 * multiplier}.*{2**53}"):
            Engine(add_program(multiplier))


def test_the_certificate_says_what_type_holds_the_integers() -> None:
    certificates = certify(Lowering(networks.residual_network(11)))
    assert {c.name: c.held_in for c in certificates} == {
        "stem.relu": "int32",
        "body.relu1": "int32",
        "body.relu2": "int64",
        "head.mean": "int32",
        "head.linear": "int32",
    }


def test_terms_whose_units_are_too_far_apart_are_refused() -> None:
    """Past bug: OverflowError from numpy, without the name of the add."""
    model = networks.residual_network(11)
    layer = model.layers["body.shortcut"]
    far = {**model.layers, "body.shortcut": replace(layer, unit=np.ldexp(layer.unit, -70))}
    with pytest.raises(AccumulatorOverflow, match="body.add.acc: its terms have units"):
        lower(QuantizedModel(model.graph, far, model.tensors))


@pytest.mark.parametrize("count", [3, 40, 300])
def test_thresholds_count_what_they_reach_at_their_ends(count: int) -> None:
    thresholds = np.sort(np.random.default_rng(count).integers(-900, 900, (1, count)))
    acc = np.concatenate([thresholds[0], thresholds[0] - 1, [-(2**31), 2**31 - 1]])
    program = conv_program(np.ones((1, 1, 1, 1), np.int8), thresholds)
    codes = apply(Step(program.instructions[1]), [acc.reshape(-1, 1, 1, 1)])
    expected = [sum(a >= t for t in thresholds[0].tolist()) for a in acc.tolist()]
    assert codes.ravel().tolist() == expected


def test_images_that_do_not_fit_are_refused() -> None:
    engine = Engine(lower(networks.residual_network(0)))
    for images in (
        np.zeros((1, 2, 4, 4), np.uint8),
        np.zeros((1, 2, 4, 3), np.int64),
        np.zeros((0, 2, 4, 3), np.uint8),
    ):
        with pytest.raises(InputError, match="images"):
            engine.run(images)


def test_a_certified_layer_agrees_and_every_threshold_is_counted() -> None:
    """Spec: AQ-LOWER-5."""
    model = networks.residual_network(11)
    certificates = {c.name: c for c in certify(Lowering(model))}
    assert set(certificates) == {
        "stem.relu",
        "body.relu1",
        "body.relu2",
        "head.mean",
        "head.linear",
    }
    assert certificates["stem.relu"].thresholds == 4 * 3
    assert certificates["head.mean"].thresholds == 4 * 255
    assert all(c.error > 0 for c in certificates.values())
    single = {c.name: c for c in certify(Lowering(model), dtype=np.float32)}
    assert all(single[name].error > 1e6 * c.error for name, c in certificates.items())


def tied_network() -> QuantizedModel:
    """A network whose thresholds lie exactly on accumulators: bias 0 and a border of 1/2."""
    model = networks.residual_network(1, border=False)
    layer, tensor = model.layers["stem.conv"], model.tensors["stem.relu"]
    tied = type(layer)(
        layer.codes,
        layer.zero_point,
        layer.bits,
        np.full(4, tensor.scale / 2),
        np.zeros(4),
    )
    layers = {**model.layers, "stem.conv": tied}
    return QuantizedModel(model.graph, layers, model.tensors)


def test_a_threshold_on_an_accumulator_is_fragile() -> None:
    certificate = certify(Lowering(tied_network()))[0]
    assert certificate.margin == 0
    assert not certificate.certified
    assert certificate.fragile == certificate.thresholds


def test_the_engine_is_right_where_the_simulation_is_fragile() -> None:
    model = tied_network()
    assert_engine_equals_oracle(model, networks.hard_images(model, 4))


def test_the_error_bound_holds_in_float32() -> None:
    model = networks.residual_network(2, weight_bits=8, act_bits=4)
    images = networks.hard_images(model, 40)
    bound = {c.name: c.error for c in certify(Lowering(model), dtype=np.float32)}
    exact, single = Simulation(model), Simulation(model, dtype=np.float32)
    unit = model.layers["stem.conv"].unit[:, None, None]

    def accumulators(simulation: Simulation) -> np.ndarray:
        image = images * simulation.dtype.type(model.tensors["image"].scale)
        nodes = model.graph.nodes[:1]
        made = model.graph.evaluate(simulation.parameters, {"image": image}, nodes=nodes)
        return np.asarray(made["stem.conv"].astype(np.float64) / unit)

    assert abs(accumulators(exact) - accumulators(single)).max() <= bound["stem.relu"]


class Labelled:
    """Images with labels, as a comparison reads them."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.labels = codes, np.zeros(len(codes), np.int64)

    def __len__(self) -> int:
        return len(self.codes)

    def batch(self, indices: Any) -> np.ndarray:
        return self.codes[indices]


def test_a_comparison_counts_every_element_and_finds_a_wrong_threshold() -> None:
    model = networks.residual_network(4)
    images = Labelled(networks.hard_images(model, 200))
    program = lower(model)
    found = compare(model, program, images)
    assert found.exact
    assert found.elements["stem.relu"] == 200 * 4 * 4 * 2
    assert found.elements["head.linear"] == 200 * 3
    changed = next(i for i in program.instructions if i.name == "stem.relu")
    changed.arrays["thresholds"][0, 0] += 1000
    assert compare(model, program, images).mismatches["stem.relu"] > 0
    with pytest.raises(InputError, match="images: needs at least one, got none"):
        compare(model, program, Labelled(images.codes[:0]))


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


def test_what_has_no_integer_form_is_refused_by_name() -> None:
    model = networks.residual_network(9)
    tensors = {name: t for name, t in model.tensors.items() if name != "body.relu1"}
    with pytest.raises(InputError, match=r"body.relu1"):
        lower(QuantizedModel(model.graph, model.layers, tensors))


def test_a_program_of_fewer_classes_than_its_model_is_refused_by_name() -> None:
    """Past bug: a traceback from the comparison of arrays that do not fit."""
    model = networks.residual_network(4)
    program = lower(model)
    last = program.instructions[-1]
    arrays = {k: a if k == "zero_point" else a[:2] for k, a in last.arrays.items()}
    cut = replace(program, instructions=(*program.instructions[:-1], replace(last, arrays=arrays)))
    images = Images(networks.hard_images(model, 3), np.zeros(3, np.int64), ("a", "b", "c"), "few")
    with pytest.raises(InputError, match=r"head\.linear"):
        compare(model, cut, images)
