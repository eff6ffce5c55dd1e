from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant import border

coefficient = st.one_of(st.sampled_from([0.0, 0.5, -0.5, 0.125, 60.0, -60.0]), st.floats(-0.6, 0.6))
gentle = st.tuples(*[st.floats(-0.3, 0.3)] * 3)
SQUASHES = ("sigmoid", "clip")


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float64)


def beside(crossings: np.ndarray) -> np.ndarray:
    """Both sides of every crossing (C, 2n), farther from it than B is evaluated wrongly."""
    return np.concatenate([crossings - 1e-13, crossings + 1e-13], axis=1)


def neighbours(crossings: np.ndarray) -> list[np.ndarray]:
    """Every crossing and the floats next to it, (n, C) each."""
    return [crossings.T, np.nextafter(crossings, -np.inf).T, np.nextafter(crossings, np.inf).T]


def test_in_the_cell_below_zero_the_fraction_is_compared_exactly() -> None:
    """For B = 1 nothing below 0 goes up: t + 1 in floating point is 1 from t = -2^-54 on."""
    never, least = (border.crossings(row(b), 1, zero_point=1, squash="clip") for b in (9, -9))
    assert never.tolist() == [[0.0]]
    assert least.tolist() == [[border.BORDER_MIN - 1]]
    tiny = np.array([[-(2.0**-54)], [-1e-300], [0.0]])
    assert border.codes(tiny, never, 1).tolist() == [[0], [0], [1]]
    assert border.bordered_codes(tiny, row(9.0), 1, zero_point=1, squash="clip").tolist() == [
        [0],
        [0],
        [1],
    ]


@pytest.mark.parametrize("squash", SQUASHES)
@given(b=st.tuples(coefficient, coefficient, coefficient), t=st.floats(-1, 4))
def test_a_border_equals_the_oracle(squash: str, b: tuple[float, ...], t: float) -> None:
    """Spec: AQ-BORDER-1."""
    computed = float(border.border(np.array([[t]]), row(*b), 3, squash=squash)[0, 0])
    judge = {"clip": oracle.clip_border, "sigmoid": oracle.sigmoid_border}[squash]
    exact = judge(Fraction(t), [Fraction(c) for c in b], 3, Fraction(border.BORDER_MIN))
    assert computed == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize("squash", SQUASHES)
@settings(max_examples=40)
@given(b=gentle, t=st.floats(-0.5, 3.5))
def test_bordered_codes_are_those_of_the_exact_border_away_from_it(
    squash: str, b: tuple[float, ...], t: float
) -> None:
    judge = {"clip": oracle.clip_border, "sigmoid": oracle.sigmoid_border}[squash]
    exact = judge(Fraction(t), [Fraction(c) for c in b], 3, Fraction(border.BORDER_MIN))
    if abs(t - np.floor(t) - exact) > 1e-12:
        expected = oracle.border_code(Fraction(t), exact, 3)
        assert border.bordered_codes(np.array([[t]]), row(*b), 2, squash=squash) == expected


@pytest.mark.parametrize("squash", SQUASHES)
@given(b=st.tuples(coefficient, coefficient, coefficient), t=st.floats(-9, 9))
def test_a_border_is_never_zero_and_never_above_one(
    squash: str, b: tuple[float, ...], t: float
) -> None:
    value = border.border(np.array([[t]]), row(*b), 3, squash=squash)
    assert border.BORDER_MIN <= value <= 1


@pytest.mark.parametrize("squash", SQUASHES)
@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_the_zero_border_is_nearest_half_up(squash: str, bits: int) -> None:
    qmax = 2**bits - 1
    k = np.arange(-2, 2 * qmax + 4) / 2  # every tie, and beyond both ends
    t = np.concatenate([k, np.nextafter(k, np.inf), np.nextafter(k, -np.inf)])[:, None]
    expected = [[oracle.clip(oracle.half_up(Fraction(float(v))), 0, qmax)] for v in t[:, 0]]
    zero = np.zeros((1, 3))
    assert border.bordered_codes(t, zero, bits, squash=squash).tolist() == expected
    assert border.codes(t, border.crossings(zero, bits, squash=squash)).tolist() == expected
    assert border.codes(t, border.nearest_crossings(bits)).tolist() == expected


@pytest.mark.parametrize("squash", SQUASHES)
@settings(max_examples=40)
@given(rows=st.lists(gentle, min_size=2, max_size=2), bits=st.integers(1, 4))
def test_crossings_say_what_the_border_says_and_decide_between_neighbouring_floats(
    squash: str, rows: list[tuple[float, ...]], bits: int
) -> None:
    """Spec: AQ-BORDER-2."""
    coefficients = np.array(rows)
    crossings = border.crossings(coefficients, bits, squash=squash)
    cells = np.arange(2**bits - 1)
    assert ((crossings > cells) & (crossings <= cells + 1)).all()
    integers = np.broadcast_to(np.arange(2**bits + 1), (2, 2**bits + 1))
    t = np.concatenate([beside(crossings), integers, np.full((2, 1), -0.25)], axis=1).T
    direct = border.bordered_codes(t, coefficients, bits, squash=squash)
    assert border.codes(t, crossings).tolist() == direct.tolist()
    t = np.concatenate([t, *neighbours(crossings)])
    counted = border.codes(t, crossings)
    for channel in range(2):
        exact = [Fraction(float(c)) for c in crossings[channel]]
        judged = [oracle.code(Fraction(float(v)), exact) for v in t[:, channel]]
        assert counted[:, channel].tolist() == judged


@pytest.mark.parametrize("bits", [2, 5, 9])
def test_counting_and_searching_give_the_same_codes(bits: int) -> None:
    rng = np.random.default_rng(bits)
    n = 2**bits - 1
    crossings = np.sort(np.arange(n) + rng.uniform(0.01, 1, (3, n)), axis=1)
    t = np.concatenate([crossings.T, crossings.T - 1e-9, rng.uniform(-2, n + 2, (50, 3))])
    expected = (t[:, :, None] >= crossings).sum(axis=2)
    assert border.codes(t[:, :, None, None], crossings)[:, :, 0, 0].tolist() == expected.tolist()
    shared = (t[:, :, None] >= crossings[:1]).sum(axis=2)
    assert border.codes(t, crossings[:1]).tolist() == shared.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 9])
def test_codes_are_exact_at_the_neighbours_of_every_crossing_in_either_float(
    dtype: type, bits: int
) -> None:
    """A float64 crossing compared with float32 activations is never rounded down to one of them."""
    rng = np.random.default_rng(bits)
    n = 2**bits - 1
    crossings = np.arange(n) + rng.uniform(0.01, 1, (2, n))
    crossings[0, 0], crossings[1, -1] = 1e-6, n  # the least and the largest that there is
    some = crossings[:, np.unique(np.linspace(0, n - 1, 12).astype(int))].astype(dtype)
    beside = [np.nextafter(some, dtype(-9)), some, np.nextafter(some, dtype(9e9))]
    t = np.concatenate([*beside, np.full((2, 1), -np.inf), np.full((2, 1), np.inf)], axis=1).T
    exact = [[Fraction(c) for c in row] for row in crossings.tolist()]
    expected = [
        [oracle.code(v, row) for v, row in zip(pair, exact, strict=True)] for pair in t.tolist()
    ]
    counted = border.codes(t.astype(dtype)[:, :, None, None], crossings)
    assert counted[:, :, 0, 0].tolist() == expected


@pytest.mark.parametrize("squash", SQUASHES)
@pytest.mark.parametrize(("bits", "zero_point"), [(1, 1), (2, 1), (2, 3), (3, 6)])
@settings(max_examples=25)
@given(b=gentle, t=st.floats(-9, 9))
def test_a_border_over_codes_with_a_zero_point_equals_the_oracle(
    squash: str, bits: int, zero_point: int, b: tuple[float, ...], t: float
) -> None:
    """Spec: AQ-BORDER-5."""
    judge = {"clip": oracle.clip_border, "sigmoid": oracle.sigmoid_border}[squash]
    qmax, coefficients = 2**bits - 1, [Fraction(c) for c in b]
    exact = judge(
        Fraction(t), coefficients, qmax, Fraction(border.BORDER_MIN), zero_point=zero_point
    )
    options = {"zero_point": zero_point, "squash": squash}
    computed = float(border.border(np.array([[t]]), row(*b), qmax, **options)[0, 0])
    assert computed == pytest.approx(float(exact), abs=1e-12)
    code = border.bordered_codes(np.array([[t]]), row(*b), bits, **options)
    low, high = -zero_point, qmax - zero_point
    if abs(t - np.floor(t) - exact) > 1e-12:
        rounded = oracle.border_round(Fraction(t), exact)
        assert code == oracle.clip(rounded, low, high) + zero_point


@pytest.mark.parametrize("squash", SQUASHES)
@pytest.mark.parametrize(("bits", "zero_point"), [(1, 1), (2, 1), (2, 3), (3, 6)])
@settings(max_examples=20)
@given(b=gentle)
def test_crossings_below_zero_say_what_the_border_says(
    squash: str, bits: int, zero_point: int, b: tuple[float, ...]
) -> None:
    options = {"zero_point": zero_point, "squash": squash}
    crossings = border.crossings(row(*b), bits, **options)
    cells = np.arange(2**bits - 1) - zero_point
    assert ((crossings > cells) & (crossings <= cells + 1)).all()
    ends = [cells[None] * 1.0, cells[None] + 1.0, np.array([[-99.0, 99.0]])]
    t = np.concatenate([beside(crossings), *ends], axis=1).T
    counted = border.codes(t, crossings, zero_point)
    assert counted.tolist() == border.bordered_codes(t, row(*b), bits, **options).tolist()
    t = np.concatenate([*neighbours(crossings), np.zeros((1, 1))])
    counted = border.codes(t, crossings, zero_point)
    exact = [Fraction(c) for c in crossings[0].tolist()]
    judged = [oracle.code(Fraction(v), exact) for v in t[:, 0].tolist()]
    assert counted[:, 0].tolist() == judged
    assert counted[-1] == zero_point  # of the real zero, whatever the border


@pytest.mark.parametrize("bits", [1, 2, 8])
@pytest.mark.parametrize("end", [0, 1])
def test_nearest_crossings_of_a_zero_point_are_half_up(bits: int, end: int) -> None:
    qmax = 2**bits - 1
    zero_point = qmax - end
    ties = np.arange(-2 * qmax - 3, 2 * qmax + 4) / 2
    t = np.concatenate([ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf)])[:, None]
    exact = [oracle.half_up(Fraction(v)) + zero_point for v in t[:, 0].tolist()]
    expected = [[oracle.clip(q, 0, qmax)] for q in exact]
    nearest = border.nearest_crossings(bits, zero_point)
    assert border.codes(t, nearest, zero_point).tolist() == expected
    zero = border.bordered_codes(t, np.zeros((1, 3)), bits, zero_point=zero_point)
    assert zero.tolist() == expected


def test_nan_has_no_code() -> None:
    t = np.array([[0.5], [np.nan]])
    with pytest.raises(InputError, match="NaN"):
        border.codes(t, border.nearest_crossings(2))
    with pytest.raises(InputError, match="NaN"):
        border.bordered_codes(t, np.zeros((1, 1)), 2)


@pytest.mark.parametrize("squash", SQUASHES)
def test_constant_and_linear_borders_are_quadratic_ones_with_zeros(squash: str) -> None:
    for short in ([0.1], [0.1, -0.3]):
        whole = [*short, 0, 0][:3]
        assert (
            border.crossings(row(*short), 3, squash=squash).tolist()
            == border.crossings(row(*whole), 3, squash=squash).tolist()
        )
    with pytest.raises(InputError, match="coefficients"):
        border.crossings(row(0, 0, 0, 0), 3)


@pytest.mark.parametrize(("squash", "steep"), [("clip", (-0.5, 4.5)), ("sigmoid", (0.6, 4.0))])
def test_a_steep_border_that_has_one_crossing_all_the_same_is_kept(
    squash: str, steep: tuple[float, ...]
) -> None:
    t = np.linspace(0, 3, 3001)[:, None]
    counted = border.codes(t, border.crossings(row(*steep), 2, squash=squash))
    assert counted.tolist() == border.bordered_codes(t, row(*steep), 2, squash=squash).tolist()


@pytest.mark.parametrize("squash", SQUASHES)
def test_the_sigmoid_has_the_slope_of_the_clip_at_one_half(squash: str) -> None:
    """A factor of 4 left out, or the border of x instead of t = x/s, moves these."""
    b = border.border(np.array([[1.5]]), row(0, 2e-4), 3, squash=squash)
    assert float(b[0, 0]) == pytest.approx(0.5 + 1e-4, abs=1e-9)


def test_padding_stays_zero_whatever_the_border() -> None:
    extreme = np.array([[-1e3, 0, 0], [1e3, 0, 0], [0, -50, 0]], np.float64)
    for squash in SQUASHES:
        codes = border.codes(np.zeros((1, 3)), border.crossings(extreme, 2, squash=squash))
        assert not codes.any()


def test_a_border_that_is_not_monotone_is_refused_and_named() -> None:
    steep = np.array([[0, 0, 0], [-6.0, 12.0, 0]], np.float64)
    with pytest.raises(InputError, match="channel 1"):
        border.crossings(steep, 2, squash="clip")


def test_coefficients_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        border.crossings(row(np.nan, 0, 0), 2)


def test_an_unknown_squash_is_refused() -> None:
    with pytest.raises(InputError, match="tanh"):
        border.crossings(row(0, 0, 0), 2, squash="tanh")


weights = st.lists(st.integers(-20, 20).map(lambda v: v / 8), min_size=3, max_size=3)


@settings(max_examples=200)
@given(w=weights, w_hat=weights, t=st.integers(0, 64).map(lambda v: v / 16))
def test_the_closed_form_border_makes_the_better_of_the_two_roundings(
    w: list[float], w_hat: list[float], t: float
) -> None:
    """Spec: AQ-BORDER-3."""
    down, up = oracle.best_code(Fraction(t), [Fraction(v) for v in w], [Fraction(v) for v in w_hat])
    slope = float(border.weight_error_slope(np.array(w), np.array(w_hat)))
    best = 0.5 + t * slope
    fraction = t - np.floor(t)
    if abs(fraction - best) > 1e-9 and any(w_hat):  # not at the tie of the two errors
        assert (fraction > best) == (up < down)


def test_the_regression_recovers_a_border_that_is_exactly_quadratic() -> None:
    t = np.linspace(0.01, 2.99, 200)
    tau = t / 3
    wanted = (t - (0.1 - 0.2 * tau + 0.3 * tau**2)) / 0.9
    found = border.closed_form_coefficients(t, wanted, 0.9, 3)
    assert found == pytest.approx([0.1, -0.2, 0.3], abs=1e-10)
    assert border.closed_form_coefficients(t, wanted, 0.9, 3, degree=0)[1:].tolist() == [0, 0]
    with pytest.raises(InputError, match="no sample"):
        border.closed_form_coefficients(np.array([0.0, 5.0]), np.array([0.0, 5.0]), 1.0, 3)


@settings(max_examples=40)
@given(data=st.data())
def test_no_linear_border_beats_the_closed_form_under_a_weight_error(data: st.DataObject) -> None:
    """Search over constant and slope: the squared error of all outputs, over many t, is least."""
    w = np.array(data.draw(weights))
    w_hat = np.array(data.draw(weights))
    t = np.linspace(0.03, 2.97, 60)

    def error(borders: np.ndarray) -> np.ndarray:
        """Of borders (..., 60): sum over t and outputs of (w*t - w_hat*t_hat)^2."""
        up = t - np.floor(t) >= np.clip(borders, 1e-9, 1)
        t_hat = np.floor(t) + up
        difference = w[:, None] * t - w_hat[:, None] * t_hat[..., None, :]
        return np.asarray((difference**2).sum(axis=(-2, -1)))

    constant, slope = np.meshgrid(np.linspace(-1, 2, 25), np.linspace(-2, 2, 33))
    searched = error(constant[..., None] + slope[..., None] * t)
    found = error(0.5 + t * float(border.weight_error_slope(w, w_hat)))
    assert found <= searched.min() + 1e-9


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), degree=st.integers(0, 2))
def test_no_polynomial_fits_better_than_the_closed_form_from_samples(
    seed: int, degree: int
) -> None:
    """The regression's own error: search around it, in every coefficient that it has.

    Spec: AQ-BORDER-4.
    """
    draw = np.random.default_rng(seed)
    wanted = draw.uniform(-0.5, 3.5, 80)
    arriving = wanted + 0.3 * draw.standard_normal(80)
    rho = float(draw.uniform(0.6, 1.4))
    zero_point = int(draw.integers(0, 3))
    found = border.closed_form_coefficients(
        arriving, wanted, rho, 3, zero_point=zero_point, degree=degree
    )
    low, high = -zero_point, 3 - zero_point
    samples = [(a, t) for a, t in zip(arriving, wanted, strict=True) if low < a < high]

    def error(b: np.ndarray) -> float:
        total = 0.0
        for a, t in samples:
            tau = a / max(-low, high)
            total += (a - rho * t - sum(c * tau**k for k, c in enumerate(b))) ** 2
        return total

    assert not found[degree + 1 :].any()
    least = error(found)
    for _ in range(30):
        step = np.zeros(3)
        step[: degree + 1] = draw.standard_normal(degree + 1) * draw.choice([1e-3, 1e-1, 1])
        assert error(found + step) >= least - 1e-9


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_where_wanted_is_a_function_of_what_arrives_no_constant_or_line_beats_the_closed_form(
    seed: int,
) -> None:
    """The squared output error itself, by search over B: t = p*t~ + q, so E[t | t~] is known."""
    draw = np.random.default_rng(seed)
    w_hat, w = draw.uniform(0.5, 1.5, (2, 4))
    arriving = np.linspace(0.03, 2.97, 60)
    wanted = float(draw.uniform(0.8, 1.2)) * arriving + float(draw.uniform(-0.2, 0.2))
    rho = float((w * w_hat).sum() / (w_hat * w_hat).sum())
    b = border.closed_form_coefficients(arriving, wanted, rho, 3, degree=1)

    def error(borders: np.ndarray) -> np.ndarray:
        up = arriving - np.floor(arriving) >= np.clip(borders, 1e-9, 1)
        x_hat = np.floor(arriving) + up
        difference = w[:, None] * wanted - w_hat[:, None] * x_hat[..., None, :]
        return np.asarray((difference**2).sum(axis=(-2, -1)))

    constant, slope = np.meshgrid(np.linspace(-1, 2, 31), np.linspace(-2, 2, 41))
    searched = error(constant[..., None] + slope[..., None] * arriving / 3)
    assert error(0.5 + b[0] + b[1] * arriving / 3) <= searched.min() + 1e-9


def test_the_closed_form_is_affine_in_rho() -> None:
    """Spec: AQ-BORDER-6."""
    draw = np.random.default_rng(5)
    wanted = draw.uniform(0, 3, 200)
    arriving = wanted + 0.2 * draw.standard_normal(200)
    ends = [border.closed_form_coefficients(arriving, wanted, rho, 3) for rho in (0.0, 1.0)]
    for rho in (-0.5, 0.3, 0.9, 2.0):
        between = ends[0] + rho * (ends[1] - ends[0])
        assert border.closed_form_coefficients(arriving, wanted, rho, 3) == pytest.approx(between)
