from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.quant import QParams, dequantize, from_range, quantize


@pytest.mark.parametrize("axis", [2, -3])
def test_an_array_without_the_channels_of_the_quantizer_is_refused(axis: int) -> None:
    q = QParams(np.array([1.0, 4.0]), np.array([0, 1]), 4, axis=axis)
    with pytest.raises(InputError, match="2 channels on axis"):
        quantize(np.ones((2, 3)), q)
    with pytest.raises(InputError, match="2 channels on axis"):
        dequantize(np.ones((3, 3), np.int32), q)


@pytest.mark.parametrize(
    ("low", "high", "bits", "scale", "zero_point"),
    [
        (0.0, 0.0, 8, 1e-8, 0),  # a channel that is zero everywhere
        (1.0, 3.0, 2, 1.0, 0),  # zero is forced inside
        (-3.0, -1.0, 2, 1.0, 3),
        (-1.0, 2.0, 2, 1.0, 1),
    ],
)
def test_a_range_gives_scale_and_zero_point(
    low: float, high: float, bits: int, scale: float, zero_point: int
) -> None:
    """Spec: AQ-AFFINE-2."""
    q = from_range(low, high, bits)
    assert (float(q.scale), int(q.zero_point)) == (scale, zero_point)


def test_a_symmetric_range_has_its_zero_in_the_middle() -> None:
    """Spec: AQ-AFFINE-2."""
    q = from_range(-1.0, 254.0, 8, symmetric=True)
    assert (float(q.scale), int(q.zero_point)) == (2.0, 128)  # 127 codes above the middle
    q = from_range(-127.0, 2.0, 8, signed=True, symmetric=True)
    assert (float(q.scale), int(q.zero_point)) == (1.0, 0)


def test_a_range_beyond_float64_is_refused() -> None:
    with pytest.raises(InputError, match="wider"):
        from_range(-1.7e308, 1.7e308, 8)


def test_a_scale_whose_codes_stand_for_infinity_is_refused() -> None:
    assert np.isfinite(dequantize(15, QParams(1e307, 0, 4)))
    with pytest.raises(InputError, match="infinity"):
        QParams(1e307, 0, 8)


@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [
        (np.ones(2), np.zeros(3, np.int64)),
        (np.ones((2, 2)), 0),
        (np.ones(0), 0),
        (np.array(["1"]), 0),
    ],
)
def test_parameters_that_are_not_one_for_each_channel_are_refused(
    scale: np.ndarray, zero_point: np.ndarray
) -> None:
    """Spec: AQ-AFFINE-1."""
    with pytest.raises(InputError, match="scale"):
        QParams(scale, zero_point, 8)


@pytest.mark.parametrize("bits", [0, 17, -1, True, 8.0, "8"])
def test_bits_that_are_not_1_to_16_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match="1 to 16"):
        QParams(1.0, 0, bits)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    """Spec: AQ-AFFINE-1."""
    with pytest.raises(InputError, match="scale"):
        QParams(scale, 0, 8)


def test_a_zero_point_outside_the_codes_is_refused() -> None:
    with pytest.raises(InputError, match="zero point"):
        QParams(1.0, 16, 4)
    with pytest.raises(InputError, match="zero point"):
        QParams(1.0, 0.5, 4)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (np.nan, 1.0), (0.0, np.inf)])
def test_a_range_that_is_none_is_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match="range"):
        from_range(low, high, 8)
