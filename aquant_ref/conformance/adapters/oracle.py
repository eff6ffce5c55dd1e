"""Put the oracle under test: that it passes shows that the kit asks fairly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.cases.family import by_case, plain
from aquant_ref.conformance.contract import EVERY_CHOICE, LAYER_VARIATIONS, OPERATIONS, Operation
from aquant_ref.conformance.expected.functions import Bounds


class OracleAdapter(Adapter):
    """Compute every operation, case by case, in exact rationals."""

    name = "oracle"

    def capabilities(self) -> Capabilities:
        """Declare everything."""
        return Capabilities(
            requantization=tuple(LAYER_VARIATIONS), variations=EVERY_CHOICE, rejects=True
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the function of the operation `name`, for columns."""
        if name not in OPERATIONS:
            raise AttributeError(name)
        operation = OPERATIONS[name]
        return partial(_column_by_column if operation.scalar else _tensors, operation)


def _column_by_column(operation: Operation, **fields: Any) -> tuple[Any, ...]:
    settings = {name: value for name, value in fields.items() if isinstance(value, str)}
    columns = {name: value for name, value in fields.items() if name not in settings}
    answers = by_case(partial(operation.expected, **settings), columns)
    return tuple(np.array(column) for column in zip(*answers, strict=True))


def _tensors(operation: Operation, **fields: Any) -> tuple[Any, ...]:
    answer = operation.expected(**{name: plain(value) for name, value in fields.items()})
    return tuple(np.array(each.low if isinstance(each, Bounds) else each) for each in answer)
