"""Ask an engine for operations between codes: products of tensors, tables, functions, unions."""

from __future__ import annotations

from functools import partial

import numpy as np

from aquant_ref.conformance.adapters.engines.codes import (
    REGISTERS,
    clipped,
    each,
    scale32,
    storage_of,
    unanimous,
)
from aquant_ref.conformance.adapters.engines.eight_bit import EightBit, Output, Quantized
from aquant_ref.typing import Array, Codes, Integers, Reals

HOOKS = {"matmul": "_matmul", "lookup": "_lookup", "activation": "_activation", "concat": "_concat"}
HOOKS |= {"activation_range": "_limits"}
COPIES = 5  # of a function's inputs, so that they fill vector registers, and some are left


class Functions(EightBit):
    """Translate these operations; an engine defines those with an underscore that it has."""

    def supports(self, operation: str) -> bool:
        """Tell whether the engine defines the operation."""
        hook = HOOKS.get(operation, "")
        defined = not hook or getattr(type(self), hook) is not getattr(Functions, hook)
        return defined and super().supports(operation)

    def matmul(
        self,
        *,
        a: Codes,
        a_scale: float,
        a_zero: int,
        b: Codes,
        b_scale: float,
        b_zero: int,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        profile: str = "",
    ) -> Array:
        """Spec: AQ-CODES-12."""
        del profile
        store = storage_of(a, b, a_zero, b_zero, zero_point, qmin)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        first = Quantized(store.hold(a), scale32(a_scale), a_zero)
        second = Quantized(store.hold(b), scale32(b_scale), b_zero)
        return clipped(self._matmul(first, second, y), qmin, qmax)

    def _matmul(self, _a: Quantized, _b: Quantized, _y: Output) -> Array:
        raise NotImplementedError

    def lookup(self, *, x: Codes, table: Codes, least: int) -> Array:
        """Spec: AQ-CODES-13."""
        store = storage_of(x, table)
        return self._lookup(store.hold(x), store.hold(table), least).astype(np.int64)

    def _lookup(self, _x: Array, _table: Array, _least: int) -> Array:
        raise NotImplementedError

    def activation(
        self,
        *,
        function: str,
        x: Codes,
        x_scale: float,
        x_zero: int,
        alpha: float,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        profile: str = "",
    ) -> Array:
        """Spec: AQ-CODES-15: the same everywhere in a tensor."""
        del profile
        store = storage_of(x, x_zero, zero_point, qmin)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        many = np.tile(np.repeat(store.hold(x), REGISTERS), COPIES)
        answers = self._activation(function, Quantized(many, scale32(x_scale), x_zero), alpha, y)
        codes = answers.reshape(COPIES, len(x), REGISTERS)
        alike = [unanimous(codes[:, k]) for k in range(len(x))]
        return clipped(np.array(alike), qmin, qmax)

    def _activation(self, _function: str, _x: Quantized, _alpha: float, _y: Output) -> Array:
        raise NotImplementedError

    def concat(
        self,
        *,
        x: Codes,
        channels: Integers,
        x_scale: Reals,
        x_zero: Integers,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        profile: str = "",
    ) -> Array:
        """Spec: AQ-CODES-17, AQ-CODES-18."""
        del profile
        store = storage_of(x, x_zero, zero_point, qmin)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        images = np.split(store.hold(x), np.cumsum(channels)[:-1])
        terms = zip(images, scale32(x_scale), x_zero.tolist(), strict=True)
        return clipped(self._concat([Quantized(*term) for term in terms], y), qmin, qmax)

    def _concat(self, _terms: list[Quantized], _y: Output) -> Array:
        raise NotImplementedError

    def activation_range(
        self, *, activation: str, profile: str = "", **columns: Array
    ) -> tuple[Array, Array]:
        """Spec: AQ-ACT-2 to AQ-ACT-4: the ends of what all codes become."""
        del profile
        ends = each(partial(self._ends, activation), **columns)
        return ends[:, 0], ends[:, 1]

    def _ends(
        self, activation: str, *, scale: float, zero_point: int, qmin: int, qmax: int
    ) -> tuple[int, int]:
        store = storage_of(zero_point, qmin)
        low, high = store.ends
        if (qmin, qmax) != (low, high):
            raise NotImplementedError("a range narrower than the type is no activation")
        codes = np.arange(low, high + 1).astype(store.dtype)
        y = Output(scale32(scale), zero_point, store, qmin, qmax)
        left = self._limits(activation, Quantized(codes, y.scale, zero_point), y)
        return int(left.min()), int(left.max())

    def _limits(self, _activation: str, _x: Quantized, _y: Output) -> Array:
        raise NotImplementedError
