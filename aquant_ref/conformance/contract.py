"""The contract as one table: what each operation takes and gives, and by which rules it is judged.

Types are `i32`, `i64`, `f64` and `str`. An operation whose fields all have one of them is *scalar*:
a case is a line of a stream, and many cases are columns. `profile` is the part of the contract that
an operation belongs to. Requantization comes in several *variations* (SPEC.md, chapter 5), each
with one right answer; the other operations have none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aquant_ref.conformance import judges
from aquant_ref.errors import InputError

SCALARS = ("i32", "i64", "f64", "str")
PROFILES = ("core-int", "border", "engine", "reconstruction")
VARIATIONS = (
    *("exact", "tflite_single", "tflite_up", "tflite_away"),
    *("float32", "float64", "float64_onnx"),
)


@dataclass(frozen=True)
class Field:
    """One number of a case, or of its result."""

    name: str
    type: str


@dataclass(frozen=True)
class Operation:
    """One row of the contract. Spec: AQ-CONF-1.

    `judge` computes the results of one case from its fields, by name, with the oracle, and raises
    `judges.Refused` where the input is outside the contract. `rules` are what it follows. `tags`
    are the capabilities that decide which of its cases an implementation is asked: "bits",
    "rounding".
    """

    name: str
    fields: tuple[Field, ...]
    result: tuple[Field, ...]
    judge: Callable[..., tuple[Any, ...]]
    rules: tuple[str, ...]
    profile: str
    tags: tuple[str, ...] = ()
    variations: tuple[str, ...] = ()

    @property
    def scalar(self) -> bool:
        """Whether a case of it is a line of a stream."""
        return all(field.type in SCALARS for field in (*self.fields, *self.result))

    @property
    def choices(self) -> tuple[str, ...]:
        """What `profile` of a stream can be: a variation, or the profile where there is none."""
        return self.variations or (self.profile,)


def _fields(text: str) -> tuple[Field, ...]:
    return tuple(Field(*each.split(":")) for each in text.split())


def _operation(
    name: str, fields: str, result: str, rules: str, profile: str = "core-int", **more: Any
) -> Operation:
    judge = getattr(judges, name)
    return Operation(
        name, _fields(fields), _fields(result), judge, tuple(rules.split()), profile, **more
    )


RANGE = "zero_point:i32 qmin:i32 qmax:i32"

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
        ),
        _operation(
            "dequantize", "q:i32 scale:f64 zero_point:i32", "r:f64", "AQ-AFFINE-3", tags=("bits",)
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
            "add",
            f"a:i32 a_scale:f64 a_zero:i32 b:i32 b_scale:f64 b_zero:i32 scale:f64 {RANGE}",
            "q:i32",
            "AQ-IDEAL-1 AQ-LOWER-2",
            tags=("bits",),
        ),
        _operation(
            "avg_pool",
            f"total:i32 count:i32 x_scale:f64 x_zero:i32 scale:f64 {RANGE}",
            "q:i32",
            "AQ-IDEAL-1 AQ-LOWER-3",
            tags=("bits",),
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
    )
}

RULE_OF_VARIATION = {
    "exact": "AQ-FIXED-2",
    "tflite_single": "AQ-FIXED-2",
    "tflite_up": "AQ-FIXED-3",
    "tflite_away": "AQ-FIXED-4",
    "float32": "AQ-FIXED-5",
    "float64": "AQ-FIXED-6",
    "float64_onnx": "AQ-FIXED-7",
}


def get(name: str) -> Operation:
    """The operation called `name`; raises InputError, which lists the names."""
    if name not in OPERATIONS:
        raise InputError(f"operation: there is no {name!r}; there are {', '.join(OPERATIONS)}")
    return OPERATIONS[name]


def rules(operation: Operation, profile: str) -> str:
    """The rule ids that a result of `operation` in `profile` is judged by."""
    return RULE_OF_VARIATION.get(profile) or ", ".join(operation.rules)
