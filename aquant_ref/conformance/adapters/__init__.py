"""Collect the implementations under test: those of this package, and the bases for yours."""

from __future__ import annotations

from aquant_ref.conformance.adapters.base import Adapter, load
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.command import CommandAdapter
from aquant_ref.conformance.adapters.engine import EngineAdapter
from aquant_ref.conformance.adapters.library.adapter import LibraryAdapter
from aquant_ref.conformance.adapters.oracle import OracleAdapter
from aquant_ref.conformance.adapters.pipe import PipeAdapter
from aquant_ref.conformance.adapters.simulation import SimulationAdapter

__all__ = [
    "Adapter",
    "Capabilities",
    "CommandAdapter",
    "EngineAdapter",
    "LibraryAdapter",
    "OracleAdapter",
    "PipeAdapter",
    "SimulationAdapter",
    "load",
]
