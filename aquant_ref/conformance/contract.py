"""State the contract as one table: fields, results and rules of each operation.

Types are `i32`, `i64`, `f64`, `str` and `json`. A field may have axes: `stride:i32[2]` is a pair,
`x:i32[C,H,W]` a *tensor*, with a letter for each axis. An operation without tensors is *scalar*: a
case is a line of a stream, and many cases are columns. A case of any other is a directory.
`profile` is the part of the contract that an operation belongs to. Requantization has several
*variations* (SPEC.md, chapter 5), each with one right answer; some operations have *alternatives*,
which other engines compute (AQ-PEER).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aquant_ref.conformance.expected import (
    accumulators,
    activations,
    batches,
    codes,
    layers,
    lookups,
    pools,
    programs,
    scalar,
    tables,
)
from aquant_ref.errors import InputError, unknown

PROFILES = ("core-int", "border", "engine", "reconstruction")
VARIATIONS = {  # of requantization, and the rule of each
    "exact": "AQ-FIXED-2",
    "tflite_single": "AQ-FIXED-2",
    "tflite_up": "AQ-FIXED-3",
    "tflite_away": "AQ-FIXED-4",
    "float32": "AQ-FIXED-5",
    "float64": "AQ-FIXED-6",
    "float64_onnx": "AQ-FIXED-7",
}
ANY = dict.fromkeys(("exact", "tflite_up", "tflite_away"), "AQ-FIXED-10")  # any multiplier
LAYER_VARIATIONS = {"ideal": "AQ-IDEAL-1", **VARIATIONS}


@dataclass(frozen=True)
class Field:
    """Describe one number of a case or of its result, or a tensor, which has `axes`."""

    name: str
    type: str
    axes: tuple[str, ...] = ()

    @property
    def tensor(self) -> bool:
        """Tell whether it is an array of any size, not a fixed few numbers such as a stride."""
        return any(not axis.isdigit() for axis in self.axes)

    def __str__(self) -> str:
        return f"{self.name}:{self.signature}"

    @property
    def signature(self) -> str:
        """Return the type with its axes."""
        return self.type + (f"[{','.join(self.axes)}]" if self.axes else "")


@dataclass(frozen=True)
class Alternative:
    """Describe how other engines compute an operation.

    A code has `narrowest` to `bits` bits, and one of `signs`. With `one_scale`, the weights of all
    channels have the same scale; where it is `symmetric`, all zero points are 0; where it is
    `bounded`, several answers may be right. `since` is the minor version of the vectors that added
    its file; its stored codes have at least `least` bits, and its families `members` cases, if any
    number is given. Where there are rules of `rounding`, it is asked with these alone.
    """

    rule: str
    bits: int = 16
    narrowest: int = 2
    signs: tuple[str, ...] = ("unsigned", "signed")
    one_scale: bool = False
    bounded: bool = False
    symmetric: bool = False
    since: int = 2
    rounding: tuple[str, ...] = ()
    least: int = 2
    members: int = 0


@dataclass(frozen=True)
class Operation:
    """Describe one operation: a row of the contract. Spec: AQ-CONF-1.

    `expected` computes the results of one case from its fields, by name, with the oracle. It raises
    `Refused` where the input is outside the contract. `rules` names the rules that it follows.
    `tags` names the capabilities that select the cases for an implementation: "bits", "rounding",
    "granularity"; "casts" is for those whose input may have another sign than their result.
    `variations` maps the name of each variation to its rule. `alternatives` are the variations of
    an operation that has an arithmetic of its own, called `profile`, too. `since` is the minor
    version of the vectors that added its file, 1 at least; `members`, if any, is how many cases of
    a family are stored, of codes with at least `least` bits. A code has `bits` bits at most.
    """

    name: str
    fields: tuple[Field, ...]
    result: tuple[Field, ...]
    expected: Callable[..., tuple[Any, ...]]
    rules: tuple[str, ...]
    profile: str
    tags: tuple[str, ...] = ()
    variations: Mapping[str, str] = field(default_factory=dict)
    alternatives: Mapping[str, Alternative] = field(default_factory=dict)
    since: int = 1
    members: int = 0
    bits: int = 16
    least: int = 2

    @property
    def scalar(self) -> bool:
        """Tell whether a case is a line of a stream."""
        return not any(f.axes or f.type == "json" for f in (*self.fields, *self.result))

    @property
    def choices(self) -> tuple[str, ...]:
        """List the values of `profile` in a stream: variations or the profile, and alternatives."""
        return (*self.own, *self.alternatives)

    @property
    def own(self) -> tuple[str, ...]:
        """List the choices besides the alternatives."""
        return tuple(self.variations) or (self.profile,)

    def settings(self, profile: str) -> dict[str, str]:
        """Return what computes it in `profile` takes besides the fields: `profile`, if named."""
        named = self.variations or profile in self.alternatives
        return {"profile": profile} if named else {}

    def rules_of(self, profile: str, chosen: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the chosen rules of rounding that `profile` is asked with."""
        only = self.alternatives[profile].rounding if profile in self.alternatives else ()
        return tuple(rule for rule in chosen if not only or rule in only)

    def has_codes(self, profile: str, bits: int, sign: str) -> bool:
        """Tell whether codes of these bits and this sign exist in `profile`."""
        chosen = self.alternatives.get(profile)
        if chosen is None:
            return bits <= self.bits
        return chosen.narrowest <= bits <= chosen.bits and sign in chosen.signs


def _fields(text: str) -> tuple[Field, ...]:
    split = (each.removesuffix("]").split(":") for each in text.split())
    parts = ((name, *kind.partition("[")) for name, kind in split)
    return tuple(Field(name, kind, tuple(filter(None, a.split(",")))) for name, kind, _, a in parts)


def _operation(
    name: str, fields: str, result: str, rules: str, profile: str = "core-int", **more: Any
) -> Operation:
    expected = next(getattr(m, name) for m in EXPECTED if hasattr(m, name))
    return Operation(
        name, _fields(fields), _fields(result), expected, tuple(rules.split()), profile, **more
    )


def _later(rule: str) -> Alternative:
    return Alternative(rule, bits=8, since=3, least=8)


def _batch(name: str, fields: str, result: str) -> Operation:
    """Return the row of a layer for a batch of images, with an activation by name."""
    whole = f"{fields} activation:str scale:f64 {RANGE}"
    later = {**LATER, "members": 1, "least": 8}
    return _operation(
        f"{name}_batch", whole, result, "AQ-BATCH-1", "engine", tags=("bits",), **later
    )


EXPECTED = (
    *(scalar, activations, codes, lookups, layers, accumulators, pools, tables, programs),
    batches,
)
RANGE = "zero_point:i32 qmin:i32 qmax:i32"
IMAGE = "x:i32[C,H,W]"
WINDOWS = "stride:i32[2] padding:i32[4] dilation:i32[2]"  # padding: top, bottom, left, right
KERNEL = "weight:i32[O,M,KH,KW]"
CHANNELS = "weight_scale:f64[O] weight_zero:i32[O] bias:f64[O]"
LAYER: dict[str, Any] = {
    "profile": "engine",
    "tags": ("bits", "granularity"),
    "variations": LAYER_VARIATIONS,
    "alternatives": {
        "float32_product": Alternative("AQ-LAYER-1", bits=8, since=3),
        "float32_zero_first": Alternative("AQ-LAYER-2", bits=8, since=3),
        "onednn": Alternative("AQ-LAYER-3", bits=8, since=3),
        "fbgemm": Alternative("AQ-LAYER-4", bits=8, since=3),
        "fbgemm_tensor": Alternative("AQ-LAYER-5", bits=8, since=3, one_scale=True),
        "qnnpack": Alternative("AQ-LAYER-6", bits=8, since=3),
        "tflite_16x8": Alternative(
            "AQ-LAYER-7", narrowest=16, signs=("signed",), since=3, symmetric=True
        ),
        "power_of_two": Alternative("AQ-LAYER-8", bits=8, since=3),
        "float64_product": Alternative("AQ-LAYER-9", bits=8, since=3),
    },
}
LATER: dict[str, Any] = {"since": 3, "members": 6}  # stored since vectors 1.3
SUMS: dict[str, Any] = {"profile": "engine", "tags": ("bits", "granularity"), **LATER, "members": 1}
LAYER_RULES = "AQ-INT-3 AQ-INT-4 AQ-IDEAL-1 AQ-FIXED-1"
HALF = Alternative("AQ-PEER-21", bits=8, since=3, rounding=("half_even",))
QNNPACK = Alternative("AQ-PEER-24", bits=8, since=3, signs=("unsigned",), least=8, members=6)
ADDITIONS = {
    "tflite": Alternative("AQ-PEER-6", bits=8),
    "xnnpack": Alternative("AQ-PEER-7", bits=8),
    "float32": Alternative("AQ-PEER-8", bits=8),
    "onnxruntime": Alternative("AQ-PEER-9", bits=8),
    "torch": Alternative("AQ-PEER-10", bits=8),
    "torch_tail": Alternative("AQ-PEER-11", bits=8),
    "qnnpack": QNNPACK,
}
TENSOR_ADDITIONS = {
    **{name: replace(each, since=3, least=4) for name, each in ADDITIONS.items()},
    "qnnpack": replace(QNNPACK, members=3),
    "torch": Alternative("AQ-PEER-16", bits=8, since=3, least=8),
    "torch_tail": Alternative("AQ-PEER-11", bits=8, since=3, least=8),
    "litert_int8": Alternative("AQ-PEER-17", bits=8, since=3, signs=("signed",), least=4),
    "litert_uint8": Alternative("AQ-PEER-18", bits=8, since=3, signs=("unsigned",), least=4),
}
MEANS = {
    "tflite": Alternative("AQ-PEER-12", bits=8),
    "torch": Alternative("AQ-PEER-13", bits=8),
    "onnx": Alternative("AQ-PEER-14", bits=8),
    "onnxruntime": Alternative("AQ-PEER-15", bits=8),
    "qnnpack": replace(QNNPACK, rule="AQ-PEER-25"),
}
TENSOR_MEANS = {
    name: replace(each, rule="AQ-PEER-19", since=3, least=max(each.least, 4), members=0)
    for name, each in MEANS.items()
}

OPERATIONS = {
    each.name: each
    for each in (
        _operation("round", "rounding:str t:f64", "n:i64", "AQ-ROUND-1", tags=("rounding",)),
        _operation(
            "quantize",
            f"rounding:str r:f64 scale:f64 {RANGE}",
            "q:i32",
            "AQ-AFFINE-3",
            tags=("bits", "rounding"),
            alternatives={
                "float32": Alternative("AQ-PEER-2"),
                "float32_reciprocal": Alternative("AQ-PEER-3"),
                "float32_zero_first": Alternative("AQ-PEER-4"),
                "float16": HALF,
                "bfloat16": HALF,
                "float16_to_float32": replace(HALF, rule="AQ-PEER-22"),
            },
        ),
        _operation(
            "dequantize",
            "q:i32 scale:f64 zero_point:i32",
            "r:f64",
            "AQ-AFFINE-3",
            tags=("bits",),
            alternatives={
                "float32": Alternative("AQ-PEER-5"),
                "float16": Alternative("AQ-PEER-23", bits=8, since=3),
                "bfloat16": Alternative("AQ-PEER-23", bits=8, since=3),
            },
        ),
        _operation("multiplier", "m:f64", "multiplier:i32 shift:i32", "AQ-FIXED-1"),
        _operation(
            "requantize",
            f"acc:i32 multiplier:i32 shift:i32 {RANGE}",
            "q:i32",
            "AQ-FIXED-2 AQ-FIXED-3 AQ-FIXED-4 AQ-FIXED-5 AQ-FIXED-6 AQ-FIXED-7",
            tags=("bits",),
            variations=VARIATIONS,
        ),
        _operation(
            "requantize_any",
            f"acc:i32 multiplier:i32 shift:i32 {RANGE}",
            "q:i32",
            "AQ-FIXED-10",
            tags=("bits",),
            variations=ANY,
            **LATER | {"members": 18, "least": 8},
        ),
        _operation(
            "add",
            f"a:i32 a_scale:f64 a_zero:i32 b:i32 b_scale:f64 b_zero:i32 scale:f64 {RANGE}",
            "q:i32",
            "AQ-IDEAL-1 AQ-LOWER-2",
            tags=("bits",),
            alternatives=ADDITIONS,
        ),
        _operation(
            "avg_pool",
            f"total:i32 count:i32 x_scale:f64 x_zero:i32 scale:f64 {RANGE}",
            "q:i32",
            "AQ-IDEAL-1 AQ-LOWER-3",
            tags=("bits",),
            alternatives=MEANS,
        ),
        _operation(
            "rescale_codes",
            f"x:i32 x_scale:f64 x_zero:i32 scale:f64 {RANGE}",
            "q:i32",
            "AQ-CODES-1",
            tags=("bits", "casts"),
            alternatives={
                "tflite": _later("AQ-CODES-2"),
                "tflite_up": _later("AQ-CODES-3"),
                "xnnpack": _later("AQ-CODES-4"),
                "float32": _later("AQ-CODES-5"),
            },
            **LATER,
        ),
        _operation(
            "mul",
            f"a:i32 a_scale:f64 a_zero:i32 b:i32 b_scale:f64 b_zero:i32 scale:f64 {RANGE}",
            "q:i32",
            "AQ-CODES-6",
            tags=("bits",),
            alternatives={
                "tflite": _later("AQ-CODES-7"),
                "xnnpack": _later("AQ-CODES-8"),
                "float32": _later("AQ-CODES-9"),
                "onnxruntime": _later("AQ-CODES-10"),
                "torch": _later("AQ-CODES-11"),
            },
            **LATER | {"members": 4},
        ),
        _operation(
            "activation_range",
            f"activation:str scale:f64 {RANGE}",
            "low:i32 high:i32",
            "AQ-ACT-1",
            tags=("bits",),
            alternatives={
                "tflite": Alternative("AQ-ACT-2", bits=8, since=3, least=8),
                "xnnpack": Alternative("AQ-ACT-3", bits=8, since=3, least=8),
                "torch": Alternative("AQ-ACT-4", bits=8, since=3, least=8),
            },
            **LATER,
        ),
        _operation("clip", "v:i64 low:i32 high:i32", "q:i32", "AQ-INT-1"),
        _operation("border_round", "t:f64 border:f64", "n:i64", "AQ-ROUND-2", "border"),
        _operation(
            "border",
            "t:i32 low:i32 high:i32 fraction_bits:i32 multiplier:i32 shift:i32 "
            "c0:i32 c1:i32 c2:i32 lift:i32 zero_point:i32",
            "q:i32",
            "AQ-FIXED-9",
            "border",
            tags=("bits",),
        ),
        _operation(
            "threshold", "acc:i32 t0:i64 t1:i64 t2:i64", "q:i32", "AQ-LOWER-1 AQ-LOWER-6", "border"
        ),
        _operation(
            "conv2d",
            f"{IMAGE} x_scale:f64 x_zero:i32 {KERNEL} {CHANNELS} {WINDOWS} groups:i32 "
            f"scale:f64 {RANGE}",
            "q:i32[O,OH,OW]",
            LAYER_RULES,
            **LAYER,
        ),
        _operation(
            "depthwise",
            f"{IMAGE} x_scale:f64 x_zero:i32 {KERNEL} {CHANNELS} {WINDOWS} scale:f64 {RANGE}",
            "q:i32[O,OH,OW]",
            LAYER_RULES,
            **LAYER,
        ),
        _operation(
            "linear",
            f"x:i32[I] x_scale:f64 x_zero:i32 weight:i32[O,I] {CHANNELS} scale:f64 {RANGE}",
            "q:i32[O]",
            LAYER_RULES,
            **LAYER,
        ),
        _operation(
            "conv_integer",
            f"{IMAGE} x_zero:i32 {KERNEL} weight_zero:i32[O] {WINDOWS} groups:i32",
            "acc:i32[O,OH,OW]",
            "AQ-ACC-1",
            **SUMS,
        ),
        _operation(
            "matmul_integer",
            "a:i32[M,K] a_zero:i32[M] b:i32[K,N] b_zero:i32[N]",
            "acc:i32[M,N]",
            "AQ-ACC-2",
            **SUMS,
        ),
        _operation(
            "add_tensors",
            "a:i32[C,H,W] a_scale:f64 a_zero:i32 b:i32[C,H,W] b_scale:f64 b_zero:i32 "
            f"scale:f64 {RANGE}",
            "q:i32[C,H,W]",
            "AQ-IDEAL-1 AQ-LOWER-2",
            "engine",
            tags=("bits",),
            alternatives=TENSOR_ADDITIONS,
        ),
        _operation(
            "avg_pool2d",
            f"{IMAGE} x_scale:f64 x_zero:i32 kernel:i32[2] {WINDOWS} count_padding:i32 "
            f"scale:f64 {RANGE}",
            "q:i32[C,OH,OW]",
            "AQ-IDEAL-1 AQ-IDEAL-4 AQ-LOWER-8",
            "engine",
            tags=("bits",),
            alternatives=TENSOR_MEANS,
        ),
        _operation(
            "max_pool2d",
            f"{IMAGE} kernel:i32[2] {WINDOWS}",
            "q:i32[C,OH,OW]",
            "AQ-IDEAL-4",
            "engine",
            tags=("bits",),
        ),
        _operation(
            "thresholds",
            "acc:i32[C,H,W] thresholds:i64[C,K] least:i32",
            "q:i32[C,H,W]",
            "AQ-LOWER-1 AQ-LOWER-6",
            "engine",
        ),
        _operation(
            "bordered_conv2d",
            f"{IMAGE} x_scale:f64 x_zero:i32 {KERNEL} weight_scale:f64[O] bias:f64[O] {WINDOWS} "
            "groups:i32 relu:i32 scale:f64 crossings:f64[O,K] least:i32",
            "q:i32[O,OH,OW]",
            "AQ-BORDER-2 AQ-IDEAL-1 AQ-LOWER-1",
            "engine",
        ),
        _operation(
            "fused_conv2d",
            f"u:i32[C,H,W] pad_code:i32 codes:i32[A,U] lift:i32[B,U] fusion:i32[B,U] zero:i32 "
            f"{KERNEL} {WINDOWS} groups:i32",
            "acc:i32[O,OH,OW]",
            "AQ-WINDOW-2 AQ-WINDOW-3 AQ-LOWER-7",
            "engine",
        ),
        _operation(
            "matmul",
            "a:i32[B,M,K] a_scale:f64 a_zero:i32 b:i32[B,K,N] b_scale:f64 b_zero:i32 "
            f"scale:f64 {RANGE}",
            "q:i32[B,M,N]",
            "AQ-CODES-12",
            "engine",
            tags=("bits",),
            variations=LAYER_VARIATIONS,
            **LATER,
        ),
        _operation(
            "lookup",
            "x:i32[C,H,W] table:i32[T] least:i32",
            "q:i32[C,H,W]",
            "AQ-CODES-13",
            "engine",
            tags=("bits",),
            bits=8,
            **LATER | {"members": 12},
        ),
        _operation(
            "activation",
            f"function:str x:i32[N] x_scale:f64 x_zero:i32 alpha:f64 scale:f64 {RANGE}",
            "q:i32[N]",
            "AQ-CODES-14",
            "engine",
            tags=("bits",),
            alternatives={
                "float32": Alternative("AQ-CODES-15", bits=8, since=3, least=8, bounded=True)
            },
            bits=8,
            **LATER | {"members": 18, "least": 8},
        ),
        _operation(
            "concat",
            f"x:i32[C,H,W] channels:i32[N] x_scale:f64[N] x_zero:i32[N] scale:f64 {RANGE}",
            "q:i32[C,H,W]",
            "AQ-CODES-16",
            "engine",
            tags=("bits",),
            alternatives={
                "float32": _later("AQ-CODES-17"),
                "tflite": _later("AQ-CODES-18"),
                "torch": replace(_later("AQ-CODES-19"), members=1),
            },
            **LATER | {"members": 4, "least": 8},
        ),
        _batch(
            "conv2d",
            f"x:i32[N,C,H,W] x_scale:f64 x_zero:i32 {KERNEL} {CHANNELS} {WINDOWS} groups:i32",
            "q:i32[N,O,OH,OW]",
        ),
        _batch(
            "depthwise",
            f"x:i32[N,C,H,W] x_scale:f64 x_zero:i32 {KERNEL} {CHANNELS} {WINDOWS}",
            "q:i32[N,O,OH,OW]",
        ),
        _batch(
            "linear",
            f"x:i32[N,I] x_scale:f64 x_zero:i32 weight:i32[O,I] {CHANNELS}",
            "q:i32[N,O]",
        ),
        _batch(
            "add_tensors",
            "a:i32[N,C,H,W] a_scale:f64 a_zero:i32 b:i32[N,C,H,W] b_scale:f64 b_zero:i32",
            "q:i32[N,C,H,W]",
        ),
        _batch(
            "avg_pool2d",
            f"x:i32[N,C,H,W] x_scale:f64 x_zero:i32 kernel:i32[2] {WINDOWS} count_padding:i32",
            "q:i32[N,C,OH,OW]",
        ),
        _operation(
            "program",
            "image:i32[C,H,W] program:json",
            "logits:i32[O]",
            "AQ-LOWER-1 AQ-LOWER-4 AQ-LOWER-7 AQ-LOWER-8 AQ-LOWER-9 AQ-LOWER-10",
            "engine",
        ),
    )
}

# "operation:choice" for all choices of the operations that have alternatives
EVERY_CHOICE = tuple(
    f"{name}:{choice}"
    for name, operation in OPERATIONS.items()
    if operation.alternatives
    for choice in operation.choices
)


def get(name: str) -> Operation:
    """Return the operation called `name`; InputError lists the names if there is none."""
    if not isinstance(name, str) or name not in OPERATIONS:
        raise InputError(unknown("operation", name, OPERATIONS))
    return OPERATIONS[name]


def rules(operation: Operation, profile: str) -> str:
    """Return the ids of the rules for a result of `operation` in `profile`."""
    if profile in operation.alternatives:
        return operation.alternatives[profile].rule
    rule = operation.variations.get(profile)
    if rule is None:
        return ", ".join(operation.rules)
    return rule if operation.scalar else f"AQ-INT-4, {rule}"
