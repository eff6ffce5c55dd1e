"""AQuant in numpy: learn a rounding border, then run the network in integers only, bit for bit.

`import aquant_ref` is cheap and imports no numpy. A room is imported when it is first used:

>>> import aquant_ref
>>> aquant_ref.oracle.__name__
'aquant_ref.oracle'

The rules are in `SPEC.md`, which is installed beside this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aquant_ref.errors import AccumulatorOverflow, InputError

if TYPE_CHECKING:
    from aquant_ref import (
        certification,
        claims,
        comparison,
        conformance,
        data,
        engine,
        experiments,
        formats,
        integer,
        lowering,
        model,
        nn,
        oracle,
        ptq,
        quant,
        simulate,
    )

__version__ = "0.2.0"

__all__ = [
    "AccumulatorOverflow",
    "InputError",
    "__version__",
    "certification",
    "claims",
    "comparison",
    "conformance",
    "data",
    "engine",
    "experiments",
    "formats",
    "integer",
    "lowering",
    "model",
    "nn",
    "oracle",
    "ptq",
    "quant",
    "simulate",
]

if not TYPE_CHECKING:  # a type checker reads the imports above and still finds a misspelt name

    def __getattr__(name: str) -> Any:
        """Import the room `name` on first use; raises AttributeError for any other name."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    """Every public name, the rooms not yet imported among them."""
    return sorted({*globals(), *__all__})
