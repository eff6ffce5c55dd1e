"""The codes of the worst case: they take every accumulator to its stated bounds, exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.certification.extremes import Reach
from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.lowering import lower
from aquant_ref.nn.graph import INPUT, Builder
from tests.engine import graphs, networks
from tests.engine.test_engine import options


def conv_network(
    seed: int,
    *,
    groups: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[tuple[int, int], tuple[int, int]],
    dilation: tuple[int, int] = (1, 1),
    least: int = 0,
    size: tuple[int, int],
    count: int,
) -> Program:
    """Image, codes from `least` on, convolution, codes, linear with a bias: weights and zero points
    at random.
    """
    rng = np.random.default_rng(seed)
    channels, height, width = (
        4,
        *(
            (n + sum(p) - (k - 1) * d - 1) // s + 1
            for n, p, k, d, s in zip(size, padding, kernel, dilation, stride, strict=True)
        ),
    )
    features = channels * height * width

    def thresholds(name: str, read: str, count: int) -> Instruction:
        table = np.sort(rng.integers(-900, 900, (4, count)))
        return Instruction(name, "threshold", (read,), {"least": least}, {"thresholds": table})

    weight = rng.integers(-128, 128, (4, 4 // groups, *kernel)).astype(np.int8)
    zero_point = rng.integers(least, least + count + 1, 4).astype(np.int32)
    geometry = {
        "stride": list(stride),
        "padding": [list(sides) for sides in padding],
        "dilation": list(dilation),
        "groups": groups,
    }
    logits = {
        "weight": rng.integers(-128, 128, (3, features)).astype(np.int8),
        "bias": rng.integers(-(10**6), 10**6, 3).astype(np.int32),
        "zero_point": np.repeat(rng.integers(least, least + 4, channels), height * width).astype(
            np.int32
        ),
    }
    return Program(
        (4, *size),
        (
            thresholds("codes", "image", count),
            Instruction(
                "acc", "conv2d", ("codes",), geometry, {"weight": weight, "zero_point": zero_point}
            ),
            thresholds("more", "acc", 3),
            Instruction("flat", "flatten", ("more",), {"positions": height * width}),
            Instruction("logits", "linear", ("flat",), {}, logits),
        ),
    )


convolutions = st.fixed_dictionaries(
    {
        "groups": st.sampled_from([1, 2, 4]),
        "kernel": st.sampled_from([(1, 1), (3, 2), (3, 3)]),
        "stride": st.sampled_from([(1, 1), (2, 1)]),
        "padding": st.sampled_from([((0, 0), (0, 0)), ((1, 0), (0, 2)), ((1, 1), (1, 1))]),
        "dilation": st.sampled_from([(1, 1), (2, 1)]),
        "least": st.sampled_from([0, -2, -256]),
        "size": st.sampled_from([(6, 3), (6, 7), (7, 4)]),  # some window meets no padding
        "count": st.sampled_from([1, 3, 300]),
    }
)


# a fused border makes no sum of a term for each code
separable = options.map(
    lambda choice: {
        **choice,
        "windows": choice["windows"].replace("fused", "row").replace("feedback", "row"),
    }
)
MADE = ("conv2d", "border_conv2d", "add", "sum", "linear")


def reached(program: Program, name: str) -> list[tuple[int, int, int, int]]:
    """For each channel what the engine makes of the worst codes, and the bounds."""
    reach, engine = Reach(program), Engine(program)
    low, high = program.bounds[name]
    found = []
    for channel in range(len(low)):
        index, terms = reach.worst_case(name, channel)
        made = engine.compute(name, reach.tensors(name, terms.ends()))
        least, largest = made[(slice(None), *index)].tolist()
        found.append((least, int(low[channel]), largest, int(high[channel])))
    return found


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), choice=convolutions)
def test_the_worst_codes_of_a_layer_reach_its_bounds_exactly(
    seed: int, choice: dict[str, Any]
) -> None:
    """Zero points, groups, padding, codes of 1 to 9 bits; and a linear layer with its bias.

    Spec: AQ-LOWER-11.
    """
    program = conv_network(seed, **choice)
    for name in ("acc", "logits"):
        for least, low, largest, high in reached(program, name):
            assert (least, largest) == (low, high)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), choice=separable)
def test_the_worst_codes_reach_the_bounds_throughout_a_network(
    seed: int, choice: dict[str, Any]
) -> None:
    """Adds reach theirs through both branches, means through all positions."""
    choice = {**choice, "size": (5, 5)}  # some window of each layer meets no padding
    program = lower(networks.residual_network(seed, **choice))
    for each in program.instructions:
        if each.op in MADE:
            for least, low, largest, high in reached(program, each.name):
                assert (least, largest) == (low, high), each.name


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), choice=separable)
def test_the_terms_of_an_element_give_what_the_engine_gives(
    seed: int, choice: dict[str, Any]
) -> None:
    """At random codes and places; in rows the codes go through the tables of the border."""
    check_terms(lower(networks.residual_network(seed, **choice)), seed)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_terms_of_random_graphs_give_what_the_engine_gives(seed: int) -> None:
    """Of all operations, codes signed and unsigned."""
    check_terms(lower(graphs.random_model(seed)), seed)


def check_terms(program: Program, seed: int) -> None:
    reach, engine, rng = Reach(program), Engine(program), np.random.default_rng(seed)
    for each in program.instructions:
        if not graphs.is_sum(program, each.name):
            continue
        index = tuple(int(rng.integers(size)) for size in program.shapes[each.name])
        terms = reach.terms(each.name, index)
        if each.op in ("threshold", "max_pool"):
            ((tensor, place, _),) = terms.tables
            assert (tensor, place) == (each.name, index)
        codes = {
            code: code.least + int(rng.integers(len(table))) for code, table in terms.tables.items()
        }
        made = engine.compute(each.name, reach.tensors(each.name, [codes]))
        assert made[(0, *index)] == terms.total(codes)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_the_worst_codes_of_random_graphs_stay_in_the_bounds(seed: int) -> None:
    """They need not reach them: a window may always meet padding, a concat have a tensor twice."""
    program = lower(graphs.random_model(seed))
    for each in program.instructions:
        if graphs.is_sum(program, each.name):
            for least, low, largest, high in reached(program, each.name):
                assert low <= least <= largest <= high, each.name


def windowed_mean(layer: Builder, *, counted: bool) -> str:
    x = layer("codes", "requantize", INPUT)
    window = {"kernel": (2, 3), "padding": ((1, 0), (1, 1))}
    return layer("mean", "avg_pool", x, **window, count_padding=counted)


def dilated(layer: Builder) -> str:
    geometry = {"kernel": 3, "dilation": (1, 2), "padding": ((1, 0), (0, 2))}
    return layer("conv", "conv2d", INPUT, channels=2, **geometry)


def concat_of_codes_and_sums(layer: Builder) -> str:
    sums = layer("sums", "conv2d", INPUT, channels=2, kernel=1)
    both = layer("both", "requantize", layer("concat", "concat", sums, INPUT))
    return layer("add", "add", both, layer("other", "conv2d", INPUT, channels=4, kernel=1))


BLOCKS: dict[str, Callable[[Builder], str]] = {
    "a mean with padding counted": partial(windowed_mean, counted=True),
    "a mean without": partial(windowed_mean, counted=False),
    "a dilated convolution with padding on one side": dilated,
    "a concat of codes and sums, and an add": concat_of_codes_and_sums,
}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_the_worst_codes_reach_the_bounds_of_each_operation(name: str, signed: bool) -> None:
    """Some window of each meets no padding."""
    layer = Builder((2, 5, 7), (3, 0))
    with layer.block("all"):
        x = BLOCKS[name](layer)
        layer("logits", "linear", layer("flatten", "flatten", x), channels=2)
    model = graphs.draw_model(np.random.default_rng(3), layer.graph(), bits=5, signed=signed)
    program = lower(model)
    for each in program.instructions:
        for least, low, largest, high in reached(program, each.name):
            assert (least, largest) == (low, high), each.name


def test_of_a_tensor_that_a_concat_has_twice_the_weights_are_added_up() -> None:
    """Weighed 3 and -3 it gives 0, whatever the codes; the bounds count the two apart."""
    layer = {
        "weight": np.array([[3, -3]], np.int8),
        "bias": np.array([7], np.int32),
        "zero_point": np.zeros(2, np.int32),
    }
    program = Program(
        (1, 1, 1),
        (
            Instruction("flat", "flatten", ("image",), {"positions": 1}),
            Instruction("twice", "concat", ("flat", "flat")),
            Instruction("logits", "linear", ("twice",), {}, layer),
        ),
    )
    assert reached(program, "logits") == [(7, 7 - 3 * 255, 7, 7 + 3 * 255)]


def test_the_oracle_gives_the_bounds_at_the_worst_codes_too() -> None:
    program = conv_network(
        1, groups=2, kernel=(3, 2), stride=(1, 1), padding=((2, 1), (0, 1)), size=(4, 5), count=3
    )
    layer = program.instructions[1]
    low, high = program.bounds["acc"]
    reach = Reach(program)
    for channel in range(4):
        index, terms = reach.worst_case("acc", channel)
        for codes, end in zip(terms.ends(), (low, high), strict=True):
            x = reach.tensors("acc", [codes])["codes"][0].astype(int)
            centred = x - layer.arrays["zero_point"][:, None, None]
            judged = oracle.conv2d(
                centred.tolist(),
                layer.arrays["weight"].tolist(),
                padding=((2, 1), (0, 1)),
                groups=2,
            )
            assert judged[channel][index[1]][index[2]] == end[channel]


def test_where_every_window_meets_padding_the_bound_is_not_reached() -> None:
    """A kernel of 3 over one pixel: the bound counts eight weights that meet nothing."""
    program = conv_network(
        0, groups=1, kernel=(3, 3), stride=(1, 1), padding=((1, 1), (1, 1)), size=(1, 1), count=3
    )
    for least, low, largest, high in reached(program, "acc"):
        assert low < least < largest < high


@pytest.mark.parametrize("shape", [(1, 1), (2, 9)])
def test_the_codes_beside_the_worst_ones_are_zero(shape: tuple[int, int]) -> None:
    program = conv_network(
        3, groups=1, kernel=(1, 1), stride=(1, 1), padding=((0, 0), (0, 0)), size=shape, count=300
    )
    reach = Reach(program)
    _, terms = reach.worst_case("acc", 0)
    given_codes = reach.tensors("acc", terms.ends())["codes"]
    assert given_codes.shape == (2, 4, *shape)
    assert given_codes.dtype == np.uint16
    assert np.count_nonzero(given_codes) <= 2 * 4 <= given_codes.size * prod(shape)
