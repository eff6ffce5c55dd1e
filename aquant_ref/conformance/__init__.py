"""Verify whether another implementation is right: the conformance kit. Names load on first use.

* a scalar kernel in any language: `aquant-ref gen OP | ./kernel | aquant-ref check OP`
* a kernel on tensors in any language: `aquant-ref verify --exec './kernel {case}'`
* an `Adapter` in Python: `aquant-ref verify --adapter package.module:MyAdapter`
* in your own pytest: the fixture `aquant_verify`, and `strategies` for Hypothesis

The operations are `contract.OPERATIONS`; expected values come from the oracle. SPEC.md, AQ-CONF.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aquant_ref.conformance import strategies
    from aquant_ref.conformance.adapters import Adapter, Capabilities
    from aquant_ref.conformance.contract import OPERATIONS
    from aquant_ref.conformance.verification import verify

__all__ = ["OPERATIONS", "Adapter", "Capabilities", "strategies", "verify"]

HOMES = {
    "Adapter": "adapters",
    "Capabilities": "adapters",
    "OPERATIONS": "contract",
    "verify": "verification",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import `name` on first use; AttributeError for an unknown name."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{HOMES.get(name, name)}")
        return module if name == "strategies" else getattr(module, name)
