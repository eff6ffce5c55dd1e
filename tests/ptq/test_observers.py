from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq.adaround import (
    dequantized,
    nearest_codes,
)
from aquant_ref.ptq.observers import (
    BINS,
    NORM,
    SCALE_FLOOR,
    SHRINKS,
    Observer,
    _activation_error,
    _candidates,
    _least_errors,
    search_weight_scale,
)

rng = np.random.default_rng(0)

MANY = 4 * BINS  # values from which on the search leaves out scales


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
