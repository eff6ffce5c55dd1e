from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from aquant_ref import oracle, threads
from aquant_ref.errors import InputError
from aquant_ref.quant import a_rounding_pixels
from aquant_ref.quant.a_rounding import exhaustive, greedy_flips, nearest
from aquant_ref.quant.a_rounding_pixels import element_flips


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    threads.set_threads(None)


class Convolution(NamedTuple):
    channels: int
    outputs: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1


CONVOLUTIONS = {
    "plain": Convolution(2, 3, (5, 4), (3, 3), padding=(1, 1)),
    "no padding": Convolution(2, 2, (4, 5), (3, 2)),
    "stride": Convolution(2, 3, (6, 5), (3, 3), (2, 2), (1, 1)),
    "uneven stride": Convolution(1, 2, (7, 4), (3, 2), (2, 1), (2, 0)),
    "pixels that no window meets": Convolution(2, 2, (5, 6), (1, 2), (2, 3)),
    "kernel of one": Convolution(3, 2, (3, 2), (1, 1)),
    "one window": Convolution(2, 2, (2, 3), (2, 3)),
    "one row": Convolution(1, 1, (1, 6), (1, 3), padding=(0, 1)),
    "more padding than kernel": Convolution(1, 2, (3, 3), (2, 2), padding=(2, 2)),
    "depthwise": Convolution(3, 3, (4, 4), (3, 3), padding=(1, 1), groups=3),
    "groups": Convolution(4, 6, (3, 4), (2, 2), groups=2),
}
each = pytest.mark.parametrize("of", CONVOLUTIONS.values(), ids=CONVOLUTIONS)


def problem(of: Convolution, seed: int, n: int = 1) -> tuple[Any, Any, Any]:
    """x, weight and target in small fractions, so that float arithmetic is exact; some integers."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-12, 20, (n, of.channels, *of.size)) / 4
    weight = rng.integers(-16, 17, (of.outputs, of.channels // of.groups, *of.kernel)) / 8
    target = np.array([convolved(of, image, weight) for image in x], np.float64)
    return x, weight, target + rng.integers(-8, 9, target.shape) / 8


def convolved(of: Convolution, image: Any, weight: Any) -> Any:
    x, w = (oracle.apply(Fraction, v.tolist()) for v in (image, weight))
    return oracle.conv2d(x, w, stride=of.stride, padding=of.padding, groups=of.groups)


def error(of: Convolution, codes: Any, weight: Any, target: Any) -> Fraction:
    """Of one image, over all outputs."""
    got, wanted = (oracle.flatten(v) for v in (convolved(of, codes, weight), target.tolist()))
    return sum(((Fraction(y) - v) ** 2 for v, y in zip(got, wanted, strict=True)), Fraction(0))


def flipped(of: Convolution, x: Any, weight: Any, target: Any, **more: Any) -> Any:
    places = {"stride": of.stride, "padding": of.padding, "low": -1, "high": 2}
    return element_flips(x, weight, target, **{**places, **more})


@each
def test_codes_are_floor_or_ceil_clipped_and_integers_never_move(of: Convolution) -> None:
    x, weight, target = problem(of, 0)
    codes = flipped(of, x, weight, target)
    assert codes.shape == x.shape
    for code, v in zip(codes.ravel().tolist(), x.ravel().tolist(), strict=True):
        assert code in oracle.roundings(Fraction(v), -1, 2)


@each
def test_the_error_never_rises_from_sweep_to_sweep(of: Convolution) -> None:
    x, weight, target = problem(of, 1, n=6)
    swept = [flipped(of, x, weight, target, sweeps=sweeps) for sweeps in range(4)]
    assert swept[0].tolist() == nearest(x, -1, 2).tolist()
    errors = [[error(of, codes[k], weight, target[k]) for codes in swept] for k in range(len(x))]
    for of_image in errors:
        assert of_image == sorted(of_image, reverse=True)
    assert any(of_image[0] > of_image[-1] for of_image in errors)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sweeps_end_where_no_single_flip_lowers_the_error(of: Convolution, dtype: type) -> None:
    x, weight, target = (v.astype(dtype) for v in problem(of, 2))
    codes = flipped(of, x, weight, target, sweeps=1000)
    assert codes.dtype == dtype
    least = error(of, codes[0], weight, target[0])
    for at in np.ndindex(codes.shape):
        for other in oracle.roundings(Fraction(float(x[at])), -1, 2):
            changed = codes.copy()
            changed[at] = other
            assert error(of, changed[0], weight, target[0]) >= least


@each
def test_what_is_won_is_won_for_each_image_alone(of: Convolution) -> None:
    x, weight, target = problem(of, 3, n=3)
    together = flipped(of, x, weight, target)
    alone = [flipped(of, x[k : k + 1], weight, target[k : k + 1])[0] for k in range(3)]
    assert together.tolist() == np.array(alone).tolist()


def test_a_kernel_of_one_is_the_search_of_windows() -> None:
    of = CONVOLUTIONS["kernel of one"]
    x, weight, target = problem(of, 4, n=2)
    codes = flipped(of, x, weight, target, sweeps=1)
    windows = greedy_flips(
        x.reshape(2, 3, 6), weight[:, :, 0, 0], target.reshape(2, 2, 6), low=-1, high=2
    )
    assert codes.tolist() == windows.reshape(x.shape).tolist()


def test_one_window_is_no_better_than_its_best_combination() -> None:
    of = CONVOLUTIONS["one window"]
    x, weight, target = problem(of, 5)
    rows, outputs = (1, 12, 1), (1, 2, 1)
    best = exhaustive(
        x.reshape(rows), weight.reshape(2, 12), target.reshape(outputs), low=-1, high=2
    )
    codes = flipped(of, x, weight, target)
    least = error(of, best.reshape(x.shape)[0], weight, target[0])
    assert error(of, codes[0], weight, target[0]) >= least


def test_pixels_that_no_window_meets_stay_nearest() -> None:
    of = CONVOLUTIONS["pixels that no window meets"]
    x, weight, target = problem(of, 6)
    codes = flipped(of, x, weight, target + 99)
    start = nearest(x, -1, 2)
    assert codes[:, :, 1::2].tolist() == start[:, :, 1::2].tolist()
    assert codes[:, :, :, 2::3].tolist() == start[:, :, :, 2::3].tolist()
    assert codes.tolist() != start.tolist()


def test_weights_of_zero_move_nothing() -> None:
    of = CONVOLUTIONS["plain"]
    x, weight, target = problem(of, 7)
    assert flipped(of, x, 0 * weight, target).tolist() == nearest(x, -1, 2).tolist()


@pytest.mark.usefixtures("_restored")
def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a_rounding_pixels, "ELEMENTS", 1)  # one image a block
    of = Convolution(4, 5, (9, 8), (3, 3), padding=(1, 1))
    rng = np.random.default_rng(8)
    x, weight, target = (
        rng.normal(0, 1, shape).astype(np.float32)
        for shape in ((6, 4, 9, 8), (5, 4, 3, 3), (6, 5, 9, 8))
    )
    given = x.tobytes(), weight.tobytes(), target.tobytes()
    found = []
    for count in (1, 3):
        threads.set_threads(count)
        found.append(flipped(of, x, weight, target).tobytes())
    assert found[0] == found[1]
    assert (x.tobytes(), weight.tobytes(), target.tobytes()) == given


def test_no_images_have_no_codes() -> None:
    x, weight, target = problem(CONVOLUTIONS["plain"], 9)
    assert flipped(CONVOLUTIONS["plain"], x[:0], weight, target[:0]).shape == (0, 2, 5, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.full((1, 2, 5, 4), np.nan)}, "NaN"),
        ({"target": np.full((1, 3, 5, 4), np.inf)}, "target"),
        ({"low": 1}, "1..2"),
        ({"padding": (0, 1)}, "fit"),
        ({"stride": (2, 1)}, "fit"),
        ({"x": np.zeros((1, 3, 5, 4))}, "fit"),
        ({"x": np.zeros((2, 5, 4))}, "fit"),
        ({"weight": np.zeros((3, 1, 3, 3))}, "fit"),  # two groups of three outputs
        ({"weight": np.zeros((3, 0, 3, 3))}, "fit"),
        ({"target": np.zeros((1, 2, 5, 4))}, "fit"),
    ],
)
def test_what_has_no_answer_is_refused(change: dict[str, Any], message: str) -> None:
    of = CONVOLUTIONS["plain"]
    x, weight, target = problem(of, 10)
    arguments = {"x": x, "weight": weight, "target": target, "stride": (1, 1), "padding": (1, 1)}
    with pytest.raises(InputError, match=message):
        element_flips(**{**arguments, "low": -1, "high": 2, **change})
