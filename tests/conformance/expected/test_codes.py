"""Operations between codes: worked by hand, or what the engines themselves answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS
from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter
from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.expected import Refused, codes, layers

UINT8 = {"qmin": 0, "qmax": 255}
ADAPTERS = pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])


def answered(adapter: type[Adapter], operation: str, profile: str, **fields: Any) -> int:
    """The only answer to one case; scales may be hexadecimal."""
    columns = {
        key: np.array([float.fromhex(value) if isinstance(value, str) else value])
        for key, value in fields.items()
    }
    more = {"profile": profile} if profile else {}
    return int(np.ravel(getattr(adapter(), operation)(**columns, **more))[0])


@ADAPTERS
@pytest.mark.parametrize(
    ("x", "code"),
    [
        (4, 7),  # 3/2 goes up to 2
        (-2, 4),  # -3/2 goes up to -1
        (1, 5),  # the zero point
        (127, 68),  # 63
        (-128, -59),  # -64.5 goes up to -64
    ],
)
def test_codes_get_another_scale_and_zero_point(adapter: type[Adapter], x: int, code: int) -> None:
    """Spec: AQ-CODES-1: (x - 1)/2 + 5."""
    end = {"scale": 1.0, "zero_point": 5, "qmin": -128, "qmax": 127}
    assert answered(adapter, "rescale_codes", "", x=x, x_scale=0.5, x_zero=1, **end) == code


@ADAPTERS
def test_unsigned_codes_become_signed_ones(adapter: type[Adapter]) -> None:
    """Spec: AQ-CODES-1: between uint8 and int8 of one scale the code moves by 128."""
    one = {"x_scale": 0.1, "scale": 0.1}
    int8 = {"zero_point": 3, "qmin": -128, "qmax": 127}
    for x, code in ((0, -128), (131, 3), (255, 127)):
        assert answered(adapter, "rescale_codes", "", x=x, x_zero=131, **int8, **one) == code
        back = {"x": code, "x_zero": 3, "zero_point": 131, **UINT8}
        assert answered(adapter, "rescale_codes", "", **back, **one) == x


# x, x_scale, x_zero, scale, zero_point; and the uint8 codes of LiteRT 2.3's reference kernel, its
# optimised one in a tensor of 16 elements, XNNPACK in it, and onnxruntime 1.32
RESCALED = [
    (215, "0x1.76p-8", 177, "0x1.3p-9", 35, (128, 128, 129, 129)),
    (113, "0x1.94e01ap-6", 63, "0x1.47501p-4", 129, (145, 145, 144, 144)),
    (124, "0x1.d30494p-6", 251, "0x1.34e9b2p+1", 3, (1, 2, 2, 1)),
    (94, "0x1.38p-4", 221, "0x1.fcp-2", 203, (183, 184, 184, 183)),
    (89, "0x1.345b1ep-7", 197, "0x1.a047cep-2", 5, (2, 3, 2, 2)),
    (62, "0x1.eef1aep-6", 129, "0x1.debdf2p-4", 217, (199, 200, 200, 200)),
    (3, "0x1.0388a4p-6", 87, "0x1.7b2518p-6", 129, (71, 71, 72, 71)),
    (5, "0x1.76a3bap-7", 99, "0x1.402584p-5", 33, (5, 6, 5, 6)),
    (13, "0x1.9fp-6", 17, "0x1p-11", 241, (34, 34, 34, 33)),
]


@ADAPTERS
@pytest.mark.parametrize("case", RESCALED)
def test_codes_are_rescaled_as_the_engines_answered(
    adapter: type[Adapter], case: tuple[Any, ...]
) -> None:
    """Spec: AQ-CODES-2 to AQ-CODES-5."""
    *given, answers = case
    fields = dict(zip(("x", "x_scale", "x_zero", "scale", "zero_point"), given, strict=True))
    profiles = ("tflite", "tflite_up", "xnnpack", "float32")
    got = [answered(adapter, "rescale_codes", each, **fields, **UINT8) for each in profiles]
    assert got == list(answers)


@ADAPTERS
@pytest.mark.parametrize(
    ("a", "b", "code"),
    [
        (3, 0, 9),  # -1/2 goes up to 0
        (3, 2, 10),  # 1/2 goes up to 1
        (1, 200, 9),  # 0
        (0, 4, 8),  # -3/4
        (5, 5, 13),  # 4
        (0, 255, 0),  # -63.5
    ],
)
def test_a_product_of_codes_is_rounded_once(
    adapter: type[Adapter], a: int, b: int, code: int
) -> None:
    """Spec: AQ-CODES-6: (a - 1)*(b - 1)/4 + 9."""
    factors = {"a": a, "a_scale": 0.5, "a_zero": 1, "b": b, "b_scale": 0.25, "b_zero": 1}
    got = answered(adapter, "mul", "", **factors, scale=0.5, zero_point=9, **UINT8)
    assert got == code


# (a, scale, zero point), the same of b, scale and zero point of the product; and the uint8 codes
# of LiteRT 2.3, XNNPACK in it, onnx as DQ-Mul-Q in onnxruntime 1.32 without fusion, its
# QLinearMul, and torch 2.13
PRODUCTS = [
    ((68, "0x1.25p-11", 99), (173, "0x1.8p-5", 185), "0x1.17p-14", 105, (252, 251, 251, 252, 251)),
    (
        (0, "0x1.125816p-6", 255),
        (0, "0x1.e260f6p-7", 255),
        "0x1.017668p-3",
        23,
        (151, 151, 151, 150, 151),
    ),
    (
        (75, "0x1.413040p-7", 45),
        (40, "0x1.43c360p-7", 167),
        "0x1.014166p-6",
        227,
        (203, 204, 203, 204, 203),
    ),
    (
        (39, "0x1.2b68fcp-6", 63),
        (29, "0x1.8afb1cp-7", 1),
        "0x1.7c6fa2p-8",
        227,
        (201, 201, 202, 202, 202),
    ),
    (
        (1, "0x1.c7117ap-7", 153),
        (60, "0x1.522a44p-7", 163),
        "0x1.b5a666p-3",
        209,
        (220, 219, 219, 220, 220),
    ),
    (
        (134, "0x1.a60a2ap-5", 71),
        (182, "0x1.1d93c4p-5", 55),
        "0x1.5242d2p-2",
        163,
        (207, 207, 206, 206, 207),
    ),
    (
        (153, "0x1.df2cf4p-7", 79),
        (193, "0x1.f522bep-6", 79),
        "0x1.bcc18ep-5",
        149,
        (219, 219, 219, 218, 218),
    ),
    (
        (252, "0x1.47eb6ep-6", 139),
        (41, "0x1.66e1e2p-7", 139),
        "0x1.85eb2ap-4",
        53,
        (27, 27, 27, 27, 28),
    ),
]


@ADAPTERS
@pytest.mark.parametrize(("a", "b", "scale", "zero", "answers"), PRODUCTS)
def test_products_are_what_the_engines_answered(
    adapter: type[Adapter], a: Any, b: Any, scale: str, zero: int, answers: tuple[int, ...]
) -> None:
    """Spec: AQ-CODES-7 to AQ-CODES-11."""
    fields: dict[str, Any] = {"scale": scale, "zero_point": zero, **UINT8}
    for name, (code, step, offset) in (("a", a), ("b", b)):
        fields |= {name: code, f"{name}_scale": step, f"{name}_zero": offset}
    profiles = ("tflite", "xnnpack", "float32", "onnxruntime", "torch")
    assert [answered(adapter, "mul", each, **fields) for each in profiles] == list(answers)


def test_a_multiplier_beyond_what_two_steps_hold_is_refused() -> None:
    assert codes.in_two_steps(255, 2.0**-31, "tflite_away") == 0
    for m in (2.0**-40, 2.0**31):
        with pytest.raises(Refused):
            codes.in_two_steps(255, m, "tflite_away")


def test_every_alternative_has_its_rule() -> None:
    rules = [
        each.rule
        for name in ("rescale_codes", "mul")
        for each in OPERATIONS[name].alternatives.values()
    ]
    assert rules == [f"AQ-CODES-{k}" for k in (2, 3, 4, 5, 7, 8, 9, 10, 11)]


MATRICES: dict[str, Any] = {  # ((a - 1)*0.5) @ ((b - 2)*0.25), in steps of 1/2
    **{"a": [[[1, 2, 3], [0, 1, 5]]], "a_scale": 0.5, "a_zero": 1},
    **{"b": [[[2, 3], [4, 2], [2, 5]]], "b_scale": 0.25, "b_zero": 2},
    **{"scale": 0.5, "zero_point": 1, **UINT8},
}


@pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
@pytest.mark.parametrize("profile", ["ideal", "exact", "tflite_up", "tflite_away", "float32"])
def test_matrices_are_multiplied_as_by_hand(adapter: type[Adapter], profile: str) -> None:
    """Spec: AQ-CODES-12: 2, 6, 0 and 11 units are 1/2, 3/2, 0 and 11/4 steps."""
    fields = {k: np.array(v) if isinstance(v, list) else v for k, v in MATRICES.items()}
    got = np.reshape(adapter().matmul(**fields, profile=profile), (2, 2))
    half = {"float32": 0}.get(profile, 1)  # half even
    assert got.tolist() == [[1 + half, 3], [1, 4]]


def test_matrices_that_do_not_fit_are_refused() -> None:
    for other in ({"b": MATRICES["b"] * 2}, {"b": [[[2, 3], [4, 2]]]}, {"scale": 0.0}):
        with pytest.raises(Refused):
            layers.matmul(**{**MATRICES, **other, "profile": "ideal"})
    large = {"a": [[[2**15, 2**15]]], "b": [[[2**15], [2**15]]], "a_zero": 0, "b_zero": 0}
    with pytest.raises(Refused):
        layers.matmul(**{**MATRICES, **large, "profile": "ideal"})


JOINED: dict[str, Any] = {  # two channels of steps 1/2 from 1, one of steps 1/4 from 3
    **{"x": [[[3]], [[0]], [[6]]], "channels": [2, 1]},
    **{"x_scale": [0.5, 0.25], "x_zero": [1, 3], "scale": 0.5, "zero_point": 2, **UINT8},
}


@ADAPTERS
@pytest.mark.parametrize(
    ("profile", "last"), [("", 4), ("float32", 4), ("tflite", 4), ("torch", 4)]
)
def test_tensors_are_joined_in_one_scale(adapter: type[Adapter], profile: str, last: int) -> None:
    """Spec: AQ-CODES-16 to AQ-CODES-18: 2, -1 and 3/2 steps from 2; 3/2 is 2 in every rule."""
    fields = {k: np.array(v) if isinstance(v, list) else v for k, v in JOINED.items()}
    more = {"profile": profile} if profile else {}
    method: Any = adapter()
    got = np.ravel(method.concat(**fields, **more))
    assert got.tolist() == [4, 1, last]


@ADAPTERS
@pytest.mark.parametrize(
    ("profile", "code"),
    [("", 2), ("float32", 2), ("tflite", 1), ("torch", 2)],  # half up and to even, half away
)
def test_half_a_step_below_zero_parts_the_engines(
    adapter: type[Adapter], profile: str, code: int
) -> None:
    """Spec: AQ-CODES-17, AQ-CODES-18: -1/2 step; LiteRT 2.3 and onnxruntime 1.32 answer so."""
    fields = {k: np.array(v) if isinstance(v, list) else v for k, v in JOINED.items()}
    fields["x"] = np.array([[[1]], [[1]], [[2]]])
    more = {"profile": profile} if profile else {}
    method: Any = adapter()
    assert np.ravel(method.concat(**fields, **more)).tolist() == [2, 2, code]


def test_the_zero_point_joins_before_the_rounding_in_torch() -> None:
    """Spec: AQ-CODES-19: 3 + 1/2 to even is 4, and 1/2 to even and 3 are 3."""
    fields = {**JOINED, "x": [[[2]], [[1]], [[3]]], "x_scale": [0.25, 0.25], "zero_point": 3}
    answers = {p: codes.concat(**fields, profile=p)[0][0][0][0] for p in ("torch", "float32")}
    assert answers == {"torch": 4, "float32": 3}


def test_channels_that_do_not_add_up_are_refused() -> None:
    for channels in ([2, 2], [3, 0], [3]):
        with pytest.raises(Refused):
            codes.concat(**{**JOINED, "channels": channels})
    with pytest.raises(Refused):
        codes.concat(**{**JOINED, "x_scale": [0.5, 0.0]})
