"""Check a certificate of `aquant-ref prove` again: `python check_proof.py PROOF [LIBRARY]`.

This file stands alone: it needs the standard library and no other file. Whoever wants to trust a
certificate has to read this page only. It computes every rule anew, in fractions, and checks each
run of equal results: the runs cover each range without a gap, and the rule gives the result of the
run for its first and for its last input. No rule here falls where its input grows, so the rule
gives that result for every input between them. With LIBRARY, the file whose sha256 the certificate
names, every input is asked again. Spec: AQ-CONF-7.

Exit code 0: all is right; 1: something is not; 2: this is no certificate.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

FORMAT, ABI = "aquant-ref proof 1", 1
BLOCK = 1 << 18
# The fields of each operation in the order of its C function, and the type of its result.
OPERATIONS = {
    "requantize": "acc:i multiplier:i shift:i zero_point:i qmin:i qmax:i i",
    "threshold": "acc:i t0:q t1:q t2:q i",
    "clip": "v:q low:i high:i i",
    "add": "a:i a_scale:d a_zero:i b:i b_scale:d b_zero:i scale:d zero_point:i qmin:i qmax:i i",
    "avg_pool": "total:i count:i x_scale:d x_zero:i scale:d zero_point:i qmin:i qmax:i i",
    "quantize": "rounding:s r:d scale:d zero_point:i qmin:i qmax:i i",
    "round": "rounding:s t:d q",
    "border_round": "t:d border:d q",
}
POSITIVE = ("multiplier", "count", "scale", "a_scale", "x_scale", "border")
VARIATIONS = {
    "requantize": "exact tflite_single tflite_up tflite_away float32 float64 float64_onnx",
    "quantize": "core-int float32 float32_reciprocal float32_zero_first",
}
ENDS = ("qmin", "qmax"), ("low", "high")
KEYS = {"int32": (-(2**31), 2**31 - 1), "float32": (-1 - 0x7F800000, 0x7F800000)}
TYPES: dict[str, Any] = {"i": ctypes.c_int32, "q": ctypes.c_int64, "d": ctypes.c_double}


class Wrong(Exception):
    """The certificate says what is not so."""


def half_up(t: Fraction) -> int:
    """Round to the nearest integer, ties up."""
    return math.floor(t + Fraction(1, 2))


def half_away(t: Fraction) -> int:
    """Round to the nearest integer, ties away from zero."""
    return half_up(t) if t >= 0 else -half_up(-t)


ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    **{"half_up": half_up, "half_even": round, "half_away": half_away},  # round: of fractions
    **{"floor": math.floor, "ceil": math.ceil, "trunc": math.trunc},
}


def clip(v: int, low: int, high: int) -> int:
    """Return v, but not outside low..high."""
    return low if v < low else min(v, high)


def float32(t: Fraction) -> Fraction:
    """Return the nearest float32, ties to even; no number here is beyond the largest one."""
    exponent = abs(t.numerator).bit_length() - t.denominator.bit_length()
    exponent -= abs(t) < Fraction(2) ** exponent
    unit = Fraction(2) ** max(exponent - 23, -149)
    return round(t / unit) * unit


def float64(t: Fraction) -> Fraction:
    """Return the nearest float64, ties to even: Python converts a fraction so."""
    return Fraction(float(t))


def shifted(v: int, n: int) -> int:
    """Return v / 2^n rounded to the nearest integer, ties up."""
    return (2 * v + (1 << n)) >> (n + 1)


def requantize(
    acc: int, variation: str, multiplier: int, shift: int, zero_point: int, qmin: int, qmax: int
) -> int:
    """AQ-FIXED-2 to AQ-FIXED-7."""
    m = Fraction(multiplier, 2**shift) if variation.startswith("float") else Fraction(1)
    if variation in ("exact", "tflite_single"):
        y = shifted(acc * multiplier, shift)
    elif variation in ("tflite_up", "tflite_away"):
        y, right = shifted((acc << max(31 - shift, 0)) * multiplier, 31), max(shift - 31, 0)
        y = -shifted(-y, right) if y < 0 and variation == "tflite_away" else shifted(y, right)
    elif variation == "float32":
        y = round(float32(float32(Fraction(acc)) * float32(m)))
    elif variation == "float64":
        y = half_away(float64(acc * m))
    else:  # float64_onnx
        return clip(round(float64(float64(acc * m) + zero_point)), qmin, qmax)
    return clip(y + zero_point, qmin, qmax)


def quantize(
    r: float, variation: str, rounding: str, scale: float, zero_point: int, qmin: int, qmax: int
) -> int:
    """AQ-AFFINE-3, and AQ-PEER-2 to AQ-PEER-4."""
    if math.isinf(r):
        return qmax if r > 0 else qmin
    zero_first, x, most = variation == "float32_zero_first", Fraction(r), Fraction(2) ** 1000
    step = Fraction(scale) if variation == "core-int" else float32(Fraction(scale))
    if variation == "core-int":
        t = float64(min(max(x / step, -most), most))
    elif variation == "float32":
        t = float32(x / step)
    else:
        t = float32(x * float32(1 / step) + zero_point * zero_first)
    return clip(ROUNDINGS[rounding](t) + zero_point * (not zero_first), qmin, qmax)


def add(a: int, a_scale: float, a_zero: int, b: int, b_scale: float, b_zero: int, **to: Any) -> int:
    """AQ-IDEAL-1."""
    total = Fraction(a_scale) * (a - a_zero) + Fraction(b_scale) * (b - b_zero)
    return nearest(total, **to)


def avg_pool(total: int, count: int, x_scale: float, x_zero: int, **to: Any) -> int:
    """AQ-IDEAL-1."""
    return nearest(Fraction(x_scale) * (Fraction(total, count) - x_zero), **to)


def nearest(r: Fraction, scale: float, zero_point: int, qmin: int, qmax: int) -> int:
    """Return the code of a real number, rounded once."""
    return clip(half_up(r / Fraction(scale)) + zero_point, qmin, qmax)


RULES: dict[str, Callable[..., int]] = {
    "requantize": requantize,
    "threshold": lambda acc, **t: sum(acc >= each for each in t.values()),
    "clip": lambda v, low, high: clip(v, low, high),
    "add": add,
    "avg_pool": avg_pool,
    "quantize": quantize,
    "round": lambda t, rounding: ROUNDINGS[rounding](Fraction(t)),
    "border_round": lambda t, border: math.floor(t) + (Fraction(t) % 1 >= Fraction(border)),
}


class Setting:
    """The parameters of one setting of a certificate, with its rule by key."""

    def __init__(self, proof: dict[str, Any], entry: dict[str, Any]) -> None:
        self.where, self.given, self.variation = entry["source"], entry["given"], entry["variation"]
        self.ranges, self.operation, self.swept = (
            entry["ranges"],
            proof["operation"],
            proof["swept"],
        )
        self.integers, (self.least, self.most) = proof["inputs"] == "int32", KEYS[proof["inputs"]]
        named = {"variation": self.variation} if self.operation in VARIATIONS else {}
        self.all = {**self.given, **named}
        if self.variation not in VARIATIONS.get(self.operation, "core-int border").split():
            raise Wrong(f"{self.where}: no variation {self.variation!r}")
        self.step, self.offset = entry["step"], entry["offset"]
        ordered = self.step > 0 and all(
            self.given.get(a, 0) <= self.given.get(b, 0) for a, b in ENDS
        )
        if not ordered or any(not self.given.get(name, 1) > 0 for name in POSITIVE):
            raise Wrong(f"{self.where}: has parameters with which the rule may fall")

    def value(self, key: int) -> int | float:
        """Return the input with this key; a float32 is found by its pattern."""
        pattern = key if key >= 0 else -1 - key | 1 << 31
        if self.integers:
            return key * self.step + self.offset
        return struct.unpack("<f", struct.pack("<I", pattern))[0]

    def result(self, key: int) -> int:
        """Return the right result."""
        return RULES[self.operation](**{self.swept: self.value(key)}, **self.all)

    def check(self, part: dict[str, Any]) -> int:
        """Check one range; return the number of its runs."""
        numbers = [self.step, self.offset, part["low"], part["high"]]
        numbers += [*part["starts"], *part["results"]]
        if any(type(number) is not int for number in numbers):
            raise Wrong(f"{self.where}: has a key or a result that is no integer")
        starts, results = part["starts"], part["results"]
        if not starts or len(starts) != len(results) or starts[0] != part["low"]:
            raise Wrong(f"{self.where}: the runs do not begin where the range does")
        ends = [start - 1 for start in starts[1:]] + [part["high"]]
        for start, end, result in zip(starts, ends, results, strict=True):
            if end < start:
                raise Wrong(f"{self.where}: the runs are not in order at {start}")
            for key in {start, end}:
                if self.result(key) != result:
                    raise Wrong(f"{self.where}: {self.value(key)} does not give {result}")
        return len(starts)

    def blocks(self, part: dict[str, Any]) -> Iterator[tuple[int, array[int]]]:
        """Yield the first key of each block, and the right results, int64."""
        ends = [*part["starts"][1:], part["high"] + 1]
        for start, end, result in zip(part["starts"], ends, part["results"], strict=True):
            for low in range(start, end, BLOCK):
                yield low, array("q", [result]) * (min(low + BLOCK, end) - low)

    def ask(self, function: Any, low: int, expected: array[int]) -> None:
        """Call the library's function; raises Wrong, which names the first that differs."""
        *fields, kind = OPERATIONS[self.operation].split()
        count = len(expected)
        arguments: list[Any] = [ctypes.c_int64(count)]
        arguments.append(self.variation.encode())
        for name, of in (field.split(":") for field in fields):
            if of == "s":
                arguments.append(self.given[name].encode())
            elif name != self.swept:
                value = bytes(TYPES[of](self.given[name]))
                arguments.append((TYPES[of] * count).from_buffer_copy(value * count))
            else:
                arguments.append((TYPES[of] * count)(*map(self.value, range(low, low + count))))
        results = (TYPES[kind] * count)()
        if status := function(*arguments, results):
            raise Wrong(f"{self.where}: the function returned {status}")
        got = array("q", results)
        if got != expected:
            k = [a != b for a, b in zip(got, expected, strict=True)].index(True)
            raise Wrong(f"{self.where}: {self.value(low + k)} gives {got[k]}, not {expected[k]}")


def check(proof: dict[str, Any]) -> tuple[list[Setting], int, int]:
    """Return the settings, and the numbers of inputs and of runs; raises Wrong."""
    if proof["format"] != FORMAT or proof["abi"] != ABI:
        raise Wrong(f"its format is {proof['format']!r}, not {FORMAT!r}")
    if proof["operation"] not in RULES or proof["inputs"] not in KEYS:
        raise Wrong(f"no operation {proof['operation']!r} of {proof['inputs']!r}")
    fields = OPERATIONS[proof["operation"]].removeprefix("rounding:s ")
    if proof["swept"] != fields.partition(":")[0]:
        raise Wrong(f"no rule here grows with {proof['swept']!r}")
    settings, inputs, runs = [Setting(proof, entry) for entry in proof["settings"]], 0, 0
    for setting in settings:
        last = setting.least - 1
        for part in setting.ranges:
            runs += setting.check(part)
            if not last < part["low"] <= part["high"] <= setting.most:
                raise Wrong(f"{setting.where}: the ranges are not in order")
            last = part["high"]
            inputs += part["high"] - part["low"] + 1
        if last < setting.least:
            raise Wrong(f"{setting.where}: has no input")
    if inputs != proof["total"] or not settings:
        raise Wrong(f"it claims {proof['total']} inputs, and lists {inputs}")
    return settings, inputs, runs


def run(settings: list[Setting], path: str, sha256: str) -> None:
    """Ask the library for all inputs again; raises Wrong."""
    with open(path, "rb") as stream:
        if hashlib.sha256(stream.read()).hexdigest() != sha256:
            raise Wrong(f"{path} is another file than the one that was proved")
    function = getattr(ctypes.CDLL(os.path.abspath(path)), f"aquant_{settings[0].operation}")
    function.restype = ctypes.c_int32
    for setting in settings:
        for part in setting.ranges:
            for low, expected in setting.blocks(part):
                setting.ask(function, low, expected)


def main(words: list[str]) -> int:
    """Check the certificate, and with a second word the library; return the exit code."""
    path, *library = words or [""]
    try:
        with open(path, encoding="utf-8") as stream:
            proof = json.load(stream)
        settings, inputs, runs = check(proof)
        for each in library:
            run(settings, each, proof["library"]["sha256"])
    except Wrong as error:
        print(f"{path}: wrong: {error}")
        return 1
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
        print(f"{path}: is no certificate ({type(error).__name__}: {error})", file=sys.stderr)
        return 2
    again = ", and all were asked again" if library else ""
    said = f"{inputs:,} input{'s' * (inputs != 1)} in {runs:,} run{'s' * (runs != 1)}"
    print(f"{path}: right: {said} of equal results{again}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
