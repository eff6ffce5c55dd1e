"""AQuant in numpy: learn a rounding border, then run the network in integers only, bit for bit.

    import aquant_ref as aq

    graph, weights = aq.fold(network.graph(), weights)
    model = aq.quantize(graph, weights, images, bits="W4A4")
    program = aq.lower(model)

`import aquant_ref` is cheap and imports no numpy: a name is imported when it is first used.

>>> import aquant_ref
>>> aquant_ref.oracle.__name__
'aquant_ref.oracle'

The rules are in `SPEC.md`, which is installed beside this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aquant_ref.errors import AccumulatorOverflow, InputError, nearest

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
    from aquant_ref.certification.certificate import certify
    from aquant_ref.comparison.agreement import compare
    from aquant_ref.engine.program import Program
    from aquant_ref.lowering.lowerings import lower
    from aquant_ref.model.quantized_model import QuantizedModel
    from aquant_ref.nn.fold import fold
    from aquant_ref.nn.network import Network
    from aquant_ref.ptq.border_spec import BorderSpec
    from aquant_ref.ptq.pipeline import quantize
    from aquant_ref.threads import set_threads

__version__ = "0.2.0"

# What a user needs, and where it is
NAMES = {
    "BorderSpec": "ptq.border_spec",
    "Network": "nn.network",
    "Program": "engine.program",
    "QuantizedModel": "model.quantized_model",
    "certify": "certification.certificate",
    "compare": "comparison.agreement",
    "fold": "nn.fold",
    "lower": "lowering.lowerings",
    "quantize": "ptq.pipeline",
    "set_threads": "threads",
}

__all__ = [
    "AccumulatorOverflow",
    "BorderSpec",
    "InputError",
    "Network",
    "Program",
    "QuantizedModel",
    "__version__",
    "certification",
    "certify",
    "claims",
    "compare",
    "comparison",
    "conformance",
    "data",
    "engine",
    "experiments",
    "fold",
    "formats",
    "integer",
    "lower",
    "lowering",
    "model",
    "nn",
    "oracle",
    "ptq",
    "quant",
    "quantize",
    "set_threads",
    "simulate",
]

if not TYPE_CHECKING:  # a type checker reads the imports above and still finds a misspelt name

    def __getattr__(name: str) -> Any:
        """Import `name` on first use; raises AttributeError for a name that is not public."""
        if name in NAMES:
            return getattr(import_module(f"{__name__}.{NAMES[name]}"), name)
        if name not in __all__:
            meant = nearest(name, __all__)
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant}")
        return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    """Every public name, those not yet imported among them."""
    return sorted({*globals(), *__all__})
