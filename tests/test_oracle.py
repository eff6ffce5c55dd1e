"""The judge itself, against tables worked out by hand and against definitions it does not use."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref import oracle

HALF = Fraction(1, 2)
SIXTH = Fraction(1, 6)
SINGLE, DOUBLE = (24, -149), (53, -1074)
rationals = st.fractions(-20, 20, max_denominator=12)

# Rounding


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("half_even", [-2, -2, 0, 0, 2, 2]),
        ("half_up", [-2, -1, 0, 1, 2, 3]),
        ("half_away", [-3, -2, -1, 1, 2, 3]),
        ("floor", [-3, -2, -1, 0, 1, 2]),
        ("ceil", [-2, -1, 0, 1, 2, 3]),
        ("trunc", [-2, -1, 0, 0, 1, 2]),
    ],
)
def test_each_rounding_gives_its_table_at_ties(name: str, expected: list[int]) -> None:
    assert [oracle.ROUNDINGS[name](Fraction(k, 2)) for k in (-5, -3, -1, 1, 3, 5)] == expected


@pytest.mark.parametrize("name", ["half_even", "half_up", "half_away"])
@given(t=rationals)
def test_a_nearest_rounding_is_nowhere_farther_than_half(name: str, t: Fraction) -> None:
    assert abs(oracle.ROUNDINGS[name](t) - t) <= HALF


@given(t=rationals)
def test_half_even_is_what_python_calls_round(t: Fraction) -> None:
    assert oracle.half_even(t) == round(t)


@pytest.mark.parametrize(
    ("t", "border", "expected"),
    [
        (Fraction(9, 4), Fraction(1, 4), 3),  # the border itself goes up
        (Fraction(9, 4) - SIXTH, Fraction(1, 4), 2),
        (Fraction(-9, 4), Fraction(3, 4), -2),  # the fraction of -9/4 is 3/4
        (Fraction(-9, 4), Fraction(4, 5), -3),
        (2, Fraction(1, 10**9), 2),  # integers stay
        (Fraction(299, 100), 1, 2),
    ],
)
def test_border_rounding_goes_up_where_the_fraction_reaches_the_border(
    t: Fraction, border: Fraction, expected: int
) -> None:
    assert oracle.border_round(t, border) == expected


@given(t=rationals, border=st.fractions(0, 1).filter(bool))
def test_border_rounding_is_floor_of_t_minus_b_plus_one(t: Fraction, border: Fraction) -> None:
    assert oracle.border_round(t, border) == math.floor(t - border) + 1


@given(t=rationals)
def test_the_border_of_one_half_is_half_up(t: Fraction) -> None:
    assert oracle.border_round(t, HALF) == oracle.half_up(t)


# Floats


@given(value=st.fractions(max_denominator=10**6))
@example(value=Fraction(1, 3))
@example(value=Fraction(5e-324) * 3 / 2)
@example(value=Fraction(5e-324) / 2)
@example(value=Fraction(2) ** 53 + 1)
@example(value=-(Fraction(2) ** 53) - 3)
def test_double_precision_is_what_python_divides_in(value: Fraction) -> None:
    expected = value.numerator / value.denominator
    assert oracle.to_float(value, *DOUBLE) == Fraction(expected)


@given(value=st.floats(width=64, allow_nan=False, allow_infinity=False, min_value=-1e38))
@example(value=1 + 2.0**-24)  # a tie
@example(value=1 + 3 * 2.0**-24)
@example(value=1e-45)
@example(value=-1e-46)
def test_single_precision_is_what_the_machine_stores(value: float) -> None:
    if abs(value) < 3e38:
        (stored,) = struct.unpack("f", struct.pack("f", value))
        assert oracle.to_float(Fraction(value), *SINGLE) == Fraction(stored)


# Codes


@pytest.mark.parametrize(
    ("r", "expected"),
    [(-9, 0), (Fraction(-7, 8), 3), (Fraction(-1, 4), 5), (0, 5), (Fraction(1, 4), 6), (99, 15)],
)
def test_quantize_rounds_then_adds_the_zero_point_then_clips(r: Fraction, expected: int) -> None:
    """Scale 1/2, zero point 5, half_up: -7/8 is -1.75 steps, -1/4 the tie -0.5."""
    assert oracle.quantize(r, HALF, 5, 0, 15) == expected


def test_dequantize_subtracts_the_zero_point() -> None:
    assert oracle.dequantize(3, SIXTH, 5) == Fraction(-1, 3)


def test_the_polynomial_of_a_border_is_in_tau_which_stops_at_the_ends() -> None:
    b = [Fraction(1, 10), Fraction(1, 5), Fraction(-1, 2)]
    at_ends_and_middle = {
        -1: HALF + b[0],
        Fraction(3, 2): HALF + b[0] + b[1] / 2 + b[2] / 4,
        7: HALF + b[0] + b[1] + b[2],
    }
    for t, expected in at_ends_and_middle.items():
        assert oracle.clip_border(t, b, 3, 0) == expected


def test_with_a_zero_point_tau_counts_in_the_larger_end() -> None:
    """Codes -1..2: tau stops at -1/2 and at 1."""
    b = [Fraction(1, 10), Fraction(1, 5)]
    for t, tau in ((-7, -HALF), (-1, -HALF), (1, HALF), (2, Fraction(1)), (9, Fraction(1))):
        assert oracle.polynomial(t, b, 3, zero_point=1) == b[0] + b[1] * tau


def test_an_error_that_is_fed_back_worked_out_by_hand() -> None:
    """40 % of a step thrice: 0 leaves -0.4, the border 0.1 makes 1 and leaves 0.2, then 0.7."""
    t = [Fraction(2, 5)] * 3
    assert oracle.fed_back(t, [HALF] * 3, [[1]] * 3, [1] * 3, (0, 3), smallest=SIXTH) == [0, 1, 0]
    opposite = [[1], [-1], [1]]
    assert oracle.fed_back(t, [HALF] * 3, opposite, [1] * 3, (0, 3), smallest=SIXTH) == [0, 0, 0]
    clipped = [Fraction(9), *t]  # what is clipped leaves nothing
    assert oracle.fed_back(clipped, [HALF] * 4, [[1]] * 4, [1] * 4, (0, 3), smallest=SIXTH)[1:] == [
        0,
        1,
        0,
    ]


def test_a_fused_border_goes_up_where_its_lift_reaches_the_sum_of_the_window() -> None:
    tables = {
        "codes": [[0, 0, 1]] * 3,
        "lift": [[9, 9, 9], [-99, 5, -99], [-99, 4, -99]],
        "fusion": [[9, 9, 9], [0, 2, 3], [0, 3, 1]],
    }
    assert oracle.window_codes([1, 1], 1, tables) == [1, 0]  # the sum is 2 + 3: 5 reaches it
    assert oracle.window_codes([1, 2], 1, tables) == [1, 1]  # 2 + 1; the second stays an integer
    assert oracle.window_codes([0, 1], 1, tables) == [0, 1]  # 0 + 3, which 4 reaches
    rounded = {"codes": [[0, 0], [0, 1]], "lift": None}
    assert oracle.window_codes([1], 1, rounded) == [1]


@pytest.mark.parametrize(("b", "expected"), [(-9, Fraction(1, 10**6)), (9, 1), (0, HALF)])
def test_a_border_is_kept_above_zero_and_at_most_one(b: int, expected: Fraction) -> None:
    assert oracle.clip_border(1, [b], 3, Fraction(1, 10**6)) == expected
    assert abs(oracle.sigmoid_border(1, [b], 3, Fraction(1, 10**6)) - expected) < 1e-15


@given(p=st.fractions(-3, 3, max_denominator=50))
def test_the_sigmoid_is_one_half_of_one_plus_tanh_of_twice_its_argument(p: Fraction) -> None:
    expected = 0.5 + 0.5 * math.tanh(2 * p)
    assert float(oracle.sigmoid_border(0, [p], 3, 0)) == pytest.approx(expected, abs=1e-15)


def test_a_code_counts_the_crossings_that_t_reaches() -> None:
    crossings = [Fraction(3, 4), Fraction(3, 2), 3]
    points = [-1, Fraction(1, 2), Fraction(3, 4), 1, Fraction(3, 2), 2, 3, 99]
    assert [oracle.code(t, crossings) for t in points] == [0, 0, 1, 1, 2, 2, 3, 3]


@given(t=st.fractions(-1, 4), border=st.fractions(0, 1).filter(bool))
def test_a_constant_border_and_its_crossings_give_the_same_codes(
    t: Fraction, border: Fraction
) -> None:
    assert oracle.border_code(t, border, 3) == oracle.code(t, [border + k for k in range(3)])


@given(t=st.fractions(0, 6), w=rationals, w_hat=rationals.filter(bool))
def test_for_one_product_the_better_code_is_the_rounding_of_wt_over_w_hat(
    t: Fraction, w: Fraction, w_hat: Fraction
) -> None:
    down, up = oracle.best_code(t, [w], [w_hat])
    border = HALF + t * (w_hat - w) / w_hat
    fraction = t - math.floor(t)
    assert (up < down) == (fraction > border)
    assert (up == down) == (fraction == border)


def test_a_rounding_chooses_between_two_codes_or_has_no_choice() -> None:
    expected = {
        HALF: [1, 0],
        Fraction(1, 4): [0, 1],
        -HALF: [0, -1],
        Fraction(-3, 4): [-1, 0],
        2: [2],
        Fraction(9, 4): [2],  # 3 is beyond the range
        9: [2],
        -9: [-1],
        Fraction(-5, 4): [-1],
    }
    for t, codes in expected.items():
        assert oracle.roundings(t, -1, 2) == codes


def test_greedy_and_best_codes_of_windows_worked_out_by_hand() -> None:
    t = [Fraction(2, 5)] * 3
    # nearest gives 0 for 6/5: one flip is enough, of the first or of the last element
    assert oracle.greedy_codes(t, [[1, 1, 1]], [Fraction(6, 5)], 0, 3) == [1, 0, 0]
    assert oracle.best_codes(t, [[1, 1, 1]], [Fraction(6, 5)], 0, 3) == [0, 0, 1]
    # of 3, 5 and 7 the 7 comes nearest to 8 and then nothing helps, but 3 + 5 is 8
    assert oracle.greedy_codes(t, [[3, 5, 7]], [8], 0, 3) == [0, 0, 1]
    assert oracle.best_codes(t, [[3, 5, 7]], [8], 0, 3) == [1, 1, 0]
    assert oracle.output_error([0, 0, 1], [[3, 5, 7], [1, 1, 1]], [8, 3]) == 5
    # what nothing can lower stays nearest
    assert oracle.greedy_codes(t, [[0, 0, 0]], [8], 0, 3) == [0, 0, 0]
    assert oracle.best_codes(t, [[0, 0, 0]], [8], 0, 3) == [0, 0, 0]


# One rounding for a sum or a mean


def test_an_add_is_rounded_once_and_not_once_per_term() -> None:
    """1/3 + 1/3 steps: rounding each term first gives 0, the sum 2/3 gives 1."""
    crossings = [HALF, Fraction(3, 2)]
    terms = [(1, Fraction(1, 3)), (1, Fraction(1, 3))]
    assert oracle.add_code(terms, 1, crossings) == 1
    assert sum(oracle.code(q * s, crossings) for q, s in terms) == 0


def test_a_mean_is_exact_before_it_is_rounded() -> None:
    assert oracle.mean_code([1, 0, 1, 0], 1, 1, [HALF]) == 1
    assert oracle.mean_code([1, 0, 0], 1, 1, [HALF]) == 0
    assert oracle.mean_code([49] + [0] * 48, 1, 1, [1]) == 1  # not 49 * (1/49 rounded down)


# Fixed point


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        (1, (2**30, 30)),
        (HALF, (2**30, 31)),
        (Fraction(3, 4), (3 * 2**29, 31)),
        (3, (3 * 2**29, 29)),
        (Fraction(2**31 - 1, 2**31), (2**31 - 1, 31)),
        (1 - Fraction(1, 2**33), (2**30, 30)),  # the mantissa rounds to 2^31 and is carried
        (1 - Fraction(1, 2**32), (2**30, 30)),  # a tie goes up, and is carried
    ],
)
def test_a_multiplier_is_normalised_and_the_carry_too(
    m: Fraction, expected: tuple[int, int]
) -> None:
    assert oracle.multiplier(m) == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("exact", [-1, 0, 0, 1]),
        ("tflite_single", [-1, 0, 0, 1]),
        ("tflite_up", [-1, 0, 0, 1]),
        ("tflite_away", [-2, -1, 0, 1]),
    ],
)
def test_the_integer_profiles_at_halves(profile: str, expected: list[int]) -> None:
    """The product acc * 2^30 * 2^-34 is acc/16, here -3/2, -1/2, 1/4 and 1/2."""
    accumulators = (-24, -8, 4, 8)
    assert [oracle.scale_accumulator(a, 2**30, 34, profile) for a in accumulators] == expected


def test_two_roundings_are_not_one() -> None:
    """(2^31 - 1)/2^32 is just below a half; its first rounding makes 1 of it, 1/2 goes up."""
    results = {
        p: oracle.scale_accumulator(1, 2**31 - 1, 32, p)
        for p in ("exact", "tflite_single", "tflite_up", "tflite_away")
    }
    assert results == {"exact": 0, "tflite_single": 0, "tflite_up": 1, "tflite_away": 1}


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("float32", [0, 1, 1, 3, 3]),
        ("float64", [0, 0, 2, 3, 4]),
        ("float64_onnx", [0, 0, 2, 2, 4]),
    ],
)
def test_the_real_profiles_at_halves(profile: str, expected: list[int]) -> None:
    """M = 1/2, zero point 1, acc -3, -1, 1, 3, 5, clipped to 0..9."""
    found = [
        oracle.requantize_real(acc, HALF, profile, zero_point=1, qmin=0, qmax=9)
        for acc in (-3, -1, 1, 3, 5)
    ]
    assert found == expected


def test_float32_has_no_room_for_all_of_an_accumulator() -> None:
    ends = {"qmin": -(2**31), "qmax": 2**31 - 1}
    assert oracle.requantize_real(2**24 + 1, 1, "float32", **ends) == 2**24
    assert oracle.requantize_real(2**24 + 1, 1, "float64", **ends) == 2**24 + 1


@given(
    crossing=st.fractions(0, 3),
    scale=st.fractions(0, 2).filter(bool),
    unit=st.fractions(0, 1).filter(bool),
    bias=rationals,
)
def test_a_threshold_is_the_least_accumulator_that_reaches_its_crossing(
    crossing: Fraction, scale: Fraction, unit: Fraction, bias: Fraction
) -> None:
    least = oracle.threshold(crossing, scale, unit, bias)
    assert (unit * least + bias) / scale >= crossing
    assert (unit * (least - 1) + bias) / scale < crossing


# Layers

IMAGE = [[[1, 2, 3], [4, 5, 6]]]  # one channel, two rows, three columns


def test_a_convolution_is_a_cross_correlation_with_zero_padding() -> None:
    weight = [[[[1, 10]]]]
    assert oracle.conv2d(IMAGE, weight) == [[[21, 32], [54, 65]]]
    assert oracle.conv2d(IMAGE, weight, padding=(0, 1)) == [[[10, 21, 32, 3], [40, 54, 65, 6]]]
    assert oracle.conv2d(IMAGE, weight, stride=(2, 2)) == [[[21]]]


def test_a_grouped_convolution_keeps_its_channels_apart() -> None:
    x = [[[1]], [[2]], [[3]], [[4]]]
    weight = [[[[1]], [[10]]], [[[100]], [[1000]]]]
    assert oracle.conv2d(x, weight, groups=2) == [[[21]], [[4300]]]


def test_a_linear_layer_is_a_row_for_each_output() -> None:
    assert oracle.linear([1, 2], [[3, 4], [5, 6], [7, 8]]) == [11, 17, 23]


def test_padding_never_wins_a_max_pool() -> None:
    negative = [[[-1, -2], [-3, -4]]]
    assert oracle.max_pool(negative, (2, 2), stride=(2, 2), padding=(1, 1)) == [
        [[-1, -2], [-3, -4]]
    ]


def test_padding_of_an_average_pool_counts_or_does_not() -> None:
    pooled = [
        oracle.avg_pool([[[6]]], (1, 3), stride=(1, 1), padding=(0, 1), count_padding=count)
        for count in (True, False)
    ]
    assert pooled == [[[[2]]], [[[6]]]]


# A network


def network(**changes: Any) -> list[dict[str, Any]]:
    """One convolution with a ReLU and a quantizer of 2 bits, and a linear layer on its pixels."""
    geometry = {"stride": (1, 1), "padding": (0, 0), "groups": 1}
    nodes: list[dict[str, Any]] = [
        {"name": "image", "op": "image", "scale": HALF, "zero_point": [0]},
        {
            "name": "conv",
            "op": "conv2d",
            "inputs": ("image",),
            "weight": [[[[1]]], [[[-1]]]],
            "unit": [SIXTH, SIXTH],
            "input_scale": HALF,
            "bias": [0, 1],
            **geometry,
        },
        {
            "name": "relu",
            "op": "relu",
            "inputs": ("conv",),
            "scale": Fraction(1, 3),
            "zero_point": [0, 0],
            "crossings": [[HALF, Fraction(3, 2), Fraction(5, 2)], [1, 2, 3]],
        },
        {"name": "flatten", "op": "flatten", "inputs": ("relu",)},
        {
            "name": "linear",
            "op": "linear",
            "inputs": ("flatten",),
            "weight": [[1, 0, 0, 1], [0, 2, -1, 0]],
            "unit": [SIXTH, SIXTH],
            "input_scale": Fraction(1, 3),
            "bias": [SIXTH, 0],
        },
    ]
    return [{**node, **changes.get(str(node["name"]), {})} for node in nodes]


def test_a_network_worked_out_by_hand() -> None:
    """Image codes 3 and 4: conv 3/6, 4/6 and 1 - 3/6, 1 - 4/6; in steps of 1/3 that is 1.5, 2 and
    1.5, 1; crossings at the halves, then at the integers."""
    assert oracle.network(network(), [[[3, 4]]]) == {
        "image": [[[3, 4]]],
        "relu": [[[2, 2]], [[1, 1]]],
        "linear": [2 + 1 + 1, 2 * 2 - 1],
    }


def test_a_zero_point_is_subtracted_from_the_codes_of_image_and_tensor() -> None:
    """The image is now 2 and 3 steps: conv 2/6, 3/6 and 4/6, 3/6, that is 1, 1.5 and 2, 1.5; the
    codes of the second channel mean one step less."""
    changed = network(image={"zero_point": [1]}, relu={"zero_point": [0, 1]})
    assert oracle.network(changed, [[[3, 4]]]) == {
        "image": [[[3, 4]]],
        "relu": [[[1, 2]], [[2, 1]]],
        "linear": [1 + 0 + 1, 2 * 2 - 1],
    }


def test_relu_and_relu6_of_a_network_clip_real_values() -> None:
    changed = {"conv": {"bias": [-9, 9]}}
    assert oracle.network(network(**changed), [[[3, 4]]])["relu"] == [[[0, 0]], [[3, 3]]]
    wide = {"scale": 2, "crossings": [[HALF, Fraction(3, 2), Fraction(13, 4)]] * 2, "op": "relu6"}
    codes = oracle.network(network(**changed, relu=wide), [[[3, 4]]])["relu"]
    assert codes == [[[0, 0]], [[2, 2]]]  # 6/2 = 3 stays below 13/4, 8.5/2 would not


def test_a_leaky_relu_of_a_network_worked_out_by_hand() -> None:
    """The sums are 3/6 - 1, 4/6 - 1 and 1 - 3/6, 1 - 4/6; in steps of 1/12, with the slope 1/2
    below zero, -3, -2 and 6, 4; crossings at halves, but for one at -2."""
    crossings = [Fraction(k, 2) for k in (-5, -3, -1, 1, 3, 5, 7)]
    leaky = {
        "op": "leaky_relu",
        "alpha": HALF,
        "scale": Fraction(1, 12),
        "zero_point": [3, 3],
        "crossings": [[Fraction(-2), *crossings[1:]], crossings],
    }
    changed = network(conv={"bias": [-1, 1]}, relu=leaky)
    assert oracle.network(changed, [[[3, 4]]])["relu"] == [[[0, 1]], [[7, 7]]]
    with pytest.raises(ValueError, match=r"relu: .*'leaky_relu'"):
        oracle.fixed_point_network(changed, [[[3, 4]]], 1, "exact")


def test_an_operation_that_it_does_not_know_is_named() -> None:
    with pytest.raises(ValueError, match=r"relu: .*'tanh'"):
        oracle.network(network(relu={"op": "tanh"}), [[[3, 4]]])


# In fixed point


def test_a_network_in_fixed_point_worked_out_by_hand() -> None:
    """One fraction bit: 1/6 * 2 is not below the step 1/3, so accumulators are doubled, biases are
    counted in twelfths, and M is 1/4: (6, 8)/4 and (-6 + 12, -8 + 12)/4 half up."""
    assert oracle.fixed_point_network(network(), [[[3, 4]]], 1, "exact") == {
        "image": [[[3, 4]]],
        "relu": [[[2, 2]], [[2, 1]]],
        "linear": [2 + 1 + 1, 2 * 2 - 2],
    }


def test_a_multiplier_below_every_shift_counts_as_the_least() -> None:
    """2^-32 times the largest accumulator, 2^31 - 1, is below one half, and so is all below."""
    for small in (Fraction(1, 2**32), Fraction(1, 2**90)):
        steps = [[2**31 - 1]], [small], [Fraction(0)]
        scaled, _, _ = oracle._to_steps(steps, Fraction(1), 0, 0, "exact")
        assert scaled == [[0]]


def test_a_border_in_fixed_point_worked_out_by_hand() -> None:
    """T is 3 and 4, 3 and 2 halves; a half is below the border 3/4 and reaches the border 1/2."""
    bordered = {"coefficients": [[Fraction(1, 4)], [Fraction(0)]], "squash": "clip"}
    found = oracle.fixed_point_network(network(relu=bordered), [[[3, 4]]], 1, "exact")
    assert found["relu"] == [[[1, 2]], [[2, 1]]]


def test_a_polynomial_in_fixed_point_is_floored_after_each_product() -> None:
    """In units of 2^-16, with tau = 1/2: P = b0 + floor(b1/2), and 1/2 goes up where P <= 0."""
    for b0, b1, up in ((0, 1, 1), (1, 1, 0), (1, -1, 1), (1, -2, 1), (2, -3, 1), (2, -1, 0)):
        coefficients = [Fraction(b0, 2**16), Fraction(b1, 2**16)]
        assert oracle.fixed_code(3, coefficients, 3, 1, "clip") == 1 + up
    # with b1 = 0: P = b0 + floor(floor(b2/2)/2)
    for b0, b2, up in ((0, 3, 1), (1, 3, 0), (1, -1, 1), (2, -1, 0)):
        coefficients = [Fraction(b0, 2**16), Fraction(0), Fraction(b2, 2**16)]
        assert oracle.fixed_code(3, coefficients, 3, 1, "clip") == 1 + up


@pytest.mark.parametrize(
    ("squash", "expected"), [("clip", [-(2**14), 0, 2**14]), ("sigmoid", [-18000, 0, 18000])]
)
def test_the_lift_of_a_quarter_a_half_and_three_quarters(squash: str, expected: list[int]) -> None:
    """For the sigmoid 2^14 * ln 3 = 17999.66."""
    assert [oracle.fixed_lift(Fraction(k, 4), squash) for k in (1, 2, 3)] == expected


def test_a_rescaling_saturates_at_int32() -> None:
    for profile in ("exact", "float32"):
        assert oracle.rescale(2**20, Fraction(2**20), profile) == 2**31 - 1
        assert oracle.rescale(-(2**20), Fraction(2**20), profile) == -(2**31)
