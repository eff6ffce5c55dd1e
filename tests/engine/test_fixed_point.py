"""The fixed-point lowering: engine against oracle, the instructions one by one, what is refused."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.engine import Engine, Instruction, interpreter
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import Step
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.quant.fixed_point import FLOAT_PROFILES, PROFILES, fixed_border
from tests.engine import graphs, networks
from tests.engine.test_engine import options

fraction_bits = st.sampled_from([0, 1, 2, 5, 8, 12, 16])


def assert_engine_equals_oracle(
    model: QuantizedModel, images: np.ndarray, bits: int, profile: str
) -> None:
    program = lower(model, "fixed_point", fraction_bits=bits, profile=profile)
    computed, plain = Engine(program).run(images), model.plain()
    for number, image in enumerate(images):
        judged = oracle.fixed_point_network(plain, image.tolist(), bits, profile)
        for name, tensor in computed.items():
            assert tensor[number].tolist() == judged[name], name


def computed_by_both(each: Instruction, *inputs: np.ndarray) -> np.ndarray:
    """By the fast engine and the plain interpreter, which must agree."""
    computed = apply(Step(each), list(inputs))
    assert np.array_equal(computed, interpreter.apply(each, list(inputs)))
    return computed


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    choice=options,
    bits=fraction_bits,
    profile=st.sampled_from(PROFILES),
)
def test_engine_equals_oracle_on_random_networks(
    seed: int, choice: dict[str, Any], bits: int, profile: str
) -> None:
    """Spec: AQ-LOWER-10."""
    model = networks.residual_network(seed, **choice)
    assert_engine_equals_oracle(model, networks.hard_images(model, 3), bits, profile)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), bits=fraction_bits, profile=st.sampled_from(PROFILES))
def test_engine_equals_oracle_on_random_graphs(seed: int, bits: int, profile: str) -> None:
    """Of all operations, with signed codes; a few of those with many bits are refused."""
    model = graphs.random_model(seed, fixed_point=True)
    try:
        assert_engine_equals_oracle(model, networks.hard_images(model, 3, seed), bits, profile)
    except InputError:
        assert bits > 8


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), choice=options, bits=st.sampled_from([0, 1, 2, 6]))
def test_engine_equals_oracle_where_everything_is_a_tie(
    profile: str, seed: int, choice: dict[str, Any], bits: int
) -> None:
    model = networks.tied(networks.residual_network(seed, **choice), bits, seed)
    assert_engine_equals_oracle(model, networks.hard_images(model, 3), bits, profile)


def test_the_profiles_differ_where_everything_is_a_tie() -> None:
    """So that the test above tells them apart."""
    network = networks.residual_network(3, act_bits=4, signed=True, border=False)
    model = networks.tied(network, 1)
    images = networks.hard_images(model, 20)
    codes = [
        Engine(lower(model, "fixed_point", fraction_bits=1, profile=profile)).run(images)
        for profile in ("exact", "tflite_away", "float32")
    ]
    one, two, three = (tensors["body.conv1"].tobytes() for tensors in codes)
    assert one != two != three != one


@pytest.mark.parametrize("seed", range(4))
def test_more_fraction_bits_come_closer_to_the_ideal_semantics(seed: int) -> None:
    model = networks.residual_network(seed, signed=seed % 2 == 0)
    images = networks.hard_images(model, 60, seed)
    ideal = Engine(lower(model)).run(images)

    def differ(bits: int) -> int:
        found = Engine(lower(model, "fixed_point", fraction_bits=bits)).run(images)
        return sum(int(np.count_nonzero(found[name] != ideal[name])) for name in ideal)

    assert differ(2) > 4 * differ(8) >= differ(14) == 0


def test_without_borders_and_adds_it_is_classical_requantization() -> None:
    """AQ-LOWER-10: one rounding, then the zero point, then the clip."""
    model = networks.residual_network(5, border=False, signed=True)
    program = lower(model, "fixed_point")
    before = next(i for i in program.instructions if i.name == "body.conv1")
    assert before.attributes["fraction_bits"] == 0
    (steps,) = before.inputs
    rescale = next(i for i in program.instructions if i.name == steps)
    tensor = model.tensors["body.conv1"]
    accs = np.arange(-40, 40)
    x = np.broadcast_to(accs[:, None, None, None], (len(accs), 4, 1, 1))
    codes = computed_by_both(before, computed_by_both(rescale, x))
    for c in range(4):
        left, bias, m, n = (
            int(rescale.arrays[key][c]) for key in ("left", "bias", "multiplier", "shift")
        )
        expected = [
            oracle.requantize(
                oracle.scale_accumulator((acc << left) + bias, m, n, "exact"),
                tensor.zero_point,
                0,
                2**tensor.bits - 1,
            )
            for acc in accs.tolist()
        ]
        assert codes[:, c, 0, 0].tolist() == expected


def rescale(profile: str, m: Fraction, left: int = 0, bias: int = 0) -> Instruction:
    arrays = {"left": np.array([left], np.int32), "bias": np.array([bias], np.int32)}
    if profile in FLOAT_PROFILES:
        arrays["multiplier"] = np.array([float(m)])
        return Instruction("t", "rescale_float", ("acc",), {"profile": profile}, arrays)
    pair = oracle.multiplier(m)
    arrays |= {
        k: np.array([v], np.int32) for k, v in zip(("multiplier", "shift"), pair, strict=True)
    }
    return Instruction("t", "rescale", ("acc",), {"profile": profile}, arrays)


def border(bits: int, zero_point: int, fraction: int, **more: Any) -> Instruction:
    ends = -zero_point, 2**bits - 1 - zero_point
    found = vars(fixed_border(*ends, zero_point, fraction, **more))
    arrays = {key: found.pop(key) for key in ("coefficients", "lift")}
    return Instruction("codes", "border", ("t",), found, arrays)


@pytest.mark.parametrize("squash", ["sigmoid", "clip"])
@pytest.mark.parametrize(("bits", "fraction"), [(1, 0), (1, 9), (2, 5), (4, 1), (3, 4), (8, 2)])
def test_every_t_has_the_code_of_the_oracle(squash: str, bits: int, fraction: int) -> None:
    """Exhaustive, for borders at their extremes and zero points at both ends. Spec: AQ-FIXED-9."""
    rows = [[0, 0, 0], [0.25, 0, 0], [-0.5, 1.0, 0], [9.0, -8.5, 0], [0.3, -1.1, 0.77], [-4, 0, 8]]
    qmax = 2**bits - 1
    for zero_point in {0, 1, qmax}:
        each = border(bits, zero_point, fraction, coefficients=np.array(rows), squash=squash)
        low, high = -zero_point << fraction, (qmax - zero_point) << fraction
        ts = np.array([-(2**31), low - 1, *range(low, high + 1), high + 1, 2**31 - 1])
        x = np.broadcast_to(ts[:, None], (len(ts), len(rows)))
        codes = computed_by_both(each, x)
        larger = max(zero_point, qmax - zero_point)
        for c, row in enumerate(rows):
            exact = [Fraction(b) for b in row]
            for t, code in zip(ts.tolist(), codes[:, c].tolist(), strict=True):
                steps = oracle.fixed_code(
                    oracle.clip(t, low, high), exact, larger, fraction, squash
                )
                assert code == steps + zero_point


def test_codes_that_are_summed_or_bordered_as_they_are_do_not_wrap() -> None:
    """A program from elsewhere may do so; uint8 would wrap, and cannot be compared with -5."""
    plus = Instruction("sum", "plus", ("a", "b"))
    codes = np.full((1, 1, 1, 1), 255, np.uint8)
    assert computed_by_both(plus, codes, codes).item() == 510
    assert computed_by_both(border(9, 200, 0), codes).item() == 455


def test_no_integer_leaves_its_bounds_and_a_rescaled_one_saturates_at_int32() -> None:
    for seed, bits in product(range(4), (0, 8, 16)):
        model = networks.residual_network(seed, pool=True)
        program = lower(model, "fixed_point", fraction_bits=bits)
        known = program.bounds
        tensors = {"image": networks.hard_images(model, 30, seed)}
        engine = Engine(program)
        for each in program.instructions:
            x = engine._apply(engine._steps[each.name], [tensors[name] for name in each.inputs])
            tensors[each.name] = x
            axes = tuple(axis for axis in range(x.ndim) if axis != 1)
            assert (x.min(axis=axes) >= known[each.name][0]).all(), each.name
            assert (x.max(axis=axes) <= known[each.name][1]).all(), each.name
