"""Where something was measured: what is needed to understand a figure, no name of a computer."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.threads import available_cores
from aquant_ref.versions import versions

PEERS = ("ai-edge-litert", "onnx", "onnxruntime", "torch")
CPUS = Path("/proc/cpuinfo")  # of Linux


def conditions() -> dict[str, Any]:
    """Versions of this package, of what it stands on and of the peers, and the processor."""
    found = versions() | {"BLAS": _blas()} | {name: _version(name) for name in PEERS}
    return {"versions": found, "cores": available_cores(), "processor": _processor()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    """Its name and version, and the processor that its user holds it to, where that is one."""
    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    held = os.environ.get("OPENBLAS_CORETYPE")
    return f"{found['name']} {found['version']}" + (f" held to {held}" if held else "")


def _processor() -> str:
    if CPUS.exists():
        for line in CPUS.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
