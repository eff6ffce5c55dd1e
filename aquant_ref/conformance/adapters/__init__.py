"""Collect the implementations under test: those of this package, and the bases for yours.

Names load on first use, so that an adapter's own process starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.base import Adapter, load
    from aquant_ref.conformance.adapters.capabilities import Capabilities
    from aquant_ref.conformance.adapters.command import CommandAdapter
    from aquant_ref.conformance.adapters.engine import EngineAdapter
    from aquant_ref.conformance.adapters.library.adapter import LibraryAdapter
    from aquant_ref.conformance.adapters.oracle import OracleAdapter
    from aquant_ref.conformance.adapters.pipe import PipeAdapter
    from aquant_ref.conformance.adapters.python.adapter import PythonAdapter
    from aquant_ref.conformance.adapters.simulation import SimulationAdapter

__all__ = [
    "Adapter",
    "Capabilities",
    "CommandAdapter",
    "EngineAdapter",
    "LibraryAdapter",
    "OracleAdapter",
    "PipeAdapter",
    "PythonAdapter",
    "SimulationAdapter",
    "load",
]

HOMES = {
    "Adapter": "base",
    "Capabilities": "capabilities",
    "CommandAdapter": "command",
    "EngineAdapter": "engine",
    "LibraryAdapter": "library.adapter",
    "OracleAdapter": "oracle",
    "PipeAdapter": "pipe",
    "PythonAdapter": "python.adapter",
    "SimulationAdapter": "simulation",
    "load": "base",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import `name` on first use; AttributeError for an unknown name."""
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
