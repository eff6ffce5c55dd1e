from __future__ import annotations

import tracemalloc
from itertools import product
from operator import mul
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aquant_ref.certification.certificate import certify
from aquant_ref.comparison.agreement import compare
from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.engine.bounds import magnitude, product_types
from aquant_ref.engine.fast.packed_pairs import ImagePair
from aquant_ref.engine.fast.product import product_by_rows
from aquant_ref.engine.windows import Windows
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.lowering import Lowering, lower
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.pipeline import quantize_with
from tests.engine import networks
from tests.engine.programs import Labelled, conv_program, linear_program

geometries = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "dilation": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
        "size": st.tuples(st.integers(1, 9), st.integers(1, 9)),
    }
)


ONE_PIXEL = {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0))}


@example({**ONE_PIXEL, "size": (1, 1)}, 0)
@example({**ONE_PIXEL, "stride": (2, 2), "size": (5, 4)}, 1)  # the last row is read by no window
@example({**ONE_PIXEL, "kernel": (3, 1), "stride": (2, 1), "dilation": (3, 1), "size": (9, 2)}, 2)
@given(geometries, st.integers(0, 10**6))
def test_products_by_rows_are_those_of_im2col(geometry: dict[str, Any], seed: int) -> None:
    size = geometry["size"]
    where = Windows(
        geometry["kernel"], geometry["stride"], geometry["padding"], geometry["dilation"]
    )
    if min(where.sizes(size)) < 1:
        return
    rng = np.random.default_rng(seed)
    n = 1 + seed % 4
    x = rng.integers(-9, 10, (n, 3, *size)).astype(np.int32)
    weight = rng.integers(-2, 2, (4, 3, *where.kernel)).astype(np.int8)
    columns = where.columns(x).reshape(n, weight[0].size, -1)
    wanted = (weight.reshape(4, -1).astype(np.int64) @ columns).reshape(n, 4, *where.sizes(size))
    reach = 9 * np.abs(weight, dtype=np.int64).sum(axis=(1, 2, 3))
    pair = ImagePair.of((-reach, reach), 9)
    assert pair is not None
    for kind, shared in product(("integer", "float32"), (None, pair)):
        given_ = x if shared is None else shared.pack(x)
        product_ = product_by_rows(weight, given_, where, kind)
        made = product_ if shared is None else shared.unpack(product_, n)
        assert made.dtype == np.int32
        assert np.array_equal(made, wanted)


def test_a_kernel_of_rows_far_apart_needs_no_row_between_them() -> None:
    """Past bug: 263 MB for four images, where the program's limit on tensors had let it pass."""
    where = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [4000, 1], "groups": 1}
    weight = np.ones((1, 1, 2, 16), np.int8)
    arrays = {"weight": weight, "zero_point": np.zeros(1, np.int32)}
    engine = Engine(
        Program((1, 4001, 256), (Instruction("acc", "conv2d", ("image",), where, arrays),))
    )
    images = np.ones((4, 1, 4001, 256), np.uint8)
    tracemalloc.start()
    try:
        assert (engine.run(images)["acc"] == 32).all()
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bits", [2, 8])
def test_the_integer_product_gives_the_same_bytes(bits: int) -> None:
    model = networks.residual_network(3, weight_bits=bits, act_bits=bits)
    images = networks.hard_images(model, 9)
    fast = Engine(lower(model)).run(images)
    slow = Engine(lower(model), product="integer").run(images)
    assert {n: t.tobytes() for n, t in fast.items()} == {n: t.tobytes() for n, t in slow.items()}
    with pytest.raises(ValueError, match="product"):
        Engine(lower(model), product="float16")


def test_a_product_that_float32_cannot_hold_is_computed_in_float64_exactly() -> None:
    weight = np.full((1, 3, 1, 1), 2**15 + 1, np.int32)
    program = conv_program(weight)
    assert product_types(program.instructions, program.bounds) == {"acc": "float64"}
    image = np.array([[[[255]], [[254]], [[253]]]], np.uint8)
    assert Engine(program).run(image)["acc"].item() == (2**15 + 1) * (255 + 254 + 253)


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
