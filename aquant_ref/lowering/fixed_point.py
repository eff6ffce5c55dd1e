"""Fixed-point lowering, for hardware without thresholds: multiply, shift, and a polynomial.

Everything up to an accumulator is as in the threshold lowering. What differs is how an accumulator
becomes a code, and how two branches meet (AQ-LOWER-10):

    accumulator -> rescale -> T, steps with f fraction bits -> border -> code
    accumulator -> rescale -> T_a \\
                                   plus -> T -> border -> code
    accumulator -> rescale -> T_b /

With f = 0, where no border and no add asks for more, this is classical requantization. Unlike
thresholds it is not the ideal semantics: multipliers, biases and polynomials are rounded.
"""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.errors import InputError
from aquant_ref.lowering.thresholds import Accumulator, Lowering
from aquant_ref.model.fixed_point import border_of, scale_of_sum
from aquant_ref.quant.fixed_point import FixedPoint, rescaling

if TYPE_CHECKING:
    from aquant_ref.model.quantized_model import QuantizedModel
    from aquant_ref.nn.operations import Node


class FixedPointLowering(Lowering):
    """Lowers `model` with the fraction bits and the requantization profile of `options`.

    Spec: AQ-LOWER-10. Raises InputError, which names the node, as `Lowering` does; for a bias, a
    multiplier or a border that has no integers; AccumulatorOverflow where an add could leave int32.
    """

    def __init__(self, model: QuantizedModel, options: FixedPoint) -> None:
        self.options = options
        self.how = {"lowering": "fixed_point", **asdict(options)}
        super().__init__(model)

    def _lower_quantizer(self, name: str, meaning: Accumulator) -> None:
        tensor = self.model.stored(name)
        border = border_of(self.model, name, self.options.fraction_bits)
        scale, bits = Fraction(tensor.scale), border.fraction_bits
        steps = self._rescaled(f"{name}.steps", meaning, scale, bits)
        arrays = {"coefficients": border.coefficients, "lift": border.lift}
        numbers = {key: getattr(border, key) for key in OPERATIONS["border"].attributes}
        self._emit(name, "border", steps.name, attributes=numbers, arrays=arrays)
        self._store(name, tensor, np.full(len(meaning.unit), tensor.zero_point, np.int32))

    def _lower_add(self, node: Node) -> Accumulator:
        scale = scale_of_sum(self.model, node.name)
        bits = self.options.fraction_bits
        a, b = (
            self._rescaled(f"{node.name}.{term}", self._read(name), scale, bits)
            for term, name in zip("ab", node.inputs, strict=True)
        )
        name = self._accumulator(node)
        self._emit(name, "plus", a.name, b.name)
        return _steps(name, a.unit)

    def _rescaled(self, name: str, meaning: Accumulator, scale: Fraction, bits: int) -> Accumulator:
        """Rescale to steps of `scale` with `bits` fraction bits, unless it is counted in them."""
        step = scale / 2**bits
        if meaning.is_steps(step):
            return meaning
        try:
            found = rescaling(meaning.unit, meaning.bias, scale, bits, self.options)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        op = "rescale_float" if found.shift is None else "rescale"
        arrays = {key: value for key, value in vars(found).items() if value is not None}
        attributes = {"profile": self.options.profile}
        self._emit(name, op, meaning.name, attributes=attributes, arrays=arrays)
        return _steps(name, (step,) * len(meaning.unit))


def _steps(name: str, unit: tuple[Fraction, ...]) -> Accumulator:
    """Multiples of `unit`; the simulation computes the same integers, so there is no error."""
    return Accumulator(unit, (Fraction(0),) * len(unit), name, np.zeros(len(unit)), 0)
