"""What is proved: the parameters of an operation and the inputs of each. Spec: AQ-CONF-7.

They come from the stored vectors, from the channels of an integer program, or from the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import check_proof, contract, vectors
from aquant_ref.conformance.proof.inputs import FLOATS, INTEGERS, Inputs
from aquant_ref.engine.instruction import THRESHOLD_UNREACHED
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.given import integer, number, words
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.outputs import FILES
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Field, Operation
    from aquant_ref.conformance.proof.steps import Rule
    from aquant_ref.engine.instruction import Instruction

MOST_KNOWN = 1000  # results of a rule that are kept
MOST_CODES = 256  # of the settings that are taken from the stored vectors: 8 bits


@dataclass(frozen=True)
class Swept:
    """The field of an operation that a proof runs through, and which inputs unless told.

    `beside` is how many inputs on both sides of each step are taken, None for all.
    """

    field: str
    inputs: Inputs
    low: float
    high: float
    beside: int | None = None


CENTRAL = -(2**20), 2**20
SWEPT = {
    "requantize": Swept("acc", INTEGERS, *CENTRAL),
    "clip": Swept("v", INTEGERS, *CENTRAL),
    "add": Swept("a", INTEGERS, *CENTRAL),
    "avg_pool": Swept("total", INTEGERS, *CENTRAL),
    "threshold": Swept("acc", INTEGERS, INT32_MIN, INT32_MAX, 2**12),
    "quantize": Swept("r", FLOATS, float("-inf"), float("inf"), 2**8),
    "round": Swept("t", FLOATS, -16, 16, 2**12),
    "border_round": Swept("t", FLOATS, -16, 16, 2**12),
}


@dataclass(frozen=True)
class Setting:
    """An operation with all its fields but one given. `source` says where they are from.

    `range` is the least and the largest key, where the source says so. The key of a program's
    rescaling is the accumulator; the input is key * `step` + `offset`: shifted, and with its bias.
    """

    operation: Operation
    variation: str
    given: Mapping[str, Any]
    source: str
    range: tuple[int, int] | None = None
    step: int = 1
    offset: int = 0

    @property
    def swept(self) -> Swept:
        """The field that is not given."""
        return SWEPT[self.operation.name]

    def rule(self) -> Rule:
        """Return the expected result by key, from the oracle; it raises Refused."""
        settings = self.operation.settings(self.variation)
        known: dict[int, int] = {}

        def result(key: int) -> int:
            if key not in known:
                if len(known) > MOST_KNOWN:
                    known.clear()
                value = {self.swept.field: self.value(key)}
                (known[key],) = self.operation.expected(**value, **self.given, **settings)
            return known[key]

        return result

    def values(self, keys: Integers) -> Array:
        """Return the inputs with these keys."""
        values = self.swept.inputs.values(keys)
        return values * self.step + self.offset if self.step > 1 or self.offset else values

    def value(self, key: int) -> int | float:
        """Return the input with this key as Python's own number."""
        number: int | float = self.values(np.array([key])).item()
        return number

    def text_of(self, key: int) -> str:
        """Return the input with this key as it is written."""
        value = self.value(key)
        return f"{value!r} ({value.hex()})" if isinstance(value, float) else str(value)

    def text(self) -> str:
        """Say which it is, for people."""
        numbers = " ".join(f"{name}={value}" for name, value in self.given.items())
        return f"{self.operation.name} {self.variation} {numbers}"


def provable(name: str) -> Operation:
    """Return the operation; raises InputError unless its result never falls with one input."""
    if name not in SWEPT:
        contract.get(name)
        raise InputError(f"{name}: cannot be proved by steps; {', '.join(SWEPT)} can")
    return contract.get(name)


def choices(operation: Operation) -> list[str]:
    """Return the variations that the checker of certificates knows."""
    named = check_proof.VARIATIONS.get(operation.name)
    return list(operation.own) if named is None else named.split()


def of_vectors(operation: Operation, variation: str) -> Iterator[Setting]:
    """Yield every set of parameters of the stored vectors, up to 8 bits, once."""
    swept, seen = SWEPT[operation.name].field, set()
    for group in vectors.load(operation.name):
        cases = group.cases
        if cases.profile != variation:
            continue
        for k, case in enumerate(cases.ids):
            given = {key: value for key, value in cases.inputs(k).items() if key != swept}
            key = tuple(given.values())
            wide = given.get("qmax", 0) - given.get("qmin", 0) >= MOST_CODES
            if group.expected.refused[k] or wide or key in seen:
                continue
            seen.add(key)
            yield Setting(operation, variation, given, f"vectors {case}")


def of_words(operation: Operation, variation: str, text: str) -> Setting:
    """Read `name=value,name=value`: a value for each field but the one that is run through.

    Raises InputError, which names the field.
    """
    swept = SWEPT[operation.name].field
    wanted = {field.name: field for field in operation.fields if field.name != swept}
    given: dict[str, Any] = {}
    for word in words("set", text):
        name, _, value = word.partition("=")
        if name not in wanted or name in given:
            raise InputError(f"set: {word!r} is none of {'=, '.join(wanted)}=, each once")
        try:
            given[name] = _value(wanted[name], value)
        except InputError as error:
            raise InputError(f"set: {name}: {error}") from error
    if missing := [name for name in wanted if name not in given]:
        raise InputError(f"set: {', '.join(missing)}: missing")
    return Setting(operation, variation, {name: given[name] for name in wanted}, "given")


def _value(of: Field, text: str) -> Any:
    if of.type == "str":
        return text
    if of.type == "f64":
        return float.fromhex(text) if "0x" in text.lower() else number(text)
    return integer(text)


# Of a program


def of_program(operation: Operation, variation: str, directory: Path) -> list[Setting]:
    """Return those of each channel of the program that `quantize --out` wrote to `directory`.

    `requantize`: each rescaling of a program in fixed point; a program of thresholds is lowered
    from its model to fixed point first, with no fraction bits: classical requantization.
    `threshold`: each channel with at most three thresholds.
    The inputs are those that the bounds of the program allow. A `variation` of "" is the program's.
    Raises InputError for another operation, or where the program has nothing of it.
    """
    makers = {"requantize": _rescalings, "threshold": _thresholds}
    if operation.name not in makers:
        raise InputError(f"program: has no {operation.name}; {' and '.join(makers)} can be proved")
    program = Program.load(directory / FILES[1])
    if operation.name == "requantize" and program.source.get("lowering") != "fixed_point":
        program = lowering_of(
            QuantizedModel.load(directory / FILES[0]), FixedPoint(fraction_bits=0)
        ).program
    found = list(makers[operation.name](operation, variation, program))
    if not found:
        reals = any(each.op == "rescale_float" for each in program.instructions)
        why = ": its multipliers are reals, not mantissa and shift" if reals else ""
        raise InputError(f"program: {directory} has nothing that {operation.name} computes{why}")
    return found


def left_out(operation: Operation, directory: Path) -> list[str]:
    """Return the instructions of a program whose thresholds are too many for the operation."""
    if operation.name != "threshold":
        return []
    most = len(operation.fields) - 1
    return [
        each.name
        for each in Program.load(directory / FILES[1]).instructions
        if each.op == "threshold" and each.arrays["thresholds"].shape[1] > most
    ]


def _rescalings(operation: Operation, variation: str, program: Program) -> Iterator[Setting]:
    known = program.bounds
    for each in program.instructions:
        if each.op != "rescale":
            continue
        low, high = _clipped_to(program, each)
        for channel, (left, bias, multiplier, shift) in enumerate(
            zip(
                *(each.arrays[k].tolist() for k in ("left", "bias", "multiplier", "shift")),
                strict=True,
            )
        ):
            least, most = (int(end[channel]) for end in known[each.inputs[0]])
            given = {"multiplier": multiplier, "shift": shift, "zero_point": 0}
            yield Setting(
                operation,
                variation or each.attributes["profile"],
                {**given, "qmin": low, "qmax": high},
                f"{each.name} channel {channel}",
                (least, most),
                1 << left,
                bias,
            )


def _clipped_to(program: Program, rescale: Instruction) -> tuple[int, int]:
    """Return the ends that a border after it clips to; those of int32 if anything else reads it."""
    readers = [each for each in program.instructions if rescale.name in each.inputs]
    if len(readers) == 1 and readers[0].op == "border":
        return readers[0].attributes["low"], readers[0].attributes["high"]
    return INT32_MIN, INT32_MAX


def _thresholds(operation: Operation, _: str, program: Program) -> Iterator[Setting]:
    known = program.bounds
    names = [each.name for each in operation.fields[1:]]
    for each in program.instructions:
        if each.op != "threshold":
            continue
        rows = each.arrays["thresholds"].tolist()
        if len(rows[0]) > len(names):
            continue
        for channel, row in enumerate(rows):
            given = dict(
                zip(names, row + [THRESHOLD_UNREACHED] * (len(names) - len(row)), strict=True)
            )
            least, most = (int(end[channel]) for end in known[each.inputs[0]])
            source = f"{each.name} channel {channel}"
            yield Setting(operation, operation.profile, given, source, (least, most))
