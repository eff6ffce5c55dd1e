"""Layers as other engines compute them.

The expected codes are answers of the engines themselves, recorded with the versions named, or
follow by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, Adapter
from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter
from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.expected.layer_peers import code_of
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.conformance.vectors import load

LAYERS = ("conv2d", "depthwise", "linear")
ALTERNATIVES = tuple(OPERATIONS["conv2d"].alternatives)
UINT8 = {"qmin": 0, "qmax": 255}
# a layer of one input: code, weight, their scales, scale of the result, bias, zero point; and the
# uint8 codes of torch 2.13 with fbgemm (a scale for each channel, one scale), qnnpack, onednn
TORCH = ("fbgemm", "fbgemm_tensor", "qnnpack", "onednn")
ANSWERS = [
    (
        (201, 37, "0x1.51ep-7", "0x1.a6p-10", "0x1.659c48p-8", "0x1.8cd2acp-5", 144),
        (176, 176, 175),
    ),
    (
        (11, 114, "0x1.a9ap-7", "0x1.95cp-10", "0x1.96bdbcp-13", "-0x1.7cbd04p-10", 91),
        (213, 213, 214),
    ),
    (
        (175, 50, "0x1.f4bp-7", "0x1.616p-10", "0x1.690e16p-8", "0x1.2e3b24p-3", 99),
        (159, 158, 159),
    ),
    (
        (237, 24, "0x1.578p-7", "0x1.25fp-10", "0x1.7dac9ep-17", "-0x1.0b35bep-4", 83),
        (225, 226, 226),
    ),
    (
        (109, 31, "0x1.4f4p-7", "0x1.a52p-10", "0x1.334d9ap-10", "-0x1.92230cp-5", 166),
        (171, 172, 171),
    ),
]
# the same without a bias; and the code of onnxruntime 1.32, which rounds U/Y, and that of F(X*W/Y)
PRODUCTS = [
    ((18, 111, "0x1.614c08p-7", "0x1.f2533cp-9", "0x1.7bff28p-10", "0x0p+0", 186), 243, 242),
    ((7, 74, "0x1.0e8daap-6", "0x1.ee0534p-9", "0x1.1c1626p-11", "0x0p+0", 149), 208, 209),
    ((100, 5, "0x1.c407f2p-7", "0x1.310268p-9", "0x1.cd1a9p-12", "0x0p+0", 185), 222, 221),
    ((7, 16, "0x1.64c4p-7", "0x1.a86418p-10", "0x1.9e01aep-11", "0x0p+0", 112), 115, 114),
]


def answer(adapter: Adapter, profile: str, layer: tuple[Any, ...]) -> int:
    """The code of a linear layer of one input."""
    x, w, x_scale, weight_scale, scale, bias, zero = layer
    method: Any = getattr(adapter, "linear")  # noqa: B009
    q = method(
        x=np.array([x]),
        x_scale=float.fromhex(x_scale),
        x_zero=0,
        weight=np.array([[w]]),
        weight_scale=np.array([float.fromhex(weight_scale)]),
        weight_zero=np.array([0]),
        bias=np.array([float.fromhex(bias)]),
        scale=float.fromhex(scale),
        zero_point=zero,
        profile=profile,
        **UINT8,
    )
    return int(np.ravel(q)[0])


@pytest.mark.parametrize("adapter", [OracleAdapter(), EngineAdapter(), Layers()])
@pytest.mark.parametrize(("layer", "codes"), ANSWERS)
def test_layers_with_a_real_bias_are_what_torch_answered(
    adapter: Adapter, layer: Any, codes: tuple[int, ...]
) -> None:
    """Spec: AQ-LAYER-4 to AQ-LAYER-6."""
    answers = [answer(adapter, profile, layer) for profile in TORCH[:3]]
    assert answers == list(codes)


@pytest.mark.parametrize("adapter", [OracleAdapter(), EngineAdapter(), Layers()])
@pytest.mark.parametrize(("layer", "product", "ratio"), PRODUCTS)
def test_a_multiplier_of_float32_scales_is_that_of_onnxruntime(
    adapter: Adapter, layer: Any, product: int, ratio: int
) -> None:
    """Spec: AQ-LAYER-1."""
    assert answer(adapter, "float32_product", layer) == product
    assert answer(adapter, "float32", layer) == ratio


# acc 3, all scales 1/2, so M = 1/2: 1.5 steps; and the zero points 10 and 11
@pytest.mark.parametrize(
    ("profile", "zero", "code"),
    [
        ("float32_product", 10, 12),  # half_even(1.5) + 10
        ("float32_product", 11, 13),
        ("float32_zero_first", 10, 12),  # half_even(11.5)
        ("float32_zero_first", 11, 12),  # half_even(12.5)
        ("float64_product", 10, 12),
        ("float64_product", 11, 12),
        ("onednn", 11, 12),
        ("fbgemm", 11, 13),
        ("fbgemm_tensor", 11, 13),
        ("qnnpack", 11, 13),
    ],
)
def test_the_zero_point_joins_before_or_after_the_rounding(
    profile: str, zero: int, code: int
) -> None:
    """Spec: AQ-LAYER-2, AQ-LAYER-3, AQ-LAYER-9."""
    scales = {"x_scale": 0.5, "weight_scale": 0.5, "scale": 0.5, "bias": 0.0}
    assert code_of(profile, 3, zero_point=zero, **scales, **UINT8) == code


def test_a_multiplier_of_float32_makes_a_tie_of_fifteen_sixths() -> None:
    """Spec: AQ-LAYER-9: F(1/6) is above 1/6, so that 15 steps are above 5/2 in float64."""
    scales = {"x_scale": 1.0, "weight_scale": 1.0, "scale": 6.0, "bias": 0.0, "zero_point": 0}
    assert code_of("float64_product", 15, **scales, **UINT8) == 3
    assert code_of("float32_product", 15, **scales, **UINT8) == 2


def test_a_real_bias_is_rounded_by_qnnpack_alone() -> None:
    """Spec: AQ-LAYER-6: a unit is 4 steps; 2.5 units are 2, and 10 steps elsewhere."""
    fields = {"x_scale": 0.5, "weight_scale": 0.5, "scale": 2.0**-4, "zero_point": 0, "bias": 0.625}
    codes = {profile: code_of(profile, 1, **fields, **UINT8) for profile in TORCH}
    assert codes == {"fbgemm": 14, "fbgemm_tensor": 14, "qnnpack": 12, "onednn": 14}


@pytest.mark.parametrize(("acc", "code"), [(-1, 192), (0, 192), (1, 64)])
def test_the_sum_of_qnnpack_wraps(acc: int, code: int) -> None:
    """Spec: AQ-LAYER-6: torch 2.13 gives these; the bias, 2^31 units, saturates first."""
    fields = {"x_scale": 2.0**-7, "weight_scale": 2.0**-9, "scale": 2.0**9, "zero_point": 128}
    assert code_of("qnnpack", acc, bias=2.0**15, **fields, **UINT8) == code


INT16 = {"zero_point": 0, "qmin": -(2**15), "qmax": 2**15 - 1}


@pytest.mark.parametrize(
    ("acc", "scale", "code"),
    [
        (3, 0.5, 2),  # 1.5 goes up
        (-3, 0.5, -1),
        (2**16, 2.5, 6554),  # 2^16/10 is 6553.6
        (10**5, 0.75, 33333),  # beyond int16, which clips
        (3 * 2**30, 3 * 2.0**17, 2048),  # r is 21845, so 2047.97 and not 2048
    ],
)
def test_the_multiplier_of_16x8_has_15_bits(acc: int, scale: float, code: int) -> None:
    """Spec: AQ-LAYER-7."""
    scales = {"x_scale": 0.5, "weight_scale": 0.5, "scale": scale, "bias": 0.0}
    clipped = min(code, 2**15 - 1)
    assert code_of("tflite_16x8", acc, **scales, **INT16) == clipped


@pytest.mark.parametrize(("acc", "bias"), [(2**47, 0.0), (2**46, 2.0**44)])
def test_a_sum_of_48_bits_is_refused(acc: int, bias: float) -> None:
    """Spec: AQ-LAYER-7."""
    scales = {"x_scale": 0.5, "weight_scale": 0.5, "scale": 2.0**31}
    with pytest.raises(Refused):
        code_of("tflite_16x8", acc, bias=bias, **scales, **INT16)


@pytest.mark.parametrize(
    ("acc", "scale", "code"), [(3, 0.5, 12), (-3, 0.5, 9), (3, 2.0**-4, 22), (-1, 0.5, 10)]
)
def test_a_power_of_two_is_a_shift(acc: int, scale: float, code: int) -> None:
    """Spec: AQ-LAYER-8: 1.5 and -1.5 go up; 2^2 shifts to the left."""
    scales = {"x_scale": 0.5, "weight_scale": 0.5, "scale": scale, "bias": 0.0}
    assert code_of("power_of_two", acc, zero_point=10, **scales, **UINT8) == code


def test_other_multipliers_are_refused_where_all_is_shifted() -> None:
    """Spec: AQ-LAYER-8."""
    scales = {"x_scale": 0.5, "weight_scale": 0.5, "scale": 0.75, "bias": 0.0}
    with pytest.raises(Refused):
        code_of("power_of_two", 3, zero_point=0, **scales, **UINT8)


def test_several_scales_are_refused_where_there_is_one() -> None:
    """Spec: AQ-LAYER-5."""
    linear = OPERATIONS["linear"].expected
    fields = {"x": [1], "x_scale": 0.5, "x_zero": 0, "weight": [[1], [1]], "weight_zero": [0, 0]}
    ends = {"bias": [0.0, 0.0], "scale": 0.5, "zero_point": 0, **UINT8}
    assert linear(**fields, **ends, weight_scale=[0.5, 0.5], profile="fbgemm_tensor") == ([0, 0],)
    with pytest.raises(Refused):
        linear(**fields, **ends, weight_scale=[0.5, 0.25], profile="fbgemm_tensor")


# a real bias that is a whole number of units nearly always makes the same sum
ALMOST = {
    "float32_product": {"fbgemm", "fbgemm_tensor"},
    "power_of_two": {"ideal", "exact", "tflite_single"},  # the same, for such scales
}


@pytest.mark.parametrize("operation", LAYERS)
@pytest.mark.parametrize("profile", ALTERNATIVES)
def test_the_vectors_tell_each_alternative_from_every_other_variation(
    operation: str, profile: str
) -> None:
    """Where another one has another code, or cannot compute a case."""
    expected = OPERATIONS[operation].expected
    groups = [g for g in load(operation) if g.selection.profile == profile]
    for other in set(OPERATIONS[operation].choices) - {profile} - ALMOST.get(profile, set()):
        assert any(differs(group, expected, other) for group in groups), other


def differs(group: Any, expected: Any, other: str) -> bool:
    for k in np.flatnonzero(~group.expected.refused).tolist():
        try:
            (q,) = expected(**group.cases.inputs(k), profile=other)
        except Refused:
            return True
        if q != group.expected.low[0][k].tolist():
            return True
    return False
