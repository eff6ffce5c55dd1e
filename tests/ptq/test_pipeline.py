from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.errors import InputError
from aquant_ref.nn.fold import fold_batch_norm
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.ptq import Config, nearest, observe, quantize_with
from aquant_ref.ptq.adaround import (
    AdaRound,
    dequantized,
    nearest_codes,
    rectified_sigmoid,
    regularizer,
    regularizer_beta,
)
from aquant_ref.ptq.methods import FIRST, METHODS
from aquant_ref.ptq.observers import (
    BINS,
    NORM,
    SCALE_FLOOR,
    SHRINKS,
    Observer,
    WeightScale,
    _activation_error,
    _candidates,
    _least_errors,
    search_weight_scale,
)
from aquant_ref.ptq.placement import boundary_layers, boundary_tensors, layer_bits, tensor_bits
from aquant_ref.ptq.reconstruction import block_error, coin_flips, run_pass
from aquant_ref.ptq.snap import snap_ratio, to_single
from reference_models import resnet8
from tests.ptq import small

rng = np.random.default_rng(0)
MANY = 4 * BINS  # values from which on the search leaves out scales


def graph() -> Graph:
    layer = Builder((2, 6, 6))
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=4, kernel=3, padding=1)
        x = layer("relu", "relu", x)
    with layer.block("body"):
        y = layer("conv1", "conv2d", x, channels=4, kernel=3, padding=1)
        y = layer("conv2", "conv2d", layer("relu1", "relu", y), channels=4, kernel=3, padding=1)
        x = layer("relu2", "relu", layer("add", "add", y, x))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=3)
    return layer.graph()


def parameters() -> dict[str, np.ndarray]:
    return small.parameters(graph())


def images(count: int = 48) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 2, 6, 6)).astype(np.uint8)


CONFIG = Config(iterations=40, batch=16)


# Observers


def search_activation_scale(name: str, x: Any, bits: int) -> tuple[float, int]:
    observer = Observer(name)
    observer.look(x)
    return observer.search(bits)


def test_the_activation_search_finds_the_best_of_its_hundred_shrinks() -> None:
    x = np.abs(rng.standard_normal((4, 3, 5, 5))).astype(np.float32)
    found, zero_point = search_activation_scale("x", x, 2)
    assert zero_point == 0
    candidates = [float(x.max()) * i / (SHRINKS * 3) for i in range(1, SHRINKS + 1)]

    def error(scale: float) -> float:
        codes = np.clip(np.floor(x / scale + 0.5), 0, 3)
        return float((np.abs(x - codes * scale) ** NORM).mean())

    assert found in [pytest.approx(c) for c in candidates]
    assert error(found) <= min(error(c) for c in candidates) * (1 + 1e-4)


VALUES: dict[str, np.ndarray] = {
    "of a ReLU": np.maximum(rng.standard_normal(MANY), 0),
    "of both signs": rng.standard_normal(MANY) + 0.5,
    "with long tails": rng.standard_normal(MANY) ** 5,
    "of few kinds": np.rint(3 * rng.standard_normal(MANY)) / 7,
    "one alone": np.full(MANY, 0.7),
    # past bugs: more bins than float32 has numbers between, and errors beyond its largest
    "one alone and large": np.full(MANY, 3e18),
    "two neighbours": np.where(np.arange(MANY) % 3, 3000, np.nextafter(np.float32(3000), 1e9)),
    "close together": 5 + 1e-3 * rng.random(MANY),
    "tiny": 1e-40 * rng.random(MANY),
    "large": 1e17 * rng.standard_normal(MANY),
    "with an outlier": np.append(1e-3 * rng.standard_normal(MANY - 1), 1e6),
}


@pytest.mark.parametrize("bits", [1, 2, 5, 8, 16])
@pytest.mark.parametrize("kind", VALUES)
def test_the_activation_search_of_many_values_leaves_out_none_that_could_be_the_best(
    kind: str, bits: int
) -> None:
    """Their errors are not computed, and what is found is the first of the least all the same."""
    values, qmax = VALUES[kind].astype(np.float32), 2**bits - 1
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    candidates = [(s, z) for s, each in _candidates(low, high, qmax, "qdrop") for z in each]
    errors = np.array([_activation_error(values, *each, qmax) for each in candidates])
    assert (_least_errors(values, candidates, qmax) <= errors).all()
    assert search_activation_scale("x", values.reshape(4, -1), bits) == candidates[errors.argmin()]


def test_the_weight_search_is_per_channel_and_no_worse_than_the_full_range() -> None:
    w = rng.standard_normal((3, 2, 3, 3)) * np.array([1, 10, 0.1])[:, None, None, None]
    found = search_weight_scale("w", w, 2, per_channel=True)
    for channel in range(3):
        row = w[channel].ravel()
        full = (row.max() - row.min()) / 3

        def error(scale: float, zero_point: int, row: np.ndarray = row) -> float:
            codes = np.clip(np.floor(row / scale + 0.5) + zero_point, 0, 3)
            return float((np.abs(row - scale * (codes - zero_point)) ** NORM).mean())

        best = error(found.scale[channel], found.zero_point[channel])
        assert all(best <= error(full, z) + 1e-12 for z in range(1, 3))
    shared = search_weight_scale("w", w, 8, per_channel=False)
    assert len(set(shared.scale)) == len(set(shared.zero_point)) == 1


def test_a_channel_of_zeros_stays_zero_and_finite() -> None:
    w = np.zeros((2, 1, 3, 3))
    w[1] = 1
    found = search_weight_scale("w", w, 2, per_channel=True)
    assert found.scale[0] == SCALE_FLOOR
    assert not dequantized(nearest_codes(w, found), found, np.float64)[0].any()
    assert search_activation_scale("x", np.zeros((1, 2)), 4) == (SCALE_FLOOR, 0)


@pytest.mark.parametrize(
    ("x", "word"),
    [
        (np.zeros((0, 3)), "no values"),
        (np.array([[np.nan]]), "NaN"),
    ],
)
def test_values_that_cannot_be_observed_are_refused_by_name(x: np.ndarray, word: str) -> None:
    with pytest.raises(InputError, match=f"body.relu.*{word}"):
        search_activation_scale("body.relu", x, 2)


# AdaRound


def scale_of(w: np.ndarray, bits: int = 2) -> WeightScale:
    return search_weight_scale("w", w, bits, per_channel=True)


def test_soft_weights_start_at_the_float_weights_inside_the_range() -> None:
    w = rng.standard_normal((3, 2, 3, 3))
    scale = scale_of(w, 4)
    rounding = AdaRound(w, scale)
    steps = w / scale.scale[:, None, None, None]
    zero = scale.zero_point[:, None, None, None]
    inside = (steps > -zero) & (steps < 15 - zero)
    assert rounding.soft(rounding.start)[inside] == pytest.approx(w[inside], abs=1e-5)


def test_hard_codes_go_up_where_v_is_not_negative() -> None:
    w = np.array([[0.3, 0.3, 0.3]]).reshape(1, 3, 1, 1)
    rounding = AdaRound(w, WeightScale(np.array([1.0]), np.array([1], np.int32), 2))
    v = np.array([-1e-9, 0.0, 1.0]).reshape(1, 3, 1, 1)
    assert rounding.codes(v).ravel().tolist() == [1, 2, 2]  # v = 0 goes up


@given(v=st.floats(-30, 30))
def test_the_rectified_sigmoid_is_its_formula(v: float) -> None:
    expected = min(max(1.2 / (1 + np.exp(-v)) - 0.1, 0), 1)
    assert float(rectified_sigmoid(v)) == pytest.approx(expected)


def test_the_regulariser_is_zero_when_all_is_decided_and_counts_what_is_not() -> None:
    assert regularizer(np.array([-20.0, 20.0]), 20.0) == 0
    assert regularizer(np.array([0.0, 0.0]), 2.0) == pytest.approx(2)
    slope = grad(lambda v: regularizer(v, 2.0))(np.array([0.3]))
    numeric = (regularizer(np.array([0.3 + 1e-6]), 2.0) - regularizer(np.array([0.3]), 2.0)) / 1e-6
    assert slope[0] == pytest.approx(numeric, rel=1e-4)


def test_beta_falls_linearly_from_20_to_2_after_the_warm_up() -> None:
    assert regularizer_beta(19, 100) is None
    assert regularizer_beta(20, 100) == 20
    assert regularizer_beta(60, 100) == 11
    assert regularizer_beta(100, 100) == 2


def test_rounding_hard_weights_again_changes_nothing() -> None:
    w = rng.standard_normal((3, 2, 3, 3))
    scale = scale_of(w)
    codes = AdaRound(w, scale).codes(rng.standard_normal(w.shape))
    again = nearest_codes(dequantized(codes, scale, np.float64), scale)
    assert again.tolist() == codes.tolist()


# Partition


def test_resnet8_has_its_quantizers_where_the_contract_says() -> None:
    network = resnet8.build()
    folded, _ = fold_batch_norm(network, initial_parameters(network, 0))
    assert tensor_bits(folded, 2) == {
        INPUT: 8,
        "stem.relu": 2,
        "stack1.relu1": 2,
        "stack1.relu2": 2,
        "stack2.relu1": 2,
        "stack2.relu2": 2,
        "stack3.relu1": 2,
        "stack3.relu2": 8,
        "head.pool": 8,
    }
    bits = layer_bits(folded, 2)
    assert {n for n, b in bits.items() if b == 8} == {"stem.conv", "head.linear"}
    assert boundary_layers(folded) == {"stem.conv", "head.linear"}
    assert boundary_tensors(folded) == {INPUT, "stack3.relu2", "head.pool"}


# Reconstruction and methods


def test_two_runs_with_one_seed_give_the_same_bytes_and_another_seed_does_not() -> None:
    first, second = (quantize_with(graph(), parameters(), images(), CONFIG) for _ in range(2))
    assert small.same(first, second)
    assert not small.same(
        first, quantize_with(graph(), parameters(), images(), replace(CONFIG, seed=1))
    )


@pytest.mark.parametrize("method", ["qdrop-scales", "aquant"])
def test_a_second_pass_of_no_iterations_is_qdrop_to_the_last_bit(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = METHODS[method]

    def without_second(config: Config) -> tuple[Any, ...]:
        first, second = ours(config)
        return first, replace(second, iterations=0)

    monkeypatch.setitem(METHODS, method, without_second)
    one = quantize_with(graph(), parameters(), images(), replace(CONFIG, method=method))
    assert small.same(
        one, quantize_with(graph(), parameters(), images(), replace(CONFIG, method="qdrop"))
    )


def test_learning_lowers_the_error_of_the_block_and_only_the_border_is_bent() -> None:
    config = Config(iterations=200, batch=16)
    model = quantize_with(graph(), parameters(), images(), config)
    first, second = model.source["block_errors"]
    assert (first["pass"], second["pass"]) == ("qdrop", "border")
    assert first["after"] < first["before"]
    assert second["after"] < second["before"]
    bent = model.tensors["stem.relu"].crossings
    assert bent.shape == (4, 3)
    assert abs(bent - (np.arange(3) + 0.5)).max() > 0.01
    assert model.tensors["body.relu2"].crossings.shape == (1, 255)  # 8 bits: nearest


def test_nearest_rounding_learns_nothing() -> None:
    model = nearest(graph(), parameters(), images(), CONFIG)
    assert model.source["block_errors"] == []
    observed = observe(graph(), parameters(), graph().to_float(images()), CONFIG)
    assert model.layers["body.conv1"].codes.tolist() == observed.codes["body.conv1"].tolist()


def test_progress_wraps_every_block_of_every_pass() -> None:
    labels: list[str] = []

    def progress(steps: Iterable[int], label: str) -> Iterable[int]:
        labels.append(label)
        return steps

    quantize_with(graph(), parameters(), images(), replace(CONFIG, iterations=5), progress=progress)
    assert labels == ["qdrop body", "border body"]


def test_the_block_error_sums_channels_and_averages_the_rest() -> None:
    assert block_error(np.ones((2, 3, 4, 5)), np.zeros((2, 3, 4, 5))) == 3


def test_coin_flips_are_fair_and_of_the_asked_shape() -> None:
    flips = coin_flips(np.random.default_rng(0), (7, 11, 13))
    assert flips.dtype == np.bool_
    assert flips.shape == (7, 11, 13)
    assert abs(flips.mean() - 0.5) < 0.05


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("method", "magic", "magic"),
        ("weight_bits", 0, "weight bits"),
        ("act_bits", 17, "activation bits"),
        ("iterations", -1, "iterations"),
        ("batch", 0, "batch"),
        ("seed", -1, "seed"),
    ],
)
def test_a_configuration_that_is_none_is_refused(field: str, value: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(CONFIG, **{field: value})


def test_too_few_images_and_broken_weights_are_refused() -> None:
    with pytest.raises(InputError, match="images: there are none"):
        quantize_with(graph(), parameters(), images(0), CONFIG)
    with pytest.raises(InputError, match="fewer than a batch"):
        quantize_with(graph(), parameters(), images(15), CONFIG)
    broken = parameters()
    broken["body.conv1.weight"][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"body.conv1.weight.*NaN"):
        quantize_with(graph(), broken, images(), CONFIG)


def test_an_error_that_is_not_finite_stops_the_pass() -> None:
    network = observe(graph(), parameters(), graph().to_float(images()), CONFIG)
    network.parameters["body.conv2.bias"][:] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match="body"):
        run_pass(network, graph().to_float(images()), replace(FIRST, batch=16), seed=(0,))


# Snap


@given(
    value=st.floats(1e-12, 1e6),
    reference=st.floats(1e-6, 1e3).map(lambda v: float(to_single(v))).filter(bool),
)
def test_a_snapped_ratio_has_16_bits_and_is_near(value: float, reference: float) -> None:
    """Spec: AQ-SNAP-2."""
    snapped = float(snap_ratio(np.array([value]), np.array([reference]))[0])
    ratio = Fraction(snapped) / Fraction(reference)
    assert ratio.denominator & (ratio.denominator - 1) == 0  # a power of two
    odd = ratio.numerator
    while odd % 2 == 0:
        odd //= 2
    assert odd < 2**16
    assert abs(snapped / value - 1) <= 2.0**-16


def test_both_terms_of_an_add_share_a_unit_after_the_snap() -> None:
    """Spec: AQ-SNAP-2, AQ-SNAP-3."""
    model = nearest(graph(), parameters(), images(), CONFIG)
    scale = Fraction(model.tensors["stem.relu"].scale)
    for unit in model.layers["body.conv2"].unit.tolist():
        ratio = Fraction(unit) / scale
        assert ratio.denominator & (ratio.denominator - 1) == 0
    last = model.layers["head.linear"]
    assert len(set(last.unit.tolist())) == 1
    assert (last.bias / last.unit == np.rint(last.bias / last.unit)).all()


def test_scales_and_units_have_the_24_bits_of_a_float32() -> None:
    """But for a unit that an add moves. Spec: AQ-SNAP-1."""
    model = nearest(graph(), parameters(), images(), CONFIG)
    scales = [tensor.scale for tensor in model.tensors.values()]
    for value in (*scales, *model.layers["stem.conv"].unit, *model.layers["body.conv1"].unit):
        numerator, _ = float(value).as_integer_ratio()
        odd = numerator // (numerator & -numerator)
        assert odd.bit_length() <= 24


def test_the_unit_of_a_layer_is_the_product_of_its_scales() -> None:
    model = nearest(graph(), parameters(), images(), CONFIG)
    observed = observe(graph(), parameters(), graph().to_float(images()), CONFIG)
    for name in ("body.conv1", "body.conv2"):
        product = observed.scales[name].scale * model.input_scale(name)
        assert model.layers[name].unit == pytest.approx(product, rel=2.0**-15)
        assert model.weight_scale(name) == pytest.approx(observed.scales[name].scale, rel=2**-15)
