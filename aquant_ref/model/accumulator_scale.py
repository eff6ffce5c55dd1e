"""What the integers of a tensor stand for, exactly: one unit and one bias a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class AccumulatorScale:
    """Each integer of channel c stands for the real number unit[c] * integer + bias[c]."""

    unit: tuple[Fraction, ...]
    bias: tuple[Fraction, ...]

    @classmethod
    def steps(cls, unit: Fraction, channels: int) -> AccumulatorScale:
        """Count all channels in steps of `unit`, without a bias."""
        return cls((unit,) * channels, (Fraction(0),) * channels)

    @classmethod
    def joined(cls, parts: Sequence[AccumulatorScale]) -> AccumulatorScale:
        """Put the channels of all parts one after the other."""
        units, biases = (part.unit for part in parts), (part.bias for part in parts)
        return cls(sum(units, ()), sum(biases, ()))

    def times(self, other: AccumulatorScale) -> AccumulatorScale:
        """Multiply with another; the integers of both have their zero point subtracted."""
        units = (a * b for a, b in zip(self.unit, other.unit, strict=True))
        return AccumulatorScale(tuple(units), (Fraction(0),) * len(self.unit))

    def repeated(self, times: int) -> AccumulatorScale:
        """Repeat each channel, as flattening does."""
        unit, bias = (
            tuple(value for value in values for _ in range(times))
            for values in (self.unit, self.bias)
        )
        return AccumulatorScale(unit, bias)

    def is_steps(self, unit: Fraction) -> bool:
        """Tell whether all channels are counted in steps of `unit`, without a bias."""
        return set(self.unit) == {unit} and not any(self.bias)
