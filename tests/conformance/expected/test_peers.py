"""Alternatives: operations as other engines compute them.

The expected values are answers of the engines themselves, recorded with the versions named, or
follow by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, Adapter, Capabilities, verification, verify
from aquant_ref.conformance.adapters import EngineAdapter, OracleAdapter
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.expected import peers
from aquant_ref.conformance.expected.results import expected
from aquant_ref.engine.instruction import NEVER_LIFT
from aquant_ref.errors import InputError
from aquant_ref.quant import multiplier as quantized_multiplier

BELOW_HALF = 0.5 - 2.0**-25  # the float32 before 1/2
UINT8 = {"qmin": 0, "qmax": 255}


@pytest.mark.parametrize("profile", OPERATIONS["quantize"].choices)
def test_a_tie_with_an_even_zero_point_is_the_same_everywhere(profile: str) -> None:
    """Spec: AQ-PEER-1: 1/2 goes to 0, before and after 100 is added."""
    quantize = OPERATIONS["quantize"]
    fields = {"r": 0.5, "scale": 1.0, "zero_point": 100, **UINT8, "rounding": "half_even"}
    assert quantize.expected(**fields, **quantize.settings(profile)) == (100,)


@pytest.mark.parametrize(
    ("profile", "r", "code"),
    [
        ("float32", 0.5, 101),  # half_even(0.5) + 101
        ("float32_reciprocal", 0.5, 101),
        ("float32_zero_first", 0.5, 102),  # half_even(101.5)
        ("float32", BELOW_HALF, 101),
        ("float32_zero_first", BELOW_HALF, 102),  # 101.49999997 is 101.5 in float32
    ],
)
def test_the_zero_point_before_the_rounding_moves_ties(profile: str, r: float, code: int) -> None:
    """Spec: AQ-PEER-4: onnxruntime 1.32 and torch 2.13 give these."""
    fields = {"r": r, "scale": 1.0, "zero_point": 101, **UINT8, "rounding": "half_even"}
    assert peers.quantize(profile=profile, **fields) == (code,)


def test_division_and_reciprocal_part_at_a_tie() -> None:
    """Spec: AQ-PEER-2, AQ-PEER-3: 143.5/41 = 3.5, but F(1/41) = 13094412*2^-29 < 1/41.

    Times 143.5 it is 3.5 - 70*2^-29, which is more than half of the last bit, 2^-22, below 3.5.
    """
    fields = {"rounding": "half_even", "r": 143.5, "scale": 41.0, "zero_point": 0, **UINT8}
    assert 2**29 - 13094412 * 41 == 20
    assert 20 * 3.5 > 2**29 / 2**23
    assert peers.quantize(profile="float32", **fields) == (4,)
    assert peers.quantize(profile="float32_reciprocal", **fields) == (3,)


def test_a_real_number_is_one_float32_product() -> None:
    """Spec: AQ-PEER-5: 3*F(0.1) has 26 bits; float32 has 24 of them."""
    (real,) = peers.dequantize(q=5, scale=0.1, zero_point=2)
    assert real == float(np.float32(3) * np.float32(0.1)) != 3 * float(np.float32(0.1))


# (a, scale, zero point), the same of b, scale and zero point of the sum; and the uint8 codes of
# LiteRT 2.3's reference kernel, XNNPACK in it, onnx 1.23's reference evaluator, onnxruntime 1.32,
# torch 2.13 in a tensor of 64 elements, in one of 5, and with qnnpack
SUMS = [
    (
        (241, "0x1.2p-4", 73),
        (134, "0x1p-7", 141),
        "0x1.cp-4",
        83,
        (191, 190, 191, 190, 191, 190, 190),
    ),
    (
        (73, "0x1.cp-1", 153),
        (94, "0x1p-3", 83),
        "0x1.2p+1",
        139,
        (108, 109, 109, 108, 109, 108, 109),
    ),
    (
        (152, "0x1.2p-5", 141),
        (159, "0x1p-8", 139),
        "0x1.cp-5",
        91,
        (100, 100, 99, 100, 99, 100, 99),
    ),
    (
        (28, "0x1.b04fd2p-7", 197),
        (111, "0x1.048d5cp-6", 143),
        "0x1.92675ap-6",
        231,
        (119, 119, 119, 119, 119, 120, 119),
    ),
    (
        (16, "0x1.633a58p-7", 175),
        (181, "0x1.cd90a2p-7", 231),
        "0x1.214ea4p-6",
        163,
        (25, 25, 25, 26, 25, 25, 25),
    ),
    (
        (218, "0x1.048d5cp-6", 143),
        (245, "0x1.a3bad8p-6", 163),
        "0x1.f5f258p-6",
        65,
        (172, 172, 172, 172, 173, 172, 172),
    ),
    (
        (234, "0x1.dab7cep-6", 189),
        (204, "0x1.d66082p-7", 127),
        "0x1.50a58cp-7",
        19,
        (254, 253, 253, 254, 253, 253, 254),
    ),
]
ENGINES = ("tflite", "xnnpack", "float32", "onnxruntime", "torch", "torch_tail", "qnnpack")


@pytest.mark.parametrize(("a", "b", "scale", "zero", "codes"), SUMS)
@pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
def test_sums_are_what_the_engines_answered(
    adapter: type[Adapter], a: Any, b: Any, scale: str, zero: int, codes: tuple[int, ...]
) -> None:
    """Spec: AQ-PEER-6 to AQ-PEER-11, AQ-PEER-24."""
    fields: dict[str, Any] = {"scale": scale, "zero_point": zero, **UINT8}
    for name, (code, step, offset) in (("a", a), ("b", b)):
        fields |= {name: code, f"{name}_scale": step, f"{name}_zero": offset}
    columns = {
        key: np.array([float.fromhex(value) if isinstance(value, str) else value])
        for key, value in fields.items()
    }
    method: Any = adapter()
    answers = [method.add(**columns, profile=profile) for profile in ENGINES]
    assert [int(np.ravel(answer)[0]) for answer in answers] == list(codes)


@pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
@pytest.mark.parametrize(
    ("count", "full"), [(5, 0), (63, 0), (64, 64), (65, 64), (127, 64), (129, 128)]
)
def test_torch_adds_64_elements_at_once_and_the_rest_in_another_way(
    adapter: type[Adapter], count: int, full: int
) -> None:
    """Spec: AQ-PEER-16: so torch 2.13 answers on a CPU with AVX2."""
    (a, a_scale, a_zero), (b, b_scale, b_zero), scale, zero, codes = SUMS[3]
    answers = adapter().add_tensors(
        a=np.full((1, 1, count), a),
        a_scale=float.fromhex(a_scale),
        a_zero=a_zero,
        b=np.full((1, 1, count), b),
        b_scale=float.fromhex(b_scale),
        b_zero=b_zero,
        scale=float.fromhex(scale),
        zero_point=zero,
        profile="torch",
        **UINT8,
    )
    whole, rest = codes[4:6]
    assert np.ravel(answers).tolist() == [whole] * full + [rest] * (count - full)


# a and b in their steps, what differs by rule, and the code of LiteRT 2.3's optimised kernel
# where a register is full and where none is
OPTIMISED = [
    (
        ("litert_int8", 16),
        {"a": -62, "a_scale": "0x1.7dap-7", "a_zero": -67, "qmin": -128, "qmax": 127},
        {"b": -73, "b_scale": "0x1.1fp-6", "b_zero": -83, "scale": "0x1.7e6802p-4"},
        (-95, -93, -92),
    ),
    (
        ("litert_uint8", 8),
        {"a": 161, "a_scale": "0x1.634p-6", "a_zero": 171, **UINT8},
        {"b": 113, "b_scale": "0x1.53cp-7", "b_zero": 123, "scale": "0x1.069002p-3"},
        (47, 44, 45),
    ),
]


@pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
@pytest.mark.parametrize(("of", "first", "second", "codes"), OPTIMISED)
def test_the_optimised_kernel_rounds_the_terms_of_whole_registers_in_another_way(
    adapter: type[Adapter], of: Any, first: Any, second: Any, codes: tuple[int, int, int]
) -> None:
    """Spec: AQ-PEER-17, AQ-PEER-18."""
    (profile, run), (zero, full, rest) = of, codes
    numbers: dict[str, Any] = {
        key: float.fromhex(value) if isinstance(value, str) else value
        for key, value in {**first, **second, "zero_point": zero}.items()
    }
    for count in (run - 1, run, 2 * run + 1):
        tensors = {key: np.full((1, 1, count), numbers[key]) for key in "ab"}
        answer = np.ravel(adapter().add_tensors(**numbers | tensors, profile=profile)).tolist()
        whole = count // run * run
        assert answer == [full] * whole + [rest] * (count - whole)


# total, count, x_scale, x_zero, scale, zero_point, and the code that the engine gives
MEANS = [
    ("tflite", -5, 2, 0.5, 3, 0.5, 3, -3),  # -2.5 away from zero: LiteRT 2.3, XNNPACK
    ("torch", -5, 2, 0.5, 3, 0.5, 3, -2),  # to even: torch 2.13
    ("tflite", 251, 2, 0.5, 3, 0.5, 3, 126),
    ("torch", 251, 2, 0.5, 3, 0.5, 3, 126),
    ("onnxruntime", 750, 25, 2.0**-10, 231, 2.0**-9, 141, 40),  # half_even(-100.5 + 141)
    ("onnx", 750, 25, 2.0**-10, 231, 2.0**-9, 141, 41),  # half_even(-100.5) + 141
    ("onnxruntime", 3136, 16, 0.0625, 141, 0.625, 17, 22),  # half_even(5.5 + 17)
    ("onnx", 3136, 16, 0.0625, 141, 0.625, 17, 23),
    ("qnnpack", 37, 2, 0.0734371691942215, 9, 0.0734371691942215, 9, 19),  # half_even(9.5) + 9
    ("torch", 37, 2, 0.0734371691942215, 9, 0.0734371691942215, 9, 18),  # half_even(18.5)
    ("qnnpack", 909, 6, 0.1171245276927948, 1, 0.1171245276927948, 1, 151),
]


@pytest.mark.parametrize(("profile", "total", "count", "x", "x_zero", "s", "z", "code"), MEANS)
@pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
def test_means_are_what_the_engines_answered(
    adapter: type[Adapter],
    profile: str,
    total: int,
    count: int,
    x: float,
    x_zero: int,
    s: float,
    z: int,
    code: int,
) -> None:
    """Spec: AQ-PEER-12 to AQ-PEER-15, AQ-PEER-25."""
    low = -128 if total < 0 else 0
    fields = {"total": total, "count": count, "x_scale": x, "x_zero": x_zero, "scale": s}
    fields |= {"zero_point": z, "qmin": low, "qmax": low + 255}
    method: Any = adapter()
    columns = {key: np.array([value]) for key, value in fields.items()}
    assert int(np.ravel(method.avg_pool(**columns, profile=profile))[0]) == code


@pytest.mark.parametrize("adapter", [OracleAdapter, EngineAdapter])
@pytest.mark.parametrize(
    ("profile", "width", "code"),
    [("onnxruntime", 2, 7), ("onnx", 2, 7), ("onnxruntime", 3, 6), ("onnx", 3, 7)],
)
def test_a_window_that_is_the_whole_image_is_of_another_kernel(
    adapter: type[Adapter], profile: str, width: int, code: int
) -> None:
    """Spec: AQ-PEER-19: half_even(1.5) + 5 = 7, half_even(1.5 + 5) = 6."""
    fields = {"stride": (1, 2), "padding": (0, 0, 0, 0), "dilation": (1, 1), "count_padding": 0}
    answer = adapter().avg_pool2d(
        x=np.array([[[3, 6, 4][:width]]]),
        x_scale=1.0,
        x_zero=3,
        kernel=(1, 2),
        scale=1.0,
        zero_point=5,
        profile=profile,
        **UINT8,
        **fields,
    )
    assert np.ravel(answer).tolist() == [code]


# with one scale and one zero point half_even(real + z) is half_even of the stored codes' mean
ALSO_RIGHT = {(op, "torch", "onnxruntime") for op in ("avg_pool", "avg_pool2d")}
# a quotient of two numbers of 11 bits is a tie, or further from it than float32 rounds
ALSO_RIGHT |= {("quantize", "float16_to_float32", each) for each in ("core-int", "float32")}


SCALAR = [n for n, each in OPERATIONS.items() if each.alternatives and each.scalar]


@pytest.mark.parametrize("operation", SCALAR)
def test_every_alternative_is_another_arithmetic_and_its_vectors_tell(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever computes one way and declares another fails by the stored vectors alone."""
    monkeypatch.setattr(verification, "diagnoses", lambda *_: {})
    choices = OPERATIONS[operation].choices

    class Mistaken(OracleAdapter):
        one_array = True  # each case once

        def __init__(self, declared: str, computed: str) -> None:
            self.declared, self.computed = declared, computed

        def capabilities(self) -> Capabilities:
            return Capabilities(variations=(f"{operation}:{self.declared}",))

        def __getattr__(self, name: str) -> Any:
            method = super().__getattr__(name)
            settings = OPERATIONS[operation].settings(self.computed)
            return lambda profile="", **fields: method(**fields, **settings)

    for declared in choices:
        for computed in choices:
            report = verify(Mistaken(declared, computed), operations=[operation], generated=0)
            right = declared == computed or (operation, declared, computed) in ALSO_RIGHT
            assert (report.exit_code == 0) == right, (declared, computed)


class Zeros(Adapter):
    """Always 0, and remembers in which variations it was asked."""

    def __init__(self, **declared: Any) -> None:
        self.declared, self.asked = declared, set[str]()

    def capabilities(self) -> Capabilities:
        return Capabilities(**self.declared)

    def quantize(self, *, r: Any, profile: str = "core-int", **_: Any) -> Any:
        self.asked.add(profile)
        return np.zeros(len(r), np.int64)


@pytest.mark.parametrize(
    ("variations", "asked"),
    [
        ((), {"core-int"}),
        (("quantize:float32",), {"float32"}),
        (("quantize:core-int", "quantize:float32"), {"core-int", "float32"}),
        (("dequantize:float32",), {"core-int"}),
    ],
)
def test_only_declared_alternatives_are_asked(variations: tuple[str, ...], asked: set[str]) -> None:
    adapter = Zeros(variations=variations)
    report = verify(adapter, operations=["quantize"], generated=20)
    assert adapter.asked == asked == {profile for _, profile in report.rows}


def test_an_unknown_alternative_is_refused() -> None:
    with pytest.raises(InputError, match="variations: unknown variation of quantize 'magic'"):
        Capabilities(variations=("quantize:magic",))


def test_the_engine_declares_every_alternative() -> None:
    assert "quantize:float32_zero_first" in EngineAdapter().capabilities().variations


def test_a_selection_of_an_alternative_says_so() -> None:
    selection = Selection("quantize", "float32")
    assert selection.command_line() == "quantize --profile float32"
    assert Selection("quantize").command_line() == "quantize"


def instruction(name: str, op: str, *inputs: str, attributes: Any = None, **arrays: Any) -> Any:
    return {
        "name": name,
        "op": op,
        "inputs": list(inputs),
        "attributes": attributes or {},
        "arrays": arrays,
    }


def rescaled(name: str, source: str, m: float, left: int) -> Any:
    multiplier, shift = quantized_multiplier(m)
    return instruction(
        name,
        "rescale",
        source,
        attributes={"profile": "tflite_away"},
        left=[left],
        bias=[0],
        multiplier=[multiplier],
        shift=[shift],
    )


def sum_as_a_program(case: dict[str, Any]) -> list[Any]:
    """Two channels of an image, each rescaled, added, rescaled and clamped."""
    windows = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [1, 1], "groups": 1}
    zeros = [case["a_zero"], case["b_zero"]]
    twice = 2 * max(case["a_scale"], case["b_scale"])
    low, high = (case[end] - case["zero_point"] for end in ("qmin", "qmax"))
    clamp = {
        **{"low": low, "high": high, "fraction_bits": 0, "zero_point": case["zero_point"]},
        **{"least": case["qmin"], "largest": case["qmax"]},
        **dict(zip(("multiplier", "shift"), quantized_multiplier(2**15 / 255), strict=True)),
    }
    steps = [
        instruction(
            f"{name}_steps",
            "conv2d",
            "image",
            attributes=windows,
            weight=[[[[int(k == channel)]] for channel in range(2)]],
            zero_point=zeros,
        )
        for k, name in enumerate("ab")
    ]
    return [
        *steps,
        *(rescaled(name, f"{name}_steps", case[f"{name}_scale"] / twice, 20) for name in "ab"),
        instruction("sum", "plus", "a", "b"),
        rescaled("scaled", "sum", twice / (2**20 * case["scale"]), 0),
        instruction(
            "codes",
            "border",
            "scaled",
            attributes=clamp,
            coefficients=[[0, 0, 0]],
            lift=[NEVER_LIFT],
        ),
        instruction("flat", "flatten", "codes", attributes={"positions": 1}),
        instruction("logits", "linear", "flat", weight=[[1]], bias=[0], zero_point=[0]),
    ]


def test_an_integer_program_adds_as_tflite_does() -> None:
    """Spec: AQ-PEER-6: conv2d, rescale, plus and border are all that it needs."""
    selection = Selection("add", "tflite", bits=(8,), signs=("unsigned",))
    cases = generate(selection, range(140))
    right = expected(cases).low[0]
    engine = EngineAdapter()
    for k in range(len(cases)):
        case = cases.inputs(k)
        image = np.array([[[case["a"]]], [[case["b"]]]])
        assert engine.program(image=image, program=sum_as_a_program(case)).item() == right[k]
