"""Name the engines whose adapters come with the kit."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.errors import InputError, install

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.base import Adapter
    from aquant_ref.conformance.report.deviations import Deviations


@dataclass(frozen=True)
class Engine:
    """Say where an adapter is, what it imports, and how that is installed."""

    module: str  # of this package
    adapter: str  # class
    packages: tuple[str, ...]
    install: str

    def make(self, name: str) -> Adapter:
        """Make the adapter; InputError says what to install."""
        for package in self.packages:
            if find_spec(package) is None:
                raise InputError(f"adapter: {name} needs {package!r}: {self.install}")
        try:
            module: Any = import_module(f"{__package__}.{self.module}")
        except (ImportError, OSError, AttributeError) as error:  # an installation that is broken
            raise InputError(f"adapter: {name} cannot be imported ({error})") from error
        return getattr(module, self.adapter)()


_LITERT = ("ai_edge_litert", "flatbuffers"), install("litert")
_TORCH = ("torch",), "pip install torch==2.13.0"

ENGINES = {
    "onnxruntime": Engine(
        "onnx_runtime", "OnnxRuntime", ("onnx", "onnxruntime"), install("onnxruntime")
    ),
    "onnx-reference": Engine("onnx_reference", "OnnxReference", ("onnx",), install("onnx")),
    "litert": Engine("litert", "Reference", *_LITERT),
    "litert-optimised": Engine("litert", "Optimised", *_LITERT),
    "xnnpack": Engine("litert", "Xnnpack", *_LITERT),
    "torch": Engine("pytorch", "Torch", *_TORCH),
    "torch-onednn": Engine("pytorch", "Onednn", *_TORCH),
    "torch-fbgemm": Engine("pytorch", "Fbgemm", *_TORCH),
    "torch-qnnpack": Engine("pytorch", "Qnnpack", *_TORCH),
}


def known(name: str) -> Deviations:
    """Return the known deviations of an engine, on this CPU."""
    from aquant_ref.conformance.report import deviations

    path = Path(__file__).with_name("deviations") / f"{name}.toml"
    entries = deviations.load(path).entries if path in path.parent.iterdir() else []
    return deviations.Deviations([e for e in entries if e.cpu in ("", _cpu())], shipped=True)


def _cpu() -> str:
    """Say whether the CPU adds products of 8 bits in int32 or, two and two, in int16."""
    found: Any = np.show_config(mode="dicts")
    features = found.get("SIMD Extensions", {}).get("found", ())
    wide = "AVX2" in features or "X86_V3" in features  # as numpy before and since 2.4 calls it
    return "x86 without VNNI" if wide and "AVX512_ICL" not in features else ""
