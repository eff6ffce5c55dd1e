"""Many requantizations against exact rationals: `python -m tests.integer.many --cases 10000000`.

Every case of every profile is judged by the oracle, in `int` and `Fraction`, and goes through each
implementation that the package has of it. A quarter of the cases is drawn from pools of edges, a
quarter lies on a tie or one beside it, a quarter near one, and a quarter is random.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from tqdm import tqdm

from aquant_ref import oracle
from aquant_ref.engine.fast.fixed_point import rounded_product
from aquant_ref.integer import PROFILES, scale_accumulator
from aquant_ref.quant.multiplier import REAL_PROFILES, requantize_real
from aquant_ref.simulate.fixed_point import requantized
from aquant_ref.threads import available_cores

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
CHUNK = 20_000
ALL = (*PROFILES, *REAL_PROFILES)
ENDS = {"qmin": INT32_MIN, "qmax": INT32_MAX}
ZERO_POINT = 3  # odd, of `float64_onnx` alone, which adds it before it rounds

POWERS = [2**k + d for k in range(32) for d in (-1, 0, 1)]
ACCUMULATORS = np.array(sorted({a for p in POWERS for a in (p, -p) if INT32_MIN <= a <= INT32_MAX}))
MULTIPLIERS = np.array([2**30, 2**30 + 1, 3 * 2**29, 1518500250, 5 * 2**28, 2**31 - 2, 2**31 - 1])


@dataclass(frozen=True)
class Cases:
    """Accumulators and multipliers m * 2^-shift; `low` are bits of M below m, for real ones."""

    acc: np.ndarray
    m: np.ndarray
    shift: np.ndarray
    low: np.ndarray

    def real(self) -> np.ndarray:
        """M, float64, exact: 31 bits of m and up to 22 below."""
        return np.ldexp(self.m + self.low / 2**22, -self.shift)


def draw(profile: str, count: int, seed: int) -> Cases:
    """`count` cases; those that the profile refuses are none of them."""
    rng = np.random.default_rng([seed, ALL.index(profile)])
    shift = rng.integers(0, 63, count)
    m = rng.integers(2**30, 2**31, count)
    kinds = (
        (rng.choice(ACCUMULATORS, count), rng.choice(MULTIPLIERS, count)),
        _tied(rng, shift),
        (_nearly_tied(rng, m, shift), m),
        (rng.integers(INT32_MIN, INT32_MAX + 1, count) >> rng.integers(0, 31, count), m),
    )
    kind = rng.integers(0, len(kinds), count)
    acc = np.choose(kind, [each for each, _ in kinds])
    m = np.choose(kind, [each for _, each in kinds])
    if profile in ("tflite_up", "tflite_away"):
        shift = np.where(_leaves_int32(acc, shift), rng.integers(31, 63, count), shift)
    low = rng.integers(0, 2**22, count) * (kind == 3)
    return Cases(acc, m, shift, low)


def _tied(rng: np.random.Generator, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accumulators and m with acc * m = odd * 2^(shift - 1), half of them one beside such a tie."""
    count, zeros = len(shift), np.clip(shift - 1, 0, 60)
    of_m = rng.integers(
        np.maximum(zeros - 30, 0), np.minimum(zeros, 30) + 1
    )  # zero bits at its end
    of_acc = zeros - of_m
    m = ((rng.integers(2**30, 2**31, count) >> of_m) | 1) << of_m
    odd = (rng.integers(-(2**30), 2**30, count) >> of_acc) | 1
    return (odd << of_acc) + rng.choice([-1, 0, 0, 1], count), m


def _nearly_tied(rng: np.random.Generator, m: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Accumulators whose product m * 2^-shift is nearest to a half, for any m."""
    largest = np.clip(np.ldexp(m.astype(float), 31 - shift), 1, 2**31).astype(np.int64)
    half = rng.integers(-largest, largest) + 0.5
    near = np.rint(half * np.ldexp(1 / m, shift)) + rng.integers(-1, 2, len(m))
    return np.clip(near, INT32_MIN, INT32_MAX).astype(np.int64)


def _leaves_int32(acc: np.ndarray, shift: np.ndarray) -> np.ndarray:
    shifted = acc << np.maximum(31 - shift, 0)
    return (shifted < INT32_MIN) | (shifted > INT32_MAX)


def judged(profile: str, cases: Cases) -> list[int]:
    """What the oracle says."""
    if profile in PROFILES:
        triples = zip(cases.acc.tolist(), cases.m.tolist(), cases.shift.tolist(), strict=True)
        return [oracle.scale_accumulator(*triple, profile) for triple in triples]
    ends = {**ENDS, "zero_point": _zero_point(profile)}
    pairs = zip(cases.acc.tolist(), cases.real().tolist(), strict=True)
    return [oracle.requantize_real(acc, Fraction(m), profile, **ends) for acc, m in pairs]


def _zero_point(profile: str) -> int:
    return ZERO_POINT if profile == "float64_onnx" else 0


Implementation = Callable[[str, Cases], np.ndarray]


def _integers(profile: str, cases: Cases) -> np.ndarray:
    return scale_accumulator(cases.acc, cases.m, cases.shift, profile=profile)


def _split_floats(profile: str, cases: Cases) -> np.ndarray:
    parts = (each.astype(np.float64) for each in (cases.acc, cases.m, cases.shift))
    return requantized(*parts, profile)


def _real(profile: str, cases: Cases) -> np.ndarray:
    ends = {**ENDS, "zero_point": _zero_point(profile)}
    return requantize_real(cases.acc, cases.real(), profile=profile, **ends)


def _engine_float(profile: str, cases: Cases) -> np.ndarray:
    return np.clip(rounded_product(cases.acc, cases.real(), profile), INT32_MIN, INT32_MAX)


def implementations(profile: str) -> tuple[Implementation, ...]:
    """All that the package has of a profile."""
    if profile in PROFILES:
        return _integers, _split_floats
    return (_real,) if profile == "float64_onnx" else (_real, _engine_float)


def differences(
    profile: str, count: int, seed: int, kernels: Sequence[Implementation] | None = None
) -> int:
    """In how many of `count` cases an implementation is not what the oracle says."""
    cases = draw(profile, count, seed)
    expected = np.array(judged(profile, cases))
    wrong = np.zeros(count, bool)
    for kernel in implementations(profile) if kernels is None else kernels:
        computed = kernel(profile, cases).astype(np.int64)
        # beyond 2^52 a simulation in floating point is rounded; T has saturated long before
        wrong |= (computed != expected) & ((abs(expected) < 2**52) | (kernel is not _split_floats))
    return int(wrong.sum())


def _chunk(job: tuple[str, int, int]) -> int:
    return differences(*job)


def _jobs(profile: str, count: int, seed: int) -> Iterator[tuple[str, int, int]]:
    for number, start in enumerate(range(0, count, CHUNK)):
        yield profile, min(CHUNK, count - start), seed + number


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: one line a profile; the exit code is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="a profile, default 100000")
    parser.add_argument("--profiles", default=",".join(ALL), help="joined by commas, default all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    total = 0
    with multiprocessing.Pool(available_cores()) as pool:
        for profile in args.profiles.split(","):
            jobs = list(_jobs(profile, args.cases, args.seed))
            bar = tqdm(
                pool.imap_unordered(_chunk, jobs),
                profile,
                len(jobs),
                leave=False,
                disable=not sys.stderr.isatty(),
            )
            found = sum(bar)
            names = " and ".join(each.__name__.strip("_") for each in implementations(profile))
            print(f"{profile:<14} {args.cases} cases, {found} differences ({names})", flush=True)
            total += found
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
